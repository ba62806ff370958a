"""What one load gave: counts, latencies, and how hard the generator itself had to work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Latency", "Load", "latency"]


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds from the moment a request was due to the end of its answer."""

    p50: float
    p90: float
    p99: float


@dataclass(frozen=True, slots=True)
class Load:
    """One load of some seconds."""

    generator: str
    seconds: float
    """How long requests were sent."""
    rate: float
    """Right answers (status 2xx) a second, those that came while requests were sent."""
    statuses: Mapping[int, int]
    """Answers by status, all of them."""
    broken: int
    """Requests that got no whole answer, and connections that were refused."""
    latency: Latency | None
    """Of right answers; None without one."""
    busy: float
    """Share of one core that the generator used; it has one thread."""
    lag: float = 0.0
    """Seconds that 99 % of requests were sent at most too late, although a connection was free."""
    gone: bool = False
    """No connection could be made any more."""
    cut: bool = False
    """Ended early by Ctrl-C."""

    @property
    def right(self) -> int:
        """Answers with status 2xx."""
        return sum(count for status, count in self.statuses.items() if status // 100 == 2)

    @property
    def failed(self) -> int:
        """Requests that got another answer, or none."""
        return sum(self.statuses.values()) - self.right + self.broken


def latency(seconds: Sequence[float]) -> Latency | None:
    """The percentiles of measured latencies."""
    if not len(seconds):
        return None
    return Latency(*np.percentile(np.asarray(seconds), (50, 90, 99)).tolist())
