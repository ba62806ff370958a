"""The hot path: a plain ``POST /predict`` is answered below ASGI, with no task and no event.

uvicorn's HTTP protocol stays in charge of the connection; this class looks at the bytes first. A
request whose head is plain (``plain``) goes to the turn of the event loop (``turn``) as bytes and
comes back as bytes. Everything else, and whatever the turn does not want, is fed to uvicorn's
parser and takes the full way through FastAPI, whose answers the turn's equal byte for byte.

A connection is in one of three states (RFC 9112, section 9.3.2: answers leave in the order of
their requests):

* between requests: the next bytes may begin a plain one;
* a plain request is begun (``_held``) or with the turn (``waiting``): what follows is held;
* the full way is under way: uvicorn has it, pipelining included.
"""

from __future__ import annotations

from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    RequestResponseCycle,
)

from shipway.serving.plain import END
from shipway.serving.slow import WatchedProtocol
from shipway.serving.turn import Turn

__all__ = ["protocol_class"]

HELD = 64 * 1024
"""Bytes that may pile up behind a request before the connection is not read any more."""


def protocol_class(turn: Turn) -> type[WatchedProtocol]:
    """The class that uvicorn takes as its HTTP protocol, for the application behind ``turn``."""
    return type("PredictProtocol", (_PredictProtocol,), {"turn": turn, "leads": {}})


class _PredictProtocol(WatchedProtocol):
    turn: ClassVar[Turn]
    leads: ClassVar[dict[int, Any]]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.waiting = False
        """A plain request is with the turn."""
        self._held = b""
        self._last = False

    @property
    def busy(self) -> bool:
        """Whether a plain request is begun or under way here."""
        return self.waiting or bool(self._held)

    # Bytes in ------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._held:
            data = self._held + data
            self._held = b""
        self._take(data)

    def _take(self, data: bytes) -> None:
        if self.waiting:
            self._hold(data)
            if len(data) > HELD:
                self.flow.pause_reading()
            return
        mark = data.find(END) if self._is_between() else -1
        head = self.turn.judge(data[:mark]) if mark >= 0 else None
        if head is None:
            super().data_received(data)
            return
        begin = mark + len(END)
        end = begin + head.length
        if len(data) < end:
            self._hold(data)
            return
        self._held = data[end:]
        self.waiting = True
        self.turn.add(self, head, data[begin:end], data[:end])

    def _is_between(self) -> bool:
        return (
            self.between and _complete(self.cycle) and not self.flow.write_paused and self.turn.open
        )

    def _hold(self, data: bytes) -> None:
        self._held = data
        self._unset_keepalive_if_required()

    @property
    def arriving(self) -> bool:
        return not self.waiting and (bool(self._held) or super().arriving)

    def time_out(self, seconds: float) -> None:
        # What is held was not given to uvicorn's parser, which would know that it has begun.
        self.between = self.between and not self._held
        super().time_out(seconds)

    # Bytes out -----------------------------------------------------------------------------

    def answer(self, status: int, rest: bytes, *, last: bool) -> None:
        """Send a whole answer, the last one of this connection or not; then go on."""
        self.waiting = False
        if self.is_gone():
            return
        self.server_state.total_requests += 1
        self.transport.write(self._lead(status) + rest)
        if last or self._last:
            self.transport.close()
            return
        # Moving a timer for each answer costs as much as reading the request: this one is armed
        # once and looks at the time when it fires.
        self.answered_at = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._arm(self.timeout_keep_alive)
        if self._held:
            held, self._held = self._held, b""
            self.flow.resume_reading()
            self._take(held)

    def is_gone(self) -> bool:
        """Whether nobody reads an answer any more."""
        return self.transport.is_closing()

    def _lead(self, status: int) -> bytes:
        """The status line and the server's own fields, which uvicorn renews once a second."""
        fields = self.server_state.default_headers
        if self.leads.get(0) is not fields:
            self.leads.clear()
            self.leads[0] = fields
        lead = self.leads.get(status)
        if lead is None:
            lines = [b"%b: %b\r\n" % field for field in fields]
            lead = self.leads[status] = STATUS_LINE[status] + b"".join(lines)
        return lead

    def full_way(self, request: bytes) -> None:
        """Let FastAPI answer; ``request`` is what the turn was given."""
        self.waiting = False
        rest, self._held = self._held, b""
        self.flow.resume_reading()
        super().data_received(request + rest)
        if self._last:
            super().shutdown()

    # Ends ----------------------------------------------------------------------------------

    def timeout_keep_alive_handler(self) -> None:
        self.timeout_keep_alive_task = None
        left = self.answered_at + self.timeout_keep_alive - self.loop.time()
        if self.busy or left > 0:
            self._arm(max(left, 1.0))
        else:
            super().timeout_keep_alive_handler()

    def _arm(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(
            seconds, self.timeout_keep_alive_handler
        )

    def shutdown(self) -> None:
        if self.waiting:
            self._last = True
        else:
            super().shutdown()


def _complete(cycle: RequestResponseCycle | None) -> bool:
    return cycle is None or cycle.response_complete
