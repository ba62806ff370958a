"""Clients that never finish a request are sent away (RFC 9110, section 15.5.9: 408).

So are those whose fields never end (431), and an offer to speak another protocol is passed over.

uvicorn bounds how long a connection may be idle after an answer, not how long a request may take to
arrive: some thousand connections that send a byte a minute would hold every descriptor. One look at
all connections a second costs a request nothing; a timer for each would.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from shipway.errors import Error, HeadTooLargeError, SlowRequestError
from shipway.serving.problems import render

__all__ = ["WatchedProtocol", "send_away"]

LOOK = 1.0
"""Seconds between two looks."""
MOST_HEAD = 64 * 1024
"""Bytes of a request's line and fields; RFC 6585, section 5: 431."""
OFFER = frozenset((b"connection", b"http2-settings", b"upgrade"))
INVALID = "Invalid HTTP request received."


class WatchedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, and whether a request is arriving on the connection."""

    between: bool = True
    """No request has begun that is not complete."""
    heard: int = 0
    """Requests that uvicorn's parser completed."""
    answered_at: float = 0.0
    """When the last plain request was answered, in the loop's seconds."""
    _in_head: bool = False
    _upgrading: bool = False
    _size: int = 0

    # Bytes in ------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Parse; an offer to upgrade is not taken (RFC 9110, section 7.8), the request is."""
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as found:
            if self._upgrading:
                self._go_on(data[found.args[0] :])
            return
        except httptools.HttpParserError:
            if self._size > MOST_HEAD:
                self._refuse(_too_large())
            else:
                self.logger.warning(INVALID)
                self.send_400_response(INVALID)
            return
        if self._in_head:
            self._size += len(data)
            if self._size > MOST_HEAD:
                self._refuse(_too_large())

    def _go_on(self, rest: bytes) -> None:
        """Read the request once more without the offer, which ends a message for llhttp."""
        lines = [self.parser.get_method() + b" " + self.url + b" HTTP/1.1"]
        lines += [b"%b: %b" % field for field in self.headers if field[0] not in OFFER]
        self.parser = httptools.HttpRequestParser(self)
        self.data_received(b"\r\n".join([*lines, b"", b""]) + rest)

    def on_message_begin(self) -> None:
        """Llhttp read the first byte of a request."""
        self.between, self._in_head, self._size = False, True, 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Llhttp read a field, of the head or of a trailer."""
        self._size += len(name) + len(value)
        if self._size > MOST_HEAD:
            raise ValueError("too large")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Llhttp read the whole head."""
        self._in_head, self._size = False, 0
        self._upgrading = self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"
        if not self._upgrading:
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Llhttp read the last byte of a request."""
        if not self._upgrading:
            self.between = True
            self.heard += 1
            super().on_message_complete()

    # What is watched -----------------------------------------------------------------------

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
            message = f"The request did not arrive within {seconds:g} s."
            self._refuse(SlowRequestError(message, "Try again."))
        self.transport.close()

    def _refuse(self, error: Error) -> None:
        """Answer below the application, which has not seen the request, and close."""
        problem = render(error)
        fields = [*self.server_state.default_headers]
        fields += [(key.encode(), value.encode()) for key, value in problem.headers]
        fields += [(b"content-length", b"%d" % len(problem.body)), (b"connection", b"close")]
        lines = b"".join(b"%b: %b\r\n" % field for field in fields)
        self.transport.write(STATUS_LINE[problem.status] + lines + b"\r\n" + problem.body)
        self.transport.close()


def _too_large() -> Error:
    return HeadTooLargeError(
        f"The request's header fields are larger than {MOST_HEAD} bytes.", "Send fewer or less."
    )


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
                with contextlib.suppress(OSError, RuntimeError):  # gone in this very moment
                    one.time_out(seconds)
            else:
                since[one] = one.progress, begun
