"""One turn of the event loop: the plain requests that came in together are answered together."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import NamedTuple, Protocol

from shipway.errors import DeadlineError, NotReadyError
from shipway.serving.batching import Answered, Batcher, Job
from shipway.serving.dialects.native import (
    encode_many,
    encode_one,
    plain_confidences,
    plain_values,
)
from shipway.serving.metrics import Metrics
from shipway.serving.observe import log_access_of_turn, new_request_id, sane_request_id
from shipway.serving.plain import Head, judge, remember
from shipway.serving.problems import render
from shipway.serving.slot import Loaded, ModelSlot

__all__ = ["Connection", "Turn"]

ROUTE = "/predict"
OK_HEADERS = b"content-length: %d\r\ncontent-type: application/json\r\n"


class Connection(Protocol):
    """What a turn needs of a connection."""

    def answer(self, status: int, rest: bytes, *, last: bool) -> None:
        """Send a whole answer: ``rest`` is all behind the server's own header fields."""
        ...

    def full_way(self, request: bytes) -> None:
        """Have the request answered by the application."""
        ...

    def is_gone(self) -> bool:
        """Whether nobody reads an answer any more."""
        ...


class Waiting(NamedTuple):
    """A plain request as it came in."""

    connection: Connection
    head: Head
    body: bytes
    request: bytes
    start: float


class Asked(NamedTuple):
    """A plain request whose rows are with the model."""

    waiting: Waiting
    rows: int
    batch: bool


class Turn:
    """Collects plain requests; at the end of the turn decodes them, asks once, answers each.

    ``timeout`` is how long, in seconds, an answer may take before the rows are not computed.
    """

    def __init__(
        self,
        slot: ModelSlot,
        batcher: Batcher,
        metrics: Metrics,
        *,
        max_rows: int,
        timeout: float,
    ) -> None:
        self.judge = remember(judge)
        self._slot = slot
        self._batcher = batcher
        self._metrics = metrics
        self._max_rows = max_rows
        self._timeout = timeout
        self._clock = batcher.clock
        self._waiting: list[Waiting] = []

    @property
    def open(self) -> bool:
        """Whether plain requests are taken: not while loading or draining."""
        return self._slot.state == "ready"

    def add(self, connection: Connection, head: Head, body: bytes, request: bytes) -> None:
        """Take one request; ``request`` is all of its bytes, ``body`` the end of them."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._close)
        self._waiting.append(Waiting(connection, head, body, request, self._clock()))

    def _close(self) -> None:
        waiting, self._waiting = self._waiting, []
        loaded = self._slot.loaded
        read, most = loaded.read_plain, self._max_rows
        asked: list[Asked] = []
        rows: list[list[float]] = []
        for one in waiting:
            found = read(one.body, most)
            if found is None:
                one.connection.full_way(one.request)
            else:
                rows += found[0]
                asked.append(Asked(one, len(found[0]), found[1]))
        if asked:
            self._ask(loaded, asked, rows)

    def _ask(self, loaded: Loaded, asked: list[Asked], rows: list[list[float]]) -> None:
        self._metrics.begin(len(asked))
        job = Job(
            loaded,
            rows,
            partial(self._answer, asked),
            lambda: not all(one.waiting.connection.is_gone() for one in asked),
            asked[0].waiting.start + self._timeout,
            len(asked),
        )
        try:
            self._batcher.submit(job)
        except NotReadyError:
            self._give_back(asked)

    def _give_back(self, asked: list[Asked]) -> None:
        """Errors have one door, the application's."""
        self._metrics.end(len(asked))
        for one in asked:
            one.waiting.connection.full_way(one.waiting.request)

    def _answer(self, asked: list[Asked], came: Answered | Exception, at: int) -> None:
        if isinstance(came, Answered):
            self._send(asked, 200, _bodies(asked, came, at), OK_HEADERS)
        elif isinstance(came, DeadlineError):
            # Not given back: there it would be given the same time once more.
            problem = render(came)
            headers = b"".join(b"%b: %b\r\n" % (k.encode(), v.encode()) for k, v in problem.headers)
            form = headers + b"content-length: %d\r\n"
            self._send(asked, problem.status, [problem.body] * len(asked), form)
        else:
            self._give_back(asked)

    def _send(self, asked: list[Asked], status: int, bodies: list[bytes], form: bytes) -> None:
        now = self._clock()
        last = self._slot.state == "draining"
        close = b"connection: close\r\n" if last else b""
        ids = []
        for one, body in zip(asked, bodies, strict=True):
            connection, head = one.waiting[:2]
            name = (head.request_id and sane_request_id(head.request_id)) or new_request_id()
            ids.append(name)
            rest = b"%bx-request-id: %b\r\n%b\r\n%b" % (
                form % len(body),
                name.encode(),
                close,
                body,
            )
            connection.answer(status, rest, last=last)
        durations = [now - one.waiting.start for one in asked]
        self._metrics.answered(ROUTE, status, durations)
        log_access_of_turn(status, zip(ids, durations, (one.rows for one in asked), strict=True))


def _bodies(asked: list[Asked], came: Answered, at: int) -> list[bytes]:
    predictions = plain_values(came.outputs.predictions)
    confidences = plain_confidences(came.outputs)
    bodies = []
    for one in asked:
        end = at + one.rows
        if one.batch:
            some = None if confidences is None else confidences[at:end]
            bodies.append(encode_many(predictions[at:end], some))
        else:
            sure = None if confidences is None else confidences[at]
            bodies.append(encode_one(predictions[at], sure))
        at = end
    return bodies
