"""The course of a test: warm up, saturate, then search for the highest rate under a p99."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from shipway.errors import LoadTestError
from shipway.loadtest import generator, probe, processes, wrk
from shipway.loadtest.advice import Seen
from shipway.loadtest.measured import Latency, Load
from shipway.loadtest.report import Report
from shipway.loadtest.search import Found, Step, highest_rate
from shipway.loadtest.target import Target

__all__ = ["Plan", "Progress", "measure"]

_WARM_UP = 1.0
_STEPS = 9
"""Measurements that a search usually makes; only the progress is reckoned with it."""

Progress = Callable[[str, float], None]
"""Is told what is being done, and which share of the whole is done."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the user asked for; times in seconds."""

    connections: int
    seconds: float
    """Of each measurement."""
    limit: float
    """That p99 may take."""

    @property
    def whole(self) -> float:
        """About how long the test takes."""
        return _WARM_UP + (1 + _STEPS) * self.seconds


def measure(target: Target, bodies: Sequence[bytes], plan: Plan, progress: Progress) -> Report:
    """Measure a server that answers. Ctrl-C ends it, and so does the server: both are reported."""
    course = _Course(target, bodies, plan, progress)
    interrupted, problem = False, None
    try:
        course.run()
    except KeyboardInterrupt:
        interrupted = True
    except LoadTestError as error:
        problem = error
    return Report(
        url=target.url,
        bodies=len(bodies),
        connections=plan.connections,
        loads=tuple(course.loads),
        saturation=course.saturation,
        seen=course.seen,
        resident=course.resident,
        found=course.found,
        interrupted=interrupted,
        problem=problem,
    )


class _Course:
    """What is known so far."""

    def __init__(
        self, target: Target, bodies: Sequence[bytes], plan: Plan, progress: Progress
    ) -> None:
        self._target = target
        self._bodies = bodies
        self._plan = plan
        self._progress = progress
        self._done = 0.0
        self.loads: list[Load] = []
        self.saturation: Load | None = None
        self.seen: Seen | None = None
        self.resident: int | None = None
        self.found: Found | None = None

    def run(self) -> None:
        """All of it, as far as it goes."""
        self._judge(self._press("warming up", _WARM_UP))
        self._saturate()
        self._search()
        self._progress("done", 1.0)

    def _saturate(self) -> None:
        pids = processes.listening(self._target.host, self._target.port)
        before, begun = processes.used(pids), time.perf_counter()
        load = self._press_with_wrk() if wrk.installed() else None
        if load is None or (load.failed and not load.cut):
            # wrk does not tell statuses apart: what goes wrong is counted by our own generator.
            self._check_there()
            before, begun = processes.used(pids), time.perf_counter()
            load = self._press("saturating", self._plan.seconds)
        self.saturation = load
        self.seen = Seen(
            cores=processes.cores(),
            spent=processes.used(pids).since(before),
            seconds=time.perf_counter() - begun,
            memory=processes.memory(pids),
            free=processes.free_memory(),
        )
        self._judge(load)
        if not pids:
            self.resident = probe.resident_memory(self._target)

    def _search(self) -> None:
        assert self.saturation is not None  # noqa: S101 - run() saturates first
        top = self.saturation.rate
        if not top:
            return

        def at(rate: float) -> Load:
            name = f"asking {rate:,.0f} times a second"
            load = self._press(name, self._plan.seconds, generator.independent_clients(rate))
            self._judge(load)
            return load

        steps: list[Step] = []
        for step in highest_rate(at, top=top, limit=self._plan.limit):
            steps.append(step)
            self.found = Found(self._plan.limit, tuple(steps))

    def _press(self, name: str, seconds: float, arrivals: Iterator[float] | None = None) -> Load:
        load = generator.press(
            self._target,
            self._bodies,
            connections=self._plan.connections,
            seconds=seconds,
            arrivals=arrivals,
            tick=lambda elapsed: self._tell(name, elapsed),
        )
        self.loads.append(load)
        self._done += seconds
        return load

    def _press_with_wrk(self) -> Load:
        seconds = max(1, math.ceil(self._plan.seconds))
        counted = wrk.press(
            f"{self._target.url}/predict",
            self._bodies,
            connections=self._plan.connections,
            seconds=seconds,
            tick=lambda elapsed: self._tell("saturating", elapsed),
        )
        right = counted.requests - counted.refused
        load = Load(
            generator="wrk",
            seconds=counted.seconds,
            rate=right / counted.seconds,
            statuses={200: right} if right else {},
            broken=counted.broken + counted.refused,
            latency=Latency(counted.p50, counted.p90, counted.p99) if right else None,
            busy=counted.busy,
            cut=counted.cut,
        )
        if not load.failed or load.cut:
            self.loads.append(load)
            self._done += seconds
        return load

    def _tell(self, name: str, elapsed: float) -> None:
        self._progress(name, min(0.99, (self._done + elapsed) / self._plan.whole))

    def _judge(self, load: Load) -> None:
        """End the test after a load that was the last."""
        if load.cut:
            raise KeyboardInterrupt
        if load.gone:
            raise self._lost()
        self._check_there()

    def _check_there(self) -> None:
        if not probe.answers(self._target):
            raise self._lost()

    def _lost(self) -> LoadTestError:
        return LoadTestError(
            f"The server at {self._target.url} went away while it was measured",
            "Its log says why; fewer connections (--connections) may be what it bears.",
        )
