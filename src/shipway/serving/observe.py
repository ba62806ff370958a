"""What happens around every request: id, body limit, numbers, access line, last line of defence.

Pure ASGI (https://asgi.readthedocs.io/en/latest/specs/www.html): no task and no copy of the body.
"""

from __future__ import annotations

import itertools
import logging
import os
import re
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shipway.errors import BodyTooLargeError, Error
from shipway.serving import logs
from shipway.serving.host import check_host
from shipway.serving.metrics import Metrics
from shipway.serving.problems import Problem, internal, render, row_for
from shipway.serving.slot import ModelSlot

__all__ = ["Observe", "log_access_of_turn", "log_problem", "new_request_id", "sane_request_id"]

_SANE = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
_log = logging.getLogger("shipway.serving")
_access = logging.getLogger(logs.ACCESS)


def sane_request_id(value: bytes) -> str | None:
    """A client's request id when it is short and plain, else None: it goes into logs."""
    return value.decode("ascii") if _SANE.fullmatch(value) else None


_ids = itertools.count()
_of_process = ""


def _after_fork() -> None:
    global _of_process  # noqa: PLW0603 - the process itself is what changed
    _of_process = secrets.token_hex(8)


_after_fork()
os.register_at_fork(after_in_child=_after_fork)


def new_request_id() -> str:
    """32 hexadecimal digits: 16 random ones for the process, then its requests are counted."""
    return f"{_of_process}{next(_ids):016x}"


def log_problem(error: BaseException) -> None:
    """Write an error of this side to the log, with its cause; a client's mistake is no news."""
    if not isinstance(error, Error):
        _log.error("Internal error: %s", type(error).__name__, exc_info=error)
    elif row_for(type(error)).logged:
        _log.error("%s", error.message, exc_info=error)


@dataclass(slots=True)
class _Seen:
    """What is known of one request by the time it is answered."""

    start: float
    status: int = 0
    counted: bool = False
    received: int = 0


class Observe:
    """The ASGI middleware around the whole application."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        slot: ModelSlot,
        metrics: Metrics,
        max_body: int,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._app = app
        self._slot = slot
        self._metrics = metrics
        self._max_body = max_body
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection event."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seen = _Seen(self._clock())
        given = next((v for k, v in scope["headers"] if k == b"x-request-id"), b"")
        name = sane_request_id(given) or new_request_id()
        token = logs.request_id.set(name)
        scope.setdefault("state", {})["request_id"] = name
        self._metrics.begin()
        try:
            await self._answer(scope, receive, send, seen, name)
        finally:
            if not seen.counted:
                self._count(scope, seen, seen.status or 499)
            self._log_access(scope, seen)
            logs.request_id.reset(token)

    async def _answer(
        self, scope: Scope, receive: Receive, send: Send, seen: _Seen, name: str
    ) -> None:
        async def limited() -> Message:
            # Before the first byte is taken: a client that asked "Expect: 100-continue" sends none.
            if seen.received == 0 and _declared(scope) > self._max_body:
                raise self._too_large()
            message = await receive()
            if message["type"] == "http.request":
                seen.received += len(message.get("body", b""))
                if seen.received > self._max_body:
                    raise self._too_large()
            return message

        async def observed(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen.status = message["status"]
                message = {**message, "headers": [*message.get("headers", ()), *self._own(name)]}
            elif message["type"] == "http.response.body" and not message.get("more_body"):
                # Before the last byte leaves: who reads /metrics next finds this request in it.
                self._count(scope, seen, seen.status)
            await send(message)

        try:
            check_host(scope["http_version"], scope["headers"])
            await self._app(scope, limited, observed)
        except ClientDisconnect:
            return
        except Exception as exc:
            if seen.status:
                log_problem(exc)
                raise
            log_problem(exc)
            problem = render(exc, name) if isinstance(exc, Error) else internal(name)
            await _send(problem, observed)

    def _own(self, name: str) -> list[tuple[bytes, bytes]]:
        headers = [(b"x-request-id", name.encode())]
        if self._slot.state == "draining":
            headers.append((b"connection", b"close"))
        return headers

    def _too_large(self) -> BodyTooLargeError:
        return BodyTooLargeError(
            f"The request body is larger than {self._max_body} bytes.",
            "Send fewer rows in one request, or raise the limit: [api] max_body in shipway.toml.",
        )

    def _count(self, scope: Scope, seen: _Seen, status: int) -> None:
        seen.counted = True
        seen.status = status
        self._metrics.request(route_of(scope), status, self._clock() - seen.start)

    def _log_access(self, scope: Scope, seen: _Seen) -> None:
        if _access.disabled or not _access.isEnabledFor(logging.INFO):
            return
        milliseconds = round((self._clock() - seen.start) * 1000, 3)
        method, path = scope["method"][:20], scope["path"][:500]
        extra: dict[str, Any] = {
            "method": method,
            "path": path,
            "status": seen.status,
            "duration_ms": milliseconds,
            "rows": scope["state"].get("rows"),
        }
        _access.info("%s %s %s", method, path, seen.status, extra=extra)


def log_access_of_turn(status: int, answered: Iterable[tuple[str, float, int]]) -> None:
    """The access lines of plain requests: the id, seconds and rows of each."""
    if _access.disabled or not _access.isEnabledFor(logging.INFO):
        return
    for name, seconds, rows in answered:
        extra = {
            "request_id": name,
            "method": "POST",
            "path": "/predict",
            "status": status,
            "duration_ms": round(seconds * 1000, 3),
            "rows": rows,
        }
        said = ("POST", "/predict", status)
        # Not info(): it searches the stack, once for each line, for who says this.
        _access.handle(
            _access.makeRecord(
                _access.name, logging.INFO, __file__, 0, "%s %s %s", said, None, extra=extra
            )
        )


def route_of(scope: Scope) -> str:
    """The template of the route that answered; whatever has none shares one name."""
    path: str | None = getattr(scope.get("route"), "path", None)
    if path is None and scope["path"] in _plain_paths(scope):
        path = scope["path"]
    return path or "unmatched"


def _plain_paths(scope: Scope) -> set[str]:
    # FastAPI names the route only for its own kind, not for /docs and /openapi.json.
    return {getattr(route, "path", "") for route in scope["app"].routes}


def _declared(scope: Scope) -> int:
    """The length that the request's head announces, 0 when it announces none."""
    length = next((v for k, v in scope["headers"] if k == b"content-length"), b"")
    return int(length[:19]) if length.isdigit() else 0


async def _send(problem: Problem, send: Send) -> None:
    headers = [(k.encode(), v.encode()) for k, v in problem.headers]
    headers.append((b"content-length", str(len(problem.body)).encode()))
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": problem.body})
