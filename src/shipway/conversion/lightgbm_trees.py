"""LightGBM: the document that ``Booster.dump_model`` gives. All of it is float64."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from shipway.conversion.answer import Classified, Table, no_converter, two_classes
from shipway.conversion.categories import with_codes
from shipway.conversion.sheet import Sheet
from shipway.conversion.trees import LESS_OR_EQUAL, MEMBER, Tree, leaf_sums

__all__ = ["CLASSIFIERS", "REGRESSORS"]

LOG = ("poisson", "gamma", "tweedie")
JSON_INFINITY = 1e300
PLAIN = (
    "regression", "regression_l1", "huber", "fair", "quantile", "mape", "lambdarank",
    "rank_xendcg", "custom",
)  # fmt: skip


def _raw(sheet: Sheet, model: Any, table: Table) -> tuple[str, int, list[str]]:
    """The sums before any link (n, outputs), their number and the words of the objective."""
    booster = model if type(model).__name__ == "Booster" else model.booster_
    best = booster.best_iteration if booster.best_iteration > 0 else None
    document = booster.dump_model(num_iteration=best)
    width = int(document["num_tree_per_iteration"])
    trees = []
    by_code: set[int] = set()
    for number, info in enumerate(document["tree_info"]):
        trees.append(_tree(model, info["tree_structure"], number % width, by_code))
    known = dict(zip(sorted(_categorical(document)), document.get("pandas_categorical") or [],
                     strict=False))  # fmt: skip
    x = with_codes(sheet, table, known)
    loose = sorted(by_code - known.keys())
    if loose:
        x = _whole(sheet, x, loose, len(document["feature_names"]))
    total = leaf_sums(sheet, x, trees, width)
    if document.get("average_output"):
        total = sheet.op("Div", total, len(trees) / width)
    return total, width, str(document.get("objective", "custom")).split()


def _categorical(document: Any) -> list[int]:
    """The columns that were pandas categoricals."""
    infos = document.get("feature_infos") or {}
    found = [name for name, info in infos.items() if info.get("values")]
    return [document["feature_names"].index(name) for name in found]


def _whole(sheet: Sheet, x: str, columns: list[int], width: int) -> str:
    """LightGBM cuts the fraction off a category's code; below zero it is missing."""
    marked = np.zeros((1, width), bool)
    marked[0, columns] = True
    lost = sheet.op("Or", sheet.op("IsNaN", x), sheet.op("Less", x, 0.0))
    cut = sheet.op("Where", lost, float("nan"), sheet.op("Floor", x))
    return sheet.op("Where", marked, cut, x)


def _tree(model: Any, root: Any, target: int, by_code: set[int]) -> Tree:
    nodes: list[Any] = []
    ends: list[list[int]] = []
    waiting = [(root, -1, 0)]
    while waiting:
        node, parent, side = waiting.pop()
        number = len(nodes)
        nodes.append(node)
        ends.append([-1, -1])
        if parent >= 0:
            ends[parent][side] = number
        if "split_index" in node:
            waiting.append((node["right_child"], number, 1))
            waiting.append((node["left_child"], number, 0))
    members: dict[int, list[float]] = {}
    columns = {name: np.zeros(len(nodes)) for name in ("feature", "threshold", "value", "left")}
    modes = np.full(len(nodes), LESS_OR_EQUAL, np.uint8)
    for number, node in enumerate(nodes):
        if "split_index" not in node:
            columns["value"][number] = node["leaf_value"]
            continue
        columns["feature"][number] = node["split_feature"]
        if node["decision_type"] == "==":
            modes[number] = MEMBER
            members[number] = [float(code) for code in str(node["threshold"]).split("||")]
            by_code.add(node["split_feature"])
            continue
        columns["threshold"][number] = _threshold(node["threshold"])
        columns["left"][number] = _missing_left(model, node)
    return Tree(
        feature=columns["feature"].astype(np.int64),
        threshold=columns["threshold"],
        left=np.array([left for left, _ in ends]),
        right=np.array([right for _, right in ends]),
        values=columns["value"],
        missing_left=columns["left"].astype(bool),
        mode=modes,
        members=members,
        target=target,
    )


def _threshold(value: float) -> float:
    """The document has 1e300 where the model has infinity, which JSON cannot hold."""
    return value if abs(value) < JSON_INFINITY else math.copysign(math.inf, value)


def _missing_left(model: Any, node: Any) -> bool:
    if node["missing_type"] == "None":  # a missing value counts as zero
        return bool(node["threshold"] >= 0)
    if node["missing_type"] == "Zero":
        raise no_converter(model, "zero_as_missing is not supported")
    return bool(node["default_left"])


def _classifier(sheet: Sheet, model: Any, table: Table) -> Classified:
    raw, width, objective = _raw(sheet, model, table)
    if objective[0] == "multiclass":
        probabilities = sheet.op("Softmax", raw, axis=1)
        return Classified(index=sheet.argmax(probabilities), probabilities=probabilities)
    if objective[0] not in ("binary", "cross_entropy", "multiclassova"):
        raise no_converter(model, f"objective {objective[0]} is not supported")
    slopes = [float(word[8:]) for word in objective if word.startswith("sigmoid:")]
    scaled = sheet.op("Mul", raw, slopes[0]) if slopes and slopes[0] != 1 else raw
    if width > 1:
        shares = sheet.op("Sigmoid", scaled)
        return Classified(index=sheet.argmax(shares), probabilities=shares)
    return two_classes(sheet, scaled)


def _regressor(sheet: Sheet, model: Any, table: Table) -> str:
    raw, _, objective = _raw(sheet, model, table)
    if objective[0] in LOG:
        return sheet.op("Exp", raw)
    if objective[0] == "cross_entropy":
        return sheet.op("Sigmoid", raw)
    if objective[0] not in PLAIN:
        raise no_converter(model, f"objective {objective[0]} is not supported")
    if "sqrt" in objective:
        return sheet.op("Mul", sheet.op("Sign", raw), sheet.op("Mul", raw, raw))
    return raw


CLASSIFIERS = {"lightgbm.Booster": _classifier, "lightgbm.LGBMClassifier": _classifier}
REGRESSORS = {
    "lightgbm.Booster": _regressor,
    "lightgbm.LGBMRanker": _regressor,
    "lightgbm.LGBMRegressor": _regressor,
}
