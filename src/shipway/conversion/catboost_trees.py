"""CatBoost: the document that ``save_model(format="json")`` writes.

Borders are float32 and rows are rounded to it (``x > border``); leaf values are float64.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from shipway.conversion.answer import Classified, Table, no_converter, two_classes
from shipway.conversion.sheet import Sheet
from shipway.conversion.trees import Tree, as_float32, leaf_sums

__all__ = ["CLASSIFIERS", "REGRESSORS"]

LOG = ("Poisson", "Tweedie")


def _document(model: Any) -> Any:
    with tempfile.TemporaryDirectory(prefix="shipway-catboost-") as folder:
        path = Path(folder) / "model.json"
        model.save_model(str(path), format="json")
        return json.loads(path.read_bytes())


def _raw(sheet: Sheet, model: Any, table: Table) -> tuple[str, int, str]:
    """The sums before any link (n, outputs), their number and the loss."""
    if model.get_cat_feature_indices() or model.get_text_feature_indices():
        raise no_converter(
            model, "CatBoost keeps only hashes of its categories, which ONNX cannot compute"
        )
    document = _document(model)
    features = document["features_info"]["float_features"]
    place = {item["feature_index"]: item["flat_feature_index"] for item in features}
    true_for_missing = {
        item["feature_index"]: item.get("nan_value_treatment") == "AsTrue" for item in features
    }
    scale, biases = document["scale_and_bias"]
    width = max(len(biases), 1)
    trees = []
    for tree in document.get("oblivious_trees", ()):
        trees += _symmetric(tree, width, place, true_for_missing)
    for tree in document.get("trees", ()):
        trees += _nested(tree, width, place, true_for_missing)
    x = as_float32(sheet, table.matrix(sheet), refuse=False)
    total = leaf_sums(sheet, x, trees, width)
    scaled = total if scale == 1 else sheet.op("Mul", total, float(scale))
    loss = str(model.get_all_params().get("loss_function", "")).partition(":")[0]
    return sheet.op("Add", scaled, np.array([biases or [0.0]], np.float64)), width, loss


def _symmetric(
    tree: Any, width: int, place: dict[int, int], true_for_missing: dict[int, bool]
) -> list[Tree]:
    """A symmetric tree as a full binary one; for several outputs a tree for each.

    Bit i of a leaf's number is whether split i holds; the last split is the root here.
    """
    splits = tree["splits"] or []
    depth = len(splits)
    inner, leaves = 2**depth - 1, 2**depth
    order = [splits[depth - 1 - level] for level in range(depth) for _ in range(2**level)]
    number = np.arange(inner)
    left = np.full(inner + leaves, -1)
    right = np.full(inner + leaves, -1)
    left[:inner] = 2 * number + 1
    right[:inner] = 2 * number + 2
    values = np.asarray(tree["leaf_values"], np.float64).reshape(leaves, width)
    feature = np.array([place[split["float_feature_index"]] for split in order] + [0] * leaves)
    border = np.array([split["border"] for split in order] + [0.0] * leaves, np.float64)
    missing_right = [true_for_missing[split["float_feature_index"]] for split in order]
    return [
        Tree(
            feature=feature,
            threshold=border,
            left=left,
            right=right,
            values=np.concatenate([np.zeros(inner), values[:, target]]),
            missing_left=~np.array(missing_right + [True] * leaves, bool),
            target=target,
        )
        for target in range(width)
    ]


def _nested(
    root: Any, width: int, place: dict[int, int], true_for_missing: dict[int, bool]
) -> list[Tree]:
    """A tree of any shape (grow_policy Depthwise or Lossguide)."""
    nodes: list[Any] = [root]
    left, right = [], []
    for node in nodes:  # grows while it is walked
        inside = "split" in node
        left.append(len(nodes) if inside else -1)
        right.append(len(nodes) + 1 if inside else -1)
        nodes += [node["left"], node["right"]] if inside else []
    splits = [node.get("split") for node in nodes]
    columns = [split["float_feature_index"] if split else None for split in splits]
    leaves = [np.zeros(width) if split else np.ravel(node["value"]) for split, node in
              zip(splits, nodes, strict=True)]  # fmt: skip
    return [
        Tree(
            feature=np.array([0 if column is None else place[column] for column in columns]),
            threshold=np.array([split["border"] if split else 0.0 for split in splits]),
            left=np.array(left),
            right=np.array(right),
            values=np.array([float(leaf[target]) for leaf in leaves]),
            missing_left=np.array([c is not None and not true_for_missing[c] for c in columns]),
            target=target,
        )
        for target in range(width)
    ]


def _classifier(sheet: Sheet, model: Any, table: Table) -> Classified:
    raw, width, loss = _raw(sheet, model, table)
    if width == 1:
        return two_classes(sheet, raw)
    if loss == "MultiClassOneVsAll":
        shares = sheet.op("Sigmoid", raw)
        return Classified(index=sheet.argmax(raw), probabilities=shares)
    probabilities = sheet.op("Softmax", raw, axis=1)
    return Classified(index=sheet.argmax(raw), probabilities=probabilities)


def _regressor(sheet: Sheet, model: Any, table: Table) -> str:
    raw, _, loss = _raw(sheet, model, table)
    if loss == "RMSEWithUncertainty":
        raise no_converter(model, f"loss {loss} is not supported")
    return sheet.op("Exp", raw) if loss in LOG else raw


CLASSIFIERS = {"catboost.CatBoost": _classifier, "catboost.CatBoostClassifier": _classifier}
REGRESSORS = {"catboost.CatBoost": _regressor, "catboost.CatBoostRegressor": _regressor}
