"""How rows reach the model: what is already waiting shares the next call; nobody waits for more.

A model whose call is cheaper than a hop to a thread is called at once, on the event loop. Any other
is called in a thread, one call at a time: while it runs, requests queue, and the next call takes
them all. There is no timer, so a lone request never waits for company.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from shipway.errors import DeadlineError, NotReadyError, PredictionError
from shipway.model.signature import Outputs, Rows
from shipway.serving.slot import Loaded

__all__ = ["Answered", "Ask", "Batcher", "Job", "Mode"]

Mode = Literal["auto", "inline", "thread"]

HOP = 100e-6
"""Seconds: about what a hop to a thread and back costs."""
TURN = 2e-3
"""Seconds that a call may keep the event loop from its other connections."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What one call of the model gave."""

    outputs: Outputs
    seconds: float
    """Time inside the model."""


@dataclass(frozen=True, slots=True)
class Job:
    """Rows that want an answer: of one request, or of several that came in the same turn.

    ``rows`` are an array, or lists of numbers that become one. ``done`` is called on the event
    loop with what came (the exception when the call failed) and the index of the first row in it.
    ``wanted`` says whether anybody still waits; ``deadline`` is in the batcher's clock's seconds.
    """

    loaded: Loaded
    rows: Rows | list[list[float]]
    done: Callable[[Answered | Exception, int], None]
    wanted: Callable[[], bool]
    deadline: float
    requests: int = 1


Ask = Callable[[Job], None]
_Came = tuple[list[Job], Answered | Exception]


class Batcher:
    """The one queue in front of the model.

    ``around`` gets each job first and hands on what the model is to answer.
    """

    def __init__(
        self,
        *,
        mode: Mode = "auto",
        most_rows: int = 1024,
        most_waiting: int = 1024,
        observe: Callable[[Loaded, Answered, int], None] = lambda *_: None,
        around: Callable[[Job, Ask], None] | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._mode = mode
        self._most_rows = most_rows
        self._most_waiting = most_waiting
        self._observe = observe
        self._around = around
        self.clock = clock
        self._queue: deque[Job] = deque()
        self._waiting = 0
        self._running = False
        self._pool: tuple[int, ThreadPoolExecutor] | None = None

    def inline(self, loaded: Loaded, rows: int) -> bool:
        """Whether a call with so many rows is made on the event loop."""
        if self._mode != "auto":
            return self._mode == "inline"
        return loaded.cost.one < HOP and loaded.cost.estimate(rows) < TURN

    def submit(self, job: Job) -> None:
        """Have the model answer; ``job.done`` is called now or later, once.

        Raises:
            NotReadyError: too many requests wait already.
        """
        if self._around is not None:
            self._around(job, self._ask)
        else:
            self._ask(job)

    def _ask(self, job: Job) -> None:
        if not self._running and self.inline(job.loaded, len(job.rows)):
            self._deliver(_call([job], self.clock))
            return
        if self._waiting + job.requests > self._most_waiting:
            raise NotReadyError(
                f"Too many requests wait for the model: {self._waiting}.",
                "Try again in a moment; add workers or replicas if it stays like this.",
            )
        self._queue.append(job)
        self._waiting += job.requests
        if not self._running:
            self._start()

    async def predict(self, loaded: Loaded, rows: Rows, *, patience: float) -> Answered:
        """The model's answer to the rows of one request.

        Raises:
            NotReadyError: too many requests wait already.
            DeadlineError: it would not come within ``patience`` seconds.
            InputError, PredictionError: the model does not answer these rows.
        """
        future: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()

        def done(came: Answered | Exception, at: int) -> None:
            if future.done():
                return
            if isinstance(came, Exception):
                future.set_exception(came)
            else:
                future.set_result(Answered(_part(came.outputs, at, len(rows)), came.seconds))

        def wanted() -> bool:
            return not future.done()

        self.submit(Job(loaded, rows, done, wanted, self.clock() + patience))
        return await future

    def _start(self) -> None:
        """Call the model with what waits, if anything does."""
        now = self.clock()
        jobs: list[Job] = []
        count = 0
        while self._queue:
            job = self._queue[0]
            if jobs and (
                job.loaded is not jobs[0].loaded or count + len(job.rows) > self._most_rows
            ):
                break
            self._queue.popleft()
            self._waiting -= job.requests
            if not job.wanted():
                continue
            if now >= job.deadline:
                job.done(_late(), 0)
                continue
            jobs.append(job)
            count += len(job.rows)
        if not jobs:
            return
        self._running = True
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._threads(), _call, jobs, self.clock)
        future.add_done_callback(self._finish)

    def _finish(self, future: asyncio.Future[list[_Came]]) -> None:
        self._running = False
        if not future.cancelled():
            self._deliver(future.result())
        if not self._running:
            self._start()

    def _deliver(self, calls: list[_Came]) -> None:
        for jobs, came in calls:
            if isinstance(came, Answered):
                self._observe(jobs[0].loaded, came, sum(job.requests for job in jobs))
            at = 0
            for job in jobs:
                job.done(came, at)
                at += len(job.rows)

    def _threads(self) -> ThreadPoolExecutor:
        # Threads do not survive a fork: each process makes its own on first use.
        process = os.getpid()
        if self._pool is None or self._pool[0] != process:
            self._pool = process, ThreadPoolExecutor(1, thread_name_prefix="predict")
        return self._pool[1]


def _late() -> DeadlineError:
    return DeadlineError(
        "The model could not answer in time.", "Try again, or allow more time: X-Request-Timeout."
    )


def _part(outputs: Outputs, at: int, count: int) -> Outputs:
    if at == 0 and len(outputs.predictions) == count:
        return outputs
    confidences = outputs.confidences
    return Outputs(
        outputs.predictions[at : at + count],
        None if confidences is None else confidences[at : at + count],
    )


def _stack(jobs: list[Job]) -> Rows:
    if len(jobs) == 1:
        rows = jobs[0].rows
        return np.array(rows, dtype=np.float64) if isinstance(rows, list) else rows
    parts: list[Any] = [
        np.array(job.rows, dtype=np.float64) if isinstance(job.rows, list) else job.rows
        for job in jobs
    ]
    return np.concatenate(parts)


def _call(jobs: list[Job], clock: Callable[[], float]) -> list[_Came]:
    """One call for all; when that fails, one for each, so that a bad row fails alone."""
    rows = _stack(jobs)
    start = clock()
    try:
        outputs = _predict(jobs[0].loaded, rows)
    except Exception as exc:  # noqa: BLE001 - whoever waits for the answer is told
        if len(jobs) > 1:
            return [came for job in jobs for came in _call([job], clock)]
        return [(jobs, exc)]
    return [(jobs, Answered(outputs, clock() - start))]


def _predict(loaded: Loaded, rows: Rows) -> Outputs:
    outputs = loaded.runtime.predict(rows)
    if len(outputs.predictions) != len(rows):
        raise PredictionError(
            f"The model gave {len(outputs.predictions)} predictions for {len(rows)} rows."
        )
    return outputs
