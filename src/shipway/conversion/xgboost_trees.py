"""XGBoost: the booster's own JSON document (its schema is part of XGBoost's documentation).

XGBoost compares float32 with float32 thresholds (``x < t``) and adds float32 leaf values to the
base score in the order of the trees; so does the TreeEnsemble here.
"""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np

from shipway.conversion.answer import Classified, Table, no_converter
from shipway.conversion.categories import with_codes
from shipway.conversion.sheet import Sheet
from shipway.conversion.trees import LESS, MEMBER, Tree, constant, leaf_sums

__all__ = ["CLASSIFIERS", "REGRESSORS"]

LOGISTIC = ("binary:logistic", "reg:logistic", "binary:logitraw")
LOG = ("count:poisson", "reg:gamma", "reg:tweedie", "survival:cox", "survival:aft")
PLAIN = (
    "reg:squarederror", "reg:squaredlogerror", "reg:pseudohubererror", "reg:absoluteerror",
    "reg:linear", "rank:pairwise", "rank:ndcg", "rank:map", "binary:logitraw", "binary:hinge",
)  # fmt: skip


def _learner(model: Any) -> tuple[Any, Any]:
    booster = model if type(model).__name__ == "Booster" else model.get_booster()
    document = json.loads(bytes(booster.save_raw(raw_format="json")))
    return booster, document["learner"]


def _margins(sheet: Sheet, model: Any, table: Table) -> tuple[str, int, str]:
    """The sums before any link, float32 (n, outputs), their number and the objective."""
    booster, learner = _learner(model)
    objective = learner["objective"]["name"]
    parameters = learner["learner_model_param"]
    width = max(int(parameters.get("num_class", 0)), 1)
    if int(parameters.get("num_target", 1)) > 1:
        raise no_converter(model, "it has several outputs")
    gradient = learner["gradient_booster"]
    weights = gradient.get("weight_drop")
    gradient = gradient.get("gbtree", gradient)
    if "model" not in gradient or "trees" not in gradient["model"]:
        raise no_converter(model, f"booster {gradient.get('name')} is not supported")
    inner = gradient["model"]
    count = _tree_count(model, booster, learner, inner)
    starts = _starts(parameters["base_score"], objective, width)
    trees = [constant(start, target) for target, start in enumerate(starts)]
    for number, (tree, target) in enumerate(
        zip(inner["trees"][:count], inner["tree_info"][:count], strict=True)
    ):
        trees.append(_tree(model, tree, target, weights[number] if weights else 1.0))
    x = sheet.cast(with_codes(sheet, table, _known(inner, booster)), "FLOAT")
    return leaf_sums(sheet, x, trees, width, single=True), width, objective


def _tree_count(model: Any, booster: Any, learner: Any, inner: Any) -> int:
    """Trees that are asked: those up to the best round after an early stop."""
    best = booster.attr("best_iteration")
    own = type(model).__name__ != "Booster" and getattr(model, "early_stopping_rounds", None)
    if best is None or not (own or "scikit_learn" in learner.get("attributes", {})):
        return len(inner["trees"])
    pointer = inner.get("iteration_indptr")
    if not pointer:
        raise no_converter(model, "it does not say which trees its best round has")
    return int(pointer[min(int(best) + 1, len(pointer) - 1)])


def _starts(text: str, objective: str, width: int) -> list[float]:
    values = np.array(json.loads(text) if text.startswith("[") else [float(text)], np.float32)
    if objective in LOGISTIC:
        values = -np.log(1.0 / values - 1.0, dtype=np.float32)
    elif objective in LOG:
        values = np.log(values, dtype=np.float32)
    return [float(value) for value in np.broadcast_to(values, (width,))]


