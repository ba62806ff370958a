"""Decision trees as the ONNX operator TreeEnsemble (``ai.onnx.ml`` 5), in double precision.

Thresholds keep their decisions: they are written as the float64 numbers that the original
compares with, and rows are compared as what the original compares: a library that rounds its
input to float32 gets a cast to float32 in front, one that does not gets none. Leaf values are
added in the order of the trees, in float64, so that even votes that tie by rounding alone tie,
or do not, as in the original.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from shipway.conversion.sheet import ML, Sheet

__all__ = [
    "LESS",
    "LESS_OR_EQUAL",
    "MEMBER",
    "Tree",
    "as_float32",
    "constant",
    "leaf_sums",
    "tree_values",
]

LESS_OR_EQUAL, LESS, MEMBER = 0, 1, 6
SUM, NO_TRANSFORM = 1, 0
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """One tree, node by node; the root is node 0.

    ``left`` and ``right``: the children, -1 in a leaf; a row goes left when its value compares
    with ``threshold`` as ``mode`` says. ``missing_left``: where NaN goes. ``values``: (nodes,)
    or (nodes, targets), read in leaves. ``members``: for nodes of mode MEMBER, the codes that go
    left. ``target``: the column of the answer that a tree of single values adds to.
    """

    feature: Ints
    threshold: Floats
    left: Ints
    right: Ints
    values: Floats
    missing_left: npt.NDArray[np.bool_] | None = None
    mode: int | npt.NDArray[np.uint8] = LESS_OR_EQUAL
    members: Mapping[int, Sequence[float]] | None = None
    target: int = 0

    @property
    def leaves(self) -> Ints:
        """The leaves' node numbers."""
        return np.flatnonzero(self.left < 0)


def constant(value: float, target: int = 0) -> Tree:
    """A tree of one leaf: what a sum begins with."""
    none = np.array([-1])
    return Tree(
        feature=none, threshold=np.zeros(1), left=none, right=none,
        values=np.array([value]), target=target,
    )  # fmt: skip


def as_float32(sheet: Sheet, x: str, *, refuse: bool = True) -> str:
    """The float64 values that are left of a row when it went through float32.

    With ``refuse``, a row with a number beyond float32 is refused, as scikit-learn does.
    """
    narrow = sheet.cast(x, "FLOAT")
    if refuse:
        infinite = sheet.cast(sheet.op("IsInf", narrow), "INT64")
        sheet.refuse(sheet.reduce("ReduceMax", infinite, 1))
    return sheet.cast(narrow, "DOUBLE")


def leaf_sums(
    sheet: Sheet, x: str, trees: Sequence[Tree], targets: int, *, single: bool = False
) -> str:
    """The sum of the leaf values that each row meets, (n, targets), added in tree order.

    ``single``: rows, thresholds and sums are float32, for a library that adds in float32.
    """
    if trees[0].values.ndim == 1:
        leaves = [tree.values[tree.leaves] for tree in trees]
        columns = [tree.target for tree in trees]
        return _ensemble(sheet, x, trees, leaves, columns, targets, single=single)
    if targets == 1:
        leaves = [tree.values[tree.leaves, 0] for tree in trees]
        return _ensemble(sheet, x, trees, leaves, [0] * len(trees), 1)
    if targets == 2 and _votes_are_exact(trees):
        # Sums of such fractions are exact in any order: one column tells the other.
        leaves = [tree.values[tree.leaves, 1] for tree in trees]
        second = _ensemble(sheet, x, trees, leaves, [0] * len(trees), 1)
        return sheet.concat([sheet.op("Sub", float(len(trees)), second), second])
    return _gathered(sheet, x, trees)


def tree_values(sheet: Sheet, x: str, trees: Sequence[Tree]) -> str:
    """Each tree's own value, (n, trees)."""
    leaves = [tree.values.reshape(len(tree.left), -1)[tree.leaves, 0] for tree in trees]
    return _ensemble(sheet, x, trees, leaves, list(range(len(trees))), len(trees))


def _votes_are_exact(trees: Sequence[Tree]) -> bool:
    """Whether leaves hold (1 - p, p) with p a small multiple of a power of two."""
    for tree in trees:
        values = tree.values[tree.leaves]
        scaled = values * 2**20
        if (scaled != np.rint(scaled)).any() or (values.sum(axis=1) != 1.0).any():
            return False
    return True


