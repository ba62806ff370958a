"""Decision trees whose nodes are followed without checks by compiled code.

scikit-learn walks from node to child until it meets a leaf: a child that points back makes
``predict`` run for ever, one that points outside makes it read foreign memory.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from shipway.model.scan.arrays import integer
from shipway.model.scan.values import Array, Call, Items, Table, Tup, Value

__all__ = ["KEYS", "OWNERS", "Forest", "nodes_trouble", "trouble"]

_TREE = "sklearn.tree._tree:Tree"
_PREDICTOR = "sklearn.ensemble._hist_gradient_boosting.predictor:TreePredictor"
KEYS = (_TREE, _PREDICTOR)
_HIST = "sklearn.ensemble._hist_gradient_boosting.gradient_boosting:HistGradientBoosting"
OWNERS = {
    **{f"sklearn.tree._classes:{kind}Tree{task}": "tree_"
       for kind in ("Decision", "Extra") for task in ("Classifier", "Regressor")},
    **{f"sklearn.ensemble._gb:GradientBoosting{task}": "estimators_"
       for task in ("Classifier", "Regressor")},
    **{_HIST + task: "_predictors" for task in ("Classifier", "Regressor")},
}  # fmt: skip
"""Estimators whose trees get their rows unchecked, and the attribute that holds the trees."""


def trouble(call: Call, state: Table) -> str:
    """What is wrong with the nodes in the state of a tree, or nothing."""
    key = call.callee.key
    if key not in (_TREE, _PREDICTOR):
        return ""
    nodes = _nodes(state.get("nodes"))
    if nodes is None:
        return "a tree without readable nodes"
    if key == _TREE:
        if integer(state.get("node_count")) != len(nodes):
            return "a tree that claims another number of nodes than it has"
        return nodes_trouble(nodes, call.args[0] if call.args else None)
    if not {"left", "right", "is_leaf", "feature_idx"} <= set(nodes.dtype.names or ()):
        return "a tree whose nodes have no children"
    return _children(nodes, nodes["is_leaf"] == 0, "left", "right")


class Forest:
    """An estimator whose compiled code hands rows of ``n_features_in_`` numbers to its trees."""

    def __init__(self, key: str, state: Table) -> None:
        self.name = key.replace(":", ".")
        self._width = integer(state.get("n_features_in_"))
        self._trees = state.get(OWNERS[key])

    def trouble(self) -> str:
        """What is wrong, told at the end: until then a list of trees may still grow."""
        waiting, seen = [self._trees], set[int]()
        while waiting:
            value = waiting.pop()
            if id(value) in seen:
                continue
            seen.add(id(value))
            if type(value) is Items or type(value) is Tup:
                waiting.extend(value.items)
            elif type(value) is Call and value.callee.key == _TREE:
                if self._width is None or integer(value.args[0]) != self._width:
                    return "a tree for rows of another width than its own"
            elif type(value) is Call and value.callee.key == _PREDICTOR:
                if trouble := self._predictor(value):
                    return trouble
            elif type(value) is Call:
                waiting.extend([*value.args, _inside(value.state)])
        return ""

    def _predictor(self, call: Call) -> str:
        nodes = _nodes(call.state.get("nodes")) if type(call.state) is Table else None
        if nodes is None or "is_leaf" not in (nodes.dtype.names or ()):
            return "a tree without readable nodes"
        return _features(nodes["feature_idx"][nodes["is_leaf"] == 0], self._width)


def _inside(state: Value) -> Value:
    return state.get("tree_") if type(state) is Table else state


def nodes_trouble(nodes: npt.NDArray[np.void], features: Value = 1 << 62) -> str:
    """What is wrong with the nodes of scikit-learn's ``Tree``, or nothing."""
    if not {"left_child", "right_child", "feature"} <= set(nodes.dtype.names or ()):
        return "a tree whose nodes have no children"
    inner = nodes["left_child"] != -1
    return _children(nodes, inner, "left_child", "right_child") or _features(
        nodes["feature"][inner], features
    )


def _nodes(value: Value) -> npt.NDArray[np.void] | None:
    if type(value) is Call and isinstance(value.fact, Array) and len(value.fact.shape) == 1:
        nodes = value.fact.numpy()
        return nodes if nodes is not None and nodes.dtype.names else None
    return None


def _children(
    nodes: npt.NDArray[np.void], inner: npt.NDArray[np.bool_], left: str, right: str
) -> str:
    if not len(nodes):
        return "a tree without nodes"
    own = np.flatnonzero(inner)
    for side in (left, right):
        child = nodes[side][inner]
        if child.dtype.kind not in "iu" or np.any(child <= own) or np.any(child >= len(nodes)):
            return "a tree whose nodes point backwards or outside"
    return ""


def _features(used: npt.NDArray[np.int64], count: Value) -> str:
    if type(count) is not int or (len(used) and (used.min() < 0 or used.max() >= count)):
        return "a tree that asks for a feature that its rows do not have"
    return ""
