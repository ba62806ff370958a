"""scikit-learn's trees, forests and boosting.

A scikit-learn tree rounds its input to float32 and compares it with float64 thresholds
(``sklearn/tree/_tree.pyx``); HistGradientBoosting compares float64 with float64.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from shipway.conversion.answer import Classified, Table, no_converter, two_classes
from shipway.conversion.dispatch import on_matrix, transform
from shipway.conversion.sheet import Sheet
from shipway.conversion.trees import LESS_OR_EQUAL, MEMBER, Tree, as_float32, leaf_sums

__all__ = ["CLASSIFIERS", "REGRESSORS", "sklearn_tree"]


def sklearn_tree(fitted: Any, scale: float = 1.0, target: int | None = None) -> Tree:
    """The ``tree_`` of a fitted tree; ``target`` None keeps the vector of each leaf."""
    inner = fitted.tree_
    values = inner.value[:, 0, :] * scale
    missing = getattr(inner, "missing_go_to_left", None)
    return Tree(
        feature=inner.feature.astype(np.int64),
        threshold=inner.threshold.astype(np.float64),
        left=inner.children_left.astype(np.int64),
        right=inner.children_right.astype(np.int64),
        values=values if target is None else values[:, 0],
        missing_left=None if missing is None else np.asarray(missing, bool),
        target=target or 0,
    )


def _single_output(model: Any) -> None:
    if getattr(model, "n_outputs_", 1) != 1:
        raise no_converter(model, "it has several outputs")


def _tree_classifier(sheet: Sheet, model: Any, x: str) -> Classified:
    _single_output(model)
    trees = [sklearn_tree(model)]
    probabilities = leaf_sums(sheet, as_float32(sheet, x), trees, len(model.classes_))
    return Classified(index=sheet.argmax(probabilities), probabilities=probabilities)


def _forest_classifier(sheet: Sheet, model: Any, x: str) -> Classified:
    _single_output(model)
    trees = [sklearn_tree(one) for one in model.estimators_]
    total = leaf_sums(sheet, as_float32(sheet, x), trees, len(model.classes_))
    probabilities = sheet.op("Div", total, float(len(trees)))
    return Classified(index=sheet.argmax(probabilities), probabilities=probabilities)


def _tree_regressor(sheet: Sheet, model: Any, x: str) -> str:
    _single_output(model)
    return leaf_sums(sheet, as_float32(sheet, x), [sklearn_tree(model)], 1)


def _forest_regressor(sheet: Sheet, model: Any, x: str) -> str:
    _single_output(model)
    trees = [sklearn_tree(one) for one in model.estimators_]
    total = leaf_sums(sheet, as_float32(sheet, x), trees, 1)
    return sheet.op("Div", total, float(len(trees)))


def _boosted(sheet: Sheet, model: Any, x: str) -> str:
    """The raw scores of GradientBoosting, (n, 1) or (n, classes)."""
    width = model.estimators_.shape[1]
    trees = [
        sklearn_tree(one, model.learning_rate, target)
        for stage in model.estimators_
        for target, one in enumerate(stage)
    ]
    # The first guess depends on the row only for an estimator given as ``init``.
    if not (model.init_ == "zero" or type(model.init_).__name__.startswith("Dummy")):
        raise no_converter(model, "it starts from an estimator of its own (init)")
    rows = np.zeros((1, model.n_features_in_), np.float32)
    first = np.asarray(model._raw_predict_init(rows), np.float64).reshape(1, width)  # noqa: SLF001
    return sheet.op("Add", leaf_sums(sheet, as_float32(sheet, x), trees, width), first)


def _boosting_classifier(sheet: Sheet, model: Any, x: str) -> Classified:
    raw = _boosted(sheet, model, x)
    if model.estimators_.shape[1] > 1:
        probabilities = sheet.op("Softmax", raw, axis=1)
        return Classified(index=sheet.argmax(raw), probabilities=probabilities, decision=raw)
    scaled = sheet.op("Mul", raw, 2.0) if model.loss == "exponential" else raw
    return two_classes(sheet, raw, sheet.op("Sigmoid", scaled), tie=1)


def _hist_trees(model: Any) -> list[Tree]:
    trees = []
    for stage in model._predictors:  # noqa: SLF001
        for target, predictor in enumerate(stage):
            nodes = predictor.nodes
            leaf = nodes["is_leaf"].astype(bool)
            by_set = nodes["is_categorical"].astype(bool)
            trees.append(
                Tree(
                    feature=nodes["feature_idx"].astype(np.int64),
                    threshold=nodes["num_threshold"].astype(np.float64),
                    left=np.where(leaf, -1, nodes["left"].astype(np.int64)),
                    right=np.where(leaf, -1, nodes["right"].astype(np.int64)),
                    values=nodes["value"].astype(np.float64),
                    missing_left=nodes["missing_go_to_left"].astype(bool),
                    mode=np.where(by_set & ~leaf, MEMBER, LESS_OR_EQUAL).astype(np.uint8),
                    members={
                        int(node): _codes(predictor.raw_left_cat_bitsets[nodes["bitset_idx"][node]])
                        for node in np.flatnonzero(by_set & ~leaf)
                    },
                    target=target,
                )
            )
    return trees


def _codes(bits: Any) -> list[float]:
    return [
        word * 32.0 + bit for word in range(8) for bit in range(32) if int(bits[word]) >> bit & 1
    ]


def _hist_raw(sheet: Sheet, model: Any, table: Table) -> str:
    # Its own encoder turns an unknown category into a missing value.
    encoder = getattr(model, "_preprocessor", None)
    x = (table if encoder is None else transform(sheet, encoder, table)).matrix(sheet)
    first = np.asarray(model._baseline_prediction, np.float64).reshape(1, -1)  # noqa: SLF001
    return sheet.op("Add", leaf_sums(sheet, x, _hist_trees(model), first.shape[1]), first)


def _hist_classifier(sheet: Sheet, model: Any, table: Table) -> Classified:
    raw = _hist_raw(sheet, model, table)
    if len(model.classes_) > 2:
        probabilities = sheet.op("Softmax", raw, axis=1)
        return Classified(index=sheet.argmax(raw), probabilities=probabilities, decision=raw)
    return two_classes(sheet, raw)


def _hist_regressor(sheet: Sheet, model: Any, table: Table) -> str:
    raw = _hist_raw(sheet, model, table)
    return sheet.op("Exp", raw) if model.loss in ("poisson", "gamma") else raw


CLASSIFIERS = {
    "sklearn.DecisionTreeClassifier": on_matrix(_tree_classifier),
    "sklearn.ExtraTreeClassifier": on_matrix(_tree_classifier),
    "sklearn.RandomForestClassifier": on_matrix(_forest_classifier),
    "sklearn.ExtraTreesClassifier": on_matrix(_forest_classifier),
    "sklearn.GradientBoostingClassifier": on_matrix(_boosting_classifier),
    "sklearn.HistGradientBoostingClassifier": _hist_classifier,
}
REGRESSORS = {
    "sklearn.DecisionTreeRegressor": on_matrix(_tree_regressor),
    "sklearn.ExtraTreeRegressor": on_matrix(_tree_regressor),
    "sklearn.RandomForestRegressor": on_matrix(_forest_regressor),
    "sklearn.ExtraTreesRegressor": on_matrix(_forest_regressor),
    "sklearn.GradientBoostingRegressor": on_matrix(_boosted),
    "sklearn.HistGradientBoostingRegressor": _hist_regressor,
}