def _gathered(sheet: Sheet, x: str, trees: Sequence[Tree]) -> str:
    """Each tree says its leaf's number; a table gives the values, which are added in order."""
    numbers: list[Floats] = []
    start = 0
    for tree in trees:
        numbers.append(np.arange(start, start + len(tree.leaves), dtype=np.float64))
        start += len(tree.leaves)
    found = _ensemble(sheet, x, trees, numbers, list(range(len(trees))), len(trees))
    table = np.concatenate([tree.values[tree.leaves] for tree in trees])
    index = sheet.cast(found, "INT32")
    if len(trees) == 1:
        return sheet.op("Gather", table, sheet.flat(index))
    running = sheet.op("CumSum", sheet.op("Gather", table, index), 1)
    return sheet.op("Gather", running, len(trees) - 1, axis=1)


def _ensemble(
    sheet: Sheet,
    x: str,
    trees: Sequence[Tree],
    leaves: Sequence[Floats],
    targets: Sequence[int],
    width: int,
    *,
    single: bool = False,
) -> str:
    from onnx import numpy_helper

    parts: list[dict[str, npt.NDArray[Any]]] = []
    nodes = leaf = 0
    for tree, weights, target in zip(trees, leaves, targets, strict=True):
        part = _flat(tree, nodes, leaf)
        part["leaf_targetids"] = np.full(len(weights), target)
        part["leaf_weights"] = weights
        parts.append(part)
        nodes += len(part["nodes_featureids"])
        leaf += len(weights)
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    real = np.float32 if single else np.float64
    tensors = {"nodes_splits": real, "leaf_weights": real, "nodes_modes": np.uint8}
    attributes: dict[str, Any] = {
        name: numpy_helper.from_array(values.astype(tensors[name]))
        if name in tensors
        else values.tolist()
        for name, values in joined.items()
    }
    members = attributes.pop("members")
    if members:
        attributes["membership_values"] = numpy_helper.from_array(np.array(members, real))
    if not any(attributes["nodes_missing_value_tracks_true"]):
        del attributes["nodes_missing_value_tracks_true"]
    return sheet.op(
        "TreeEnsemble",
        x,
        domain=ML,
        aggregate_function=SUM,
        post_transform=NO_TRANSFORM,
        n_targets=width,
        **attributes,
    )


def _flat(tree: Tree, nodes: int, leaf: int) -> dict[str, npt.NDArray[Any]]:
    """The inner nodes of a tree whose first node and leaf get the given numbers."""
    if tree.left[0] < 0:  # the operator has no tree that is one leaf: both ways lead there
        tree = Tree(
            feature=np.zeros(3, np.int64),
            threshold=np.zeros(3),
            left=np.array([1, -1, -1]),
            right=np.array([1, -1, -1]),
            values=tree.values,
        )
    inner = tree.left >= 0
    index = np.flatnonzero(inner)
    number = np.where(inner, nodes + np.cumsum(inner) - 1, leaf + np.cumsum(~inner) - 1)
    left, right = tree.left[index], tree.right[index]
    modes = np.broadcast_to(np.asarray(tree.mode, np.uint8), inner.shape)[index].copy()
    missing = np.zeros(len(inner), bool) if tree.missing_left is None else tree.missing_left
    threshold = tree.threshold[index]
    members: list[float] = []
    for place in np.flatnonzero(modes == MEMBER):
        codes = (tree.members or {}).get(int(index[place]), ())
        if codes:
            members += [*codes, np.nan]
        else:  # an empty set is not allowed: nothing is at most minus infinity either
            modes[place], threshold[place] = LESS_OR_EQUAL, -np.inf
    return {
        "nodes_featureids": tree.feature[index],
        "nodes_splits": threshold,
        "nodes_modes": modes,
        "nodes_missing_value_tracks_true": missing[index].astype(np.int64),
        "nodes_truenodeids": number[left],
        "nodes_falsenodeids": number[right],
        "nodes_trueleafs": (~inner[left]).astype(np.int64),
        "nodes_falseleafs": (~inner[right]).astype(np.int64),
        "tree_roots": np.array([nodes]),
        "members": np.array(members, dtype=np.float64),
    }
