"""Counts of many things at once, for metrics that are added up per batch.

prometheus_client counts one thing at a time, and looks each bucket and label up anew: for a batch
of 16 requests that is 40 µs, a tenth of all that the server does for them.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter as Tally
from collections.abc import Sequence
from typing import Any

import numpy as np
from prometheus_client import Counter, Histogram

from shipway.model.signature import Label

__all__ = ["BulkHistogram", "ClassCounts"]

FEW = 64
"""Values; below, plain Python is quicker than numpy."""
_MOST_CLASSES = 50


class BulkHistogram(Histogram):
    """A histogram that takes many values at once; NaN is not counted."""

    def observe_one(self, value: float) -> None:
        """Count a finite value."""
        self._buckets[bisect_left(self._upper_bounds, value)].inc(1.0)
        self._sum.inc(value)

    def observe_many(self, values: Sequence[float] | np.ndarray[Any, Any]) -> None:
        """Count each value; the infinite ones are in the buckets, not in the sum."""
        if len(values) <= FEW:
            plain = values.tolist() if isinstance(values, np.ndarray) else values
            counts, total = self._count_few(plain)
        else:
            counts, total = self._count_array(np.asarray(values))
        for place, count in counts:
            self._buckets[place].inc(float(count))
        # A sum that overflowed once would never come back.
        if math.isfinite(total):
            self._sum.inc(total)

    def _count_few(self, values: Sequence[float]) -> tuple[list[tuple[int, int]], float]:
        bounds = self._upper_bounds
        places = Tally([bisect_left(bounds, value) for value in values if value == value])
        total = sum(values)
        if not math.isfinite(total):
            total = sum(value for value in values if math.isfinite(value))
        return list(places.items()), total

    def _count_array(self, values: np.ndarray[Any, Any]) -> tuple[list[tuple[int, int]], float]:
        kept = values[~np.isnan(values)]
        places = np.searchsorted(self._upper_bounds, kept, side="left")
        counts = np.bincount(places, minlength=len(self._upper_bounds))
        with np.errstate(over="ignore"):
            total = float(kept[np.isfinite(kept)].sum())
        return [(int(place), int(counts[place])) for place in np.flatnonzero(counts)], total


class ClassCounts:
    """Predictions by class; classes that the model did not announce share the label "other"."""

    def __init__(self, counter: Counter, classes: Sequence[Label]) -> None:
        self._counter = counter
        self._known = {_label(label) for label in classes[:_MOST_CLASSES]}
        self._children: dict[object, Counter] = {}

    def add(self, values: Sequence[Any]) -> None:
        """Count plain predictions."""
        for value, count in Tally(values).items():
            child = self._children.get(value)
            if child is None:
                child = self._child(value)
            child.inc(count)

    def _child(self, value: object) -> Counter:
        text = _label(value)
        if text not in self._known:
            return self._counter.labels("other")
        # Kept for announced classes alone: anything else may be different every time.
        child = self._children[value] = self._counter.labels(text)
        return child


def _label(label: object) -> str:
    """A class as a metric label: the number 1, however it was stored, is "1"."""
    if isinstance(label, bool):
        return "true" if label else "false"
    if isinstance(label, float) and label.is_integer():
        return str(int(label))
    return str(label)
