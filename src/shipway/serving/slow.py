"""Clients that never finish a request are sent away (RFC 9110, section 15.5.9: 408).

uvicorn bounds how long a connection may be idle after an answer, not how long a request may take to
arrive: some thousand connections that send a byte a minute would hold every descriptor. One look at
all connections a second costs a request nothing; a timer for each would.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from shipway.errors import SlowRequestError
from shipway.serving.problems import render

__all__ = ["WatchedProtocol", "send_away"]

LOOK = 1.0
"""Seconds between two looks."""


class WatchedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, and whether a request is arriving on the connection."""

    between: bool = True
    """No request has begun that is not complete."""
    heard: int = 0
    """Requests that uvicorn's parser completed."""
    answered_at: float = 0.0
    """When the last plain request was answered, in the loop's seconds."""
    leads: ClassVar[dict[int, Any]] = {}

    def on_message_begin(self) -> None:
        """Llhttp read the first byte of a request."""
        self.between = False
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """Llhttp read the last byte of a request."""
        self.between = True
        self.heard += 1
        super().on_message_complete()

    @property
    def arriving(self) -> bool:
        """Whether it is the client's turn to send: a request's rest, or its first byte."""
        if self.transport.is_closing() or self.flow.read_paused:
            return False
        return not self.between or not (self.heard or self.answered_at)

    @property
    def progress(self) -> tuple[int, float]:
        """Changes with each request that is complete."""
        return self.heard, self.answered_at

    def time_out(self, seconds: float) -> None:
        """Answer 408 if anything was sent and nothing answered, and close the connection."""
        if not self.between and not _under_way(self.cycle):
            problem = render(
                SlowRequestError(f"The request did not arrive within {seconds:g} s.", "Try again.")
            )
            fields = b"".join(b"%b: %b\r\n" % f for f in self.server_state.default_headers)
            headers = b"".join(b"%b: %b\r\n" % (k.encode(), v.encode()) for k, v in problem.headers)
            length = b"content-length: %d\r\nconnection: close\r\n\r\n" % len(problem.body)
            self.transport.write(
                STATUS_LINE[problem.status] + fields + headers + length + problem.body
            )
        self.transport.close()


def _under_way(cycle: RequestResponseCycle | None) -> bool:
    """Whether a part of an answer has left, but not all of it."""
    return cycle is not None and cycle.response_started and not cycle.response_complete


async def send_away(
    connections: Collection[Any], seconds: float, clock: Callable[[], float]
) -> None:
    """Look at the connections for ever; a request has so many seconds to arrive."""
    since: dict[WatchedProtocol, tuple[tuple[int, float], float]] = {}
    while True:
        await asyncio.sleep(min(LOOK, seconds / 4))
        now, before, since = clock(), since, {}
        for one in list(connections):
            if not isinstance(one, WatchedProtocol) or not one.arriving:
                continue
            mark, begun = before.get(one, (one.progress, now))
            if mark != one.progress:
                begun = now
            if now - begun >= seconds:
                one.time_out(seconds)
            else:
                since[one] = one.progress, begun
