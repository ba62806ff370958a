"""Rows that are made to find out where a converted model answers otherwise than its original."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from shipway.conversion.ranges import Ranges
from shipway.conversion.splits import Splits, around, rows_at_splits
from shipway.model.signature import Rows, Signature

__all__ = ["Group", "Labelled", "boundaries", "jumps", "made_rows"]

SEED = 20_260_101
TYPICAL, WIDE, AT_SPLITS = 512, 256, 12_000
PAIRS, HALVINGS, TO_THE_LAST_BIT = 64, 30, 70
REAL_JUMP = 1e-6
FAR = 1e6

EDGES = (
    0.0, -0.0, 1e-45, -1e-45, 1.1754943508222875e-38, 2.0**24 + 1, 0.1, float(np.float32(0.1)),
    1e15 + 0.3, 3.4028234663852886e38, -3.4028234663852886e38, 3.5e38, 1e300,
)  # fmt: skip
"""Least and largest numbers of float32, numbers that it cannot hold, and numbers beyond it."""

STRANGE_TEXTS = ("", " ", "no such category", "ß𝄞", "a" * 300, "nan", "None", "0")

Labelled = Callable[[Rows], tuple[npt.NDArray[Any], npt.NDArray[np.float64]]]
"""Rows → labels (or values) and numbers, (n,) each; NaN where the original refuses the row."""


@dataclass(frozen=True, slots=True)
class Group:
    """Rows of one kind: "split thresholds", "missing values" …."""

    name: str
    rows: Rows


def made_rows(
    signature: Signature, ranges: Ranges, splits: Sequence[Splits], *, distances: bool
) -> list[Group]:
    """Groups of rows of shape (n, features); the same for the same model.

    ``distances``: the model compares distances. Very far away they round to ties, which the
    original breaks by chance: then no row lies farther out than a million spreads.
    """
    rng = np.random.default_rng(SEED)
    count = len(signature.features)
    normal = ranges.centre + ranges.spread * rng.normal(size=(TYPICAL, count))
    wide = ranges.centre + 10 * ranges.spread * rng.normal(size=(WIDE, count))
    whole = np.rint(np.abs(normal[:64]))
    small = rng.integers(0, 4, size=(64, count)).astype(np.float64)
    groups = [
        ("rows like the training data", np.concatenate([normal, ranges.points])),
        ("rows far from it", wide),
        ("whole numbers", np.concatenate([whole, small])),
        ("split thresholds", rows_at_splits(splits, normal, AT_SPLITS, rng)),
        ("edges of float32", _edges(normal[0], normal[1])),
    ]
    if distances:
        reach = FAR * ranges.spread
        groups[-1] = ("edges of float32", _within(groups[-1][1], ranges.centre, reach))
    filled = [Group(name, _with_texts(signature, rows, rng)) for name, rows in groups if len(rows)]
    return [
        *filled,
        *_categories(signature, filled[0].rows),
        *_missing(signature, filled[0].rows, rng),
    ]


def _edges(*bases: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    columns = range(len(bases[0]))
    step = max(1, len(bases[0]) // 64)
    rows = []
    for base in bases:
        for column in list(columns)[::step]:
            for value in EDGES:
                row = base.copy()
                row[column] = value
                rows.append(row)
    rows += [np.full(len(bases[0]), value) for value in EDGES[:9]]
    return np.array(rows)


def _within(
    rows: npt.NDArray[np.float64],
    centre: npt.NDArray[np.float64],
    reach: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    near = (np.abs(rows - centre) <= reach).all(axis=1)
    return np.asarray(rows[near])


def _with_texts(
    signature: Signature, rows: npt.NDArray[np.float64], rng: np.random.Generator
) -> Rows:
    if signature.numeric:
        return rows
    mixed = rows.astype(object)
    for index, feature in enumerate(signature.features):
        if feature.kind == "string":
            known = feature.categories or ((str(feature.example or ""),))
            mixed[:, index] = [known[i] for i in rng.integers(len(known), size=len(rows))]
    return mixed


def _categories(signature: Signature, base: Rows) -> list[Group]:
    known: list[Any] = []
    unknown: list[Any] = []
    for index, feature in enumerate(signature.features):
        if feature.kind != "string":
            continue
        for target, values in ((known, feature.categories), (unknown, STRANGE_TEXTS)):
            for number, value in enumerate(values):
                row = base[number % len(base)].copy()
                row[index] = value
                target.append(row)
    pairs = (("known categories", known), ("unknown categories", unknown))
    return [Group(name, np.array(rows, dtype=object)) for name, rows in pairs if rows]


def _missing(signature: Signature, base: Rows, rng: np.random.Generator) -> list[Group]:
    may = np.array([feature.missing for feature in signature.features])
    if not may.any():
        return []
    nothing = np.nan if signature.numeric else None
    rows = []
    for index in np.flatnonzero(may)[:256]:
        for start in rng.integers(len(base), size=4):
            row = base[start].copy()
            row[index] = nothing
            rows.append(row)
    holes = base[rng.integers(len(base), size=256)].copy()
    holes[(rng.random(holes.shape) < 0.4) & may] = nothing
    every = base[0].copy()
    every[may] = nothing
    return [Group("missing values", np.concatenate([np.array(rows), holes, every[None]]))]


def boundaries(
    signature: Signature, base: Rows, ask: Labelled, *, halvings: int = HALVINGS
) -> Group | None:
    """Rows on both sides of where the original changes its label, about 1e-9 apart.

    Fewer ``halvings`` are right for a network: its float32 sums have six digits in all.
    """
    if signature.task != "classifier" or not signature.numeric:
        return None
    labels, numbers = ask(base)
    usable = np.flatnonzero(~np.isnan(numbers))
    first, second = _pairs(labels, usable)
    if not len(first):
        return None
    low, high = base[first].copy(), base[second].copy()
    low_labels = labels[first]
    for _ in range(halvings):
        middle = low + (high - low) / 2
        found, _ = ask(middle)
        same = found == low_labels
        low = np.where(same[:, None], middle, low)
        high = np.where(same[:, None], high, middle)
    return Group("decision boundaries", np.concatenate([low, high]))


def _pairs(labels: npt.NDArray[Any], usable: npt.NDArray[Any]) -> tuple[Any, Any]:
    rng = np.random.default_rng(SEED)
    if len(usable) < 2:
        return np.array([], int), np.array([], int)
    first, second = rng.choice(usable, 2000), rng.choice(usable, 2000)
    differ = np.flatnonzero(labels[first] != labels[second])[:PAIRS]
    return first[differ], second[differ]


def jumps(signature: Signature, base: Rows, ask: Labelled, *, exact: bool) -> Group | None:
    """Rows at which the original's answer jumps, found by halving without a look at the model.

    ``exact``: to the last bit of one column, which only a model decides alike that computes
    nothing before it compares but sums and products of single columns. Others (a kernel before a
    vote) round sums in another order: there, rows are 1e-9 of their distance apart.
    """
    if not signature.numeric or len(base) < 2:
        return None
    rng = np.random.default_rng(SEED)
    size = 4 * PAIRS
    column = rng.integers(base.shape[1], size=size)
    low = base[rng.integers(len(base), size=size)].copy()
    high = low.copy()
    here = np.arange(size)
    high[here, column] = base[rng.integers(len(base), size=size), column]
    start, end = ask(low)[1], ask(high)[1]
    with np.errstate(invalid="ignore"):
        keep = np.abs(start - end) > REAL_JUMP
    low, high, column, start, end = low[keep], high[keep], column[keep], start[keep], end[keep]
    here = np.arange(len(low))
    if not len(low):
        return None
    for _ in range(TO_THE_LAST_BIT if exact else HALVINGS):
        middle = low.copy()
        a, b = low[here, column], high[here, column]
        middle[here, column] = a + (b - a) / 2
        value = ask(middle)[1]
        near = np.abs(value - start) <= np.abs(value - end)
        low, start = np.where(near[:, None], middle, low), np.where(near, value, start)
        high, end = np.where(near[:, None], high, middle), np.where(near, end, value)
    real = np.abs(start - end) > REAL_JUMP
    rows = []
    for row, index in zip(low[real], column[real], strict=True):
        for near_value in around(float(row[index])) if exact else [float(row[index])]:
            moved = row.copy()
            moved[index] = near_value
            rows.append(moved)
    rows += list(high[real])
    return Group("jumps of the answer", np.array(rows)) if rows else None
