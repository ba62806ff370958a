"""What one call of a model takes, measured before it serves."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from shipway.ports import Runtime

__all__ = ["SIZES", "Cost", "measure"]

SIZES = (1, 8, 64)
"""Rows in one call."""
BUDGET = 0.05
"""Seconds for each size; the first call counts even if it takes longer."""
MOST = 20
"""Calls of each size."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds that a call takes for each of ``SIZES``."""

    one: float
    few: float
    many: float

    def estimate(self, rows: int) -> float:
        """Seconds for a call with so many rows: between and beyond the sizes, a straight line."""
        if rows <= SIZES[1]:
            low, high, at, width = self.one, self.few, rows - SIZES[0], SIZES[1] - SIZES[0]
        else:
            low, high, at, width = self.few, self.many, rows - SIZES[1], SIZES[2] - SIZES[1]
        # Noise can make more rows look cheaper: they are not.
        return low + max(high - low, 0.0) * at / width


def measure(runtime: Runtime, *, clock: Callable[[], float] = time.perf_counter) -> Cost:
    """The median over a few calls for each size; infinite where the model fails on examples."""
    return Cost(*(_median(runtime, size, clock) for size in SIZES))


def _median(runtime: Runtime, size: int, clock: Callable[[], float]) -> float:
    rows = runtime.spec.signature.example_rows(size)
    taken: list[float] = []
    begun = clock()
    while len(taken) < MOST and (not taken or clock() - begun < BUDGET):
        start = clock()
        try:
            runtime.predict(rows)
        except Exception:  # noqa: BLE001 - a request with such a row will be told
            return float("inf")
        taken.append(clock() - start)
    return sorted(taken)[len(taken) // 2]
