"""The splits of a file's trees, and rows that stand on either side of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from shipway.conversion.trees import LESS, MEMBER

__all__ = ["Splits", "around", "operators", "read_splits", "rows_at_splits"]

Floats = npt.NDArray[np.float64]
Bounds = dict[int, tuple[float, float]]
"""Column → what leads there: above the first, at most the second."""
MOST_NODES_A_TREE = 4096


@dataclass(frozen=True, slots=True)
class Splits:
    """One TreeEnsemble that reads the model's own columns."""

    feature: npt.NDArray[np.int64]
    value: Floats
    mode: npt.NDArray[np.uint8]
    children: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
    """The nodes that follow on true and on false; -1: a leaf."""
    roots: npt.NDArray[np.int64]
    members: dict[int, list[float]]


def operators(model: bytes) -> set[str]:
    """The kinds of operators in an ONNX file."""
    import onnx

    return {node.op_type for node in onnx.load_from_string(model).graph.node}


def read_splits(model: bytes, rows: str) -> list[Splits]:
    """The tree ensembles of an ONNX file that read the input ``rows``, casts aside."""
    import onnx
    from onnx import helper, numpy_helper

    graph = onnx.load_from_string(model).graph
    same = {rows}
    found = []
    for node in graph.node:
        if node.op_type == "Cast" and node.input[0] in same:
            same.add(node.output[0])
        if node.op_type != "TreeEnsemble" or node.input[0] not in same:
            continue
        given = {item.name: helper.get_attribute_value(item) for item in node.attribute}
        mode = numpy_helper.to_array(given["nodes_modes"])
        ends = []
        for way in ("true", "false"):
            ids = np.array(given[f"nodes_{way}nodeids"])
            ends.append(np.where(np.array(given[f"nodes_{way}leafs"]) == 1, -1, ids))
        members: dict[int, list[float]] = {}
        if "membership_values" in given:
            values = iter(numpy_helper.to_array(given["membership_values"]).tolist())
            for number in np.flatnonzero(mode == MEMBER):
                members[int(number)] = list(_until_nan(values))
        found.append(
            Splits(
                np.array(given["nodes_featureids"]),
                numpy_helper.to_array(given["nodes_splits"]).astype(np.float64),
                mode,
                (ends[0], ends[1]),
                np.array(given["tree_roots"]),
                members,
            )
        )
    return found


def _until_nan(values: Iterator[float]) -> Iterator[float]:
    for value in values:
        if np.isnan(value):
            return
        yield value


def around(value: float) -> list[float]:
    """A number, its float64 and float32 neighbours, and itself as float32."""
    if not np.isfinite(value):
        return [float(np.copysign(1e300, value))]
    with np.errstate(over="ignore", under="ignore"):
        narrow = np.float32(value)
        near = [
            value,
            np.nextafter(value, -np.inf),
            np.nextafter(value, np.inf),
            float(narrow),
            float(np.nextafter(narrow, np.float32(-np.inf))),
            float(np.nextafter(narrow, np.float32(np.inf))),
        ]
    return [float(number) for number in near if np.isfinite(number)]


def rows_at_splits(
    splits: Sequence[Splits], base: Floats, budget: int, rng: np.random.Generator
) -> Floats:
    """Up to ``budget`` rows that reach a split and differ from its threshold by a last bit.

    Rows start as a random row of ``base``; the columns on the way to the split are moved as far
    as it takes to get there.
    """
    rows: list[Floats] = []
    trees = [(part, int(root)) for part in splits for root in part.roots]
    if not trees:
        return np.empty((0, base.shape[1]))
    share = max(2, budget // (6 * len(trees)) + 1)
    chosen = rng.permutation(len(trees))[: max(1, budget // 12)]
    for number in chosen:
        part, root = trees[number]
        paths = list(_paths(part, root))
        picked = rng.permutation(len(paths))[:share]
        for index in picked:
            node, bounds = paths[index]
            rows += _beside(part, node, bounds, base[rng.integers(len(base))])
        if len(rows) >= budget:
            break
    return np.array(rows[:budget]) if rows else np.empty((0, base.shape[1]))


def _paths(part: Splits, root: int) -> Iterator[tuple[int, Bounds]]:
    waiting: list[tuple[int, Bounds]] = [(root, {})]
    seen = 0
    while waiting and seen < MOST_NODES_A_TREE:
        node, bounds = waiting.pop()
        seen += 1
        yield node, bounds
        column = int(part.feature[node])
        low, high = bounds.get(column, (-np.inf, np.inf))
        for true, child in zip((True, False), part.children, strict=True):
            if child[node] < 0:
                continue
            narrowed = _narrowed(part, node, low, high, true=true)
            if narrowed is not None:
                waiting.append((int(child[node]), {**bounds, column: narrowed}))


def _narrowed(
    part: Splits, node: int, low: float, high: float, *, true: bool
) -> tuple[float, float] | None:
    value = float(part.value[node])
    if part.mode[node] == MEMBER:
        known = part.members[node]
        if true and known:
            return (float(np.nextafter(known[0], -np.inf)), known[0])
        beyond = max(known, default=0.0) + 1
        return (float(np.nextafter(beyond, -np.inf)), beyond)
    edge = float(np.nextafter(value, -np.inf)) if part.mode[node] == LESS else value
    low, high = (low, min(high, edge)) if true else (max(low, edge), high)
    return (low, high) if low < high else None


def _beside(part: Splits, node: int, bounds: Bounds, start: Floats) -> list[Any]:
    row = start.copy()
    for column, (low, high) in bounds.items():
        if not low < row[column] <= high:
            row[column] = _between(low, high)
    column = int(part.feature[node])
    values = part.members[node][:3] if part.mode[node] == MEMBER else around(part.value[node])
    rows = []
    for value in values:
        moved = row.copy()
        moved[column] = value
        rows.append(moved)
    return rows


def _between(low: float, high: float) -> float:
    if np.isfinite(low) and np.isfinite(high):
        middle = low + (high - low) / 2
        return middle if low < middle <= high else high
    if np.isfinite(high):
        return high - max(abs(high) * 0.01, 1e-3)
    return low + max(abs(low) * 0.01, 1e-3)