def _known(inner: Any, booster: Any) -> dict[int, tuple[str, ...]]:
    """Texts that stand for categories, by column."""
    if "c" not in (booster.feature_types or []):
        return {}
    known = {}
    for index, column in enumerate((inner.get("cats") or {}).get("enc", [])):
        offsets = column.get("offsets")
        if offsets and len(offsets) > 1:
            raw = bytes(value & 255 for value in column["values"])
            pairs = itertools.pairwise(offsets)
            known[index] = tuple(raw[a:b].decode("utf-8", "replace") for a, b in pairs)
    return known


def _tree(model: Any, tree: Any, target: int, weight: float) -> Tree:
    if int(tree["tree_param"].get("size_leaf_vector", 1)) > 1:
        raise no_converter(model, "its leaves are vectors")
    left, right = np.array(tree["left_children"]), np.array(tree["right_children"])
    threshold = np.array(tree["split_conditions"], np.float32)
    default_left = np.array(tree["default_left"], bool)
    leaf = left < 0
    kinds = np.array(tree.get("split_type") or np.zeros(len(left)), int)
    by_set = (kinds == 1) & ~leaf
    members = {}
    places = zip(
        tree.get("categories_nodes", []),
        tree.get("categories_segments", []),
        tree.get("categories_sizes", []),
        strict=True,
    )
    for node, start, size in places:
        # The codes of a split go right here, and to the true branch of the operator.
        members[node] = [float(code) for code in tree["categories"][start : start + size]]
    values = (threshold * np.float32(weight)).astype(np.float64)
    return Tree(
        feature=np.array(tree["split_indices"]),
        threshold=threshold.astype(np.float64),
        left=np.where(leaf, -1, np.where(by_set, right, left)),
        right=np.where(leaf, -1, np.where(by_set, left, right)),
        values=values,
        missing_left=np.where(by_set, ~default_left, default_left),
        mode=np.where(by_set, MEMBER, LESS).astype(np.uint8),
        members=members,
        target=target,
    )


def _classifier(sheet: Sheet, model: Any, table: Table) -> Classified:
    margins, width, objective = _margins(sheet, model, table)
    if width > 1:
        if not objective.startswith("multi:soft"):
            raise no_converter(model, f"objective {objective} is not supported")
        probabilities = sheet.cast(sheet.op("Softmax", margins, axis=1), "DOUBLE")
        return Classified(index=sheet.argmax(probabilities), probabilities=probabilities)
    if objective in ("binary:logitraw", "binary:hinge"):
        flat = sheet.flat(margins)
        return Classified(index=sheet.cast(sheet.op("Greater", flat, np.float32(0)), "INT64"))
    if objective not in LOGISTIC:
        raise no_converter(model, f"objective {objective} is not supported")
    second = _sigmoid(sheet, margins)
    first = sheet.op("Sub", np.float32(1), second)
    index = sheet.cast(sheet.op("Greater", sheet.flat(second), np.float32(0.5)), "INT64")
    return Classified(
        index=index, probabilities=sheet.cast(sheet.concat([first, second]), "DOUBLE")
    )


def _sigmoid(sheet: Sheet, margins: str) -> str:
    """In float64, then rounded: at most a last bit from what XGBoost computes in float32."""
    return sheet.cast(sheet.op("Sigmoid", sheet.cast(margins, "DOUBLE")), "FLOAT")


def _regressor(sheet: Sheet, model: Any, table: Table) -> str:
    margins, _, objective = _margins(sheet, model, table)
    if objective in LOG:
        margins = sheet.op("Exp", margins)
    elif objective == "reg:logistic":
        margins = _sigmoid(sheet, margins)
    elif objective not in PLAIN:
        raise no_converter(model, f"objective {objective} is not supported")
    return sheet.cast(margins, "DOUBLE")


CLASSIFIERS = {
    "xgboost.Booster": _classifier,
    "xgboost.XGBClassifier": _classifier,
    "xgboost.XGBRFClassifier": _classifier,
}
REGRESSORS = {
    "xgboost.Booster": _regressor,
    "xgboost.XGBRegressor": _regressor,
    "xgboost.XGBRFRegressor": _regressor,
    "xgboost.XGBRanker": _regressor,
}
