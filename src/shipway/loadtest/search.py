"""The highest rate that keeps a promise, found by halving: pure, whoever measures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from shipway.loadtest.measured import Load

__all__ = ["Found", "Step", "highest_rate", "kept"]

_CLOSE = 0.05
"""The answer is within 5 % of the rate where the promise breaks; closer is noise."""
_MOST = 8
_TRIES = 2
"""One stall of the machine early on would halve the answer: a rate fails when it fails twice."""
_FORGIVEN = 0.001
"""Share of requests that may fail: a rate at which more are refused is no rate."""
_ON_TIME = 0.95
_BUSY = 0.9


@dataclass(frozen=True, slots=True)
class Step:
    """One rate that was tried."""

    rate: float
    """Requests a second that were due."""
    load: Load
    kept: bool
    late: bool
    """The generator could not send them on time, so that the server is not to blame."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the search came to."""

    limit: float
    """Seconds that p99 may take."""
    steps: tuple[Step, ...]

    @property
    def best(self) -> Step | None:
        """The highest rate that kept the promise; None when none did."""
        return max((step for step in self.steps if step.kept), key=_rate, default=None)

    @property
    def generator_was_the_limit(self) -> bool:
        """A higher rate failed by the generator: the server may do better."""
        best = self.best.rate if self.best else 0.0
        above = [step.rate for step in self.steps if step.rate > best]
        return any(step.late for step in self.steps if step.rate == min(above, default=None))


def highest_rate(measure: Callable[[float], Load], *, top: float, limit: float) -> Iterator[Step]:
    """Try rates up to ``top``, the rate at saturation, for a p99 of ``limit`` seconds."""
    low, high = 0.0, top
    for _ in range(_MOST):
        if high - low <= _CLOSE * high:
            return
        rate = (low + high) / 2
        for _ in range(_TRIES):
            load = measure(rate)
            step = Step(rate, load, kept(load, rate, limit), _late(load, limit))
            yield step
            if step.kept:
                break
        low, high = (rate, high) if step.kept else (low, rate)


def kept(load: Load, rate: float, limit: float) -> bool:
    """Whether p99 stayed within the limit, with hardly a failure and without a growing queue."""
    asked = sum(load.statuses.values()) + load.broken
    if load.latency is None or load.failed > _FORGIVEN * asked:
        return False
    # Few arrivals vary: three standard deviations of a Poisson count are no queue.
    due = rate * load.seconds
    return load.latency.p99 <= limit and load.right >= _ON_TIME * due - 3 * due**0.5


def _late(load: Load, limit: float) -> bool:
    return load.busy >= _BUSY or load.lag > limit / 2


def _rate(step: Step) -> float:
    return step.rate
