"""scikit-learn's AdaBoost and bagging: over trees one TreeEnsemble, else part by part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from shipway.conversion.answer import Classified, Table, key_of
from shipway.conversion.dispatch import classify, on_matrix, regress
from shipway.conversion.sheet import Sheet
from shipway.conversion.sklearn_trees import sklearn_tree
from shipway.conversion.trees import Tree, as_float32, leaf_sums, tree_values

__all__ = ["CLASSIFIERS", "REGRESSORS"]

TREES = {
    "sklearn.DecisionTreeClassifier",
    "sklearn.DecisionTreeRegressor",
    "sklearn.ExtraTreeClassifier",
    "sklearn.ExtraTreeRegressor",
}


def _all_trees(estimators: Sequence[Any]) -> bool:
    return all(key_of(one) in TREES and one.n_outputs_ == 1 for one in estimators)


def _summed(sheet: Sheet, parts: Sequence[str]) -> str:
    total = parts[0]
    for part in parts[1:]:
        total = sheet.op("Add", total, part)
    return total


def _adaboost_classifier(sheet: Sheet, model: Any, x: str) -> Classified:
    count = len(model.classes_)
    votes = [
        weight * (np.eye(count) * (1 + 1 / (count - 1)) - 1 / (count - 1))
        for weight in model.estimator_weights_
    ]
    for vote, weight in zip(votes, model.estimator_weights_, strict=False):
        np.fill_diagonal(vote, weight)
    estimators = list(model.estimators_)
    places = [np.searchsorted(model.classes_, one.classes_) for one in estimators]
    if _all_trees(estimators):
        trees = []
        for one, vote, place in zip(estimators, votes, places, strict=False):
            tree = sklearn_tree(one)
            trees.append(replace(tree, values=vote[place[np.argmax(tree.values, axis=1)]]))
        total = leaf_sums(sheet, as_float32(sheet, x), trees, count)
    else:
        parts = [
            sheet.op("Gather", vote[place], classify(sheet, one, Table(x)).index)
            for one, vote, place in zip(estimators, votes, places, strict=False)
        ]
        total = _summed(sheet, parts)
    scores = sheet.op("Div", total, float(model.estimator_weights_.sum()))
    if count > 2:
        scaled = sheet.op("Div", scores, float(count - 1))
        probabilities = sheet.op("Softmax", scaled, axis=1)
        return Classified(index=sheet.argmax(scores), probabilities=probabilities, decision=scores)
    signed = sheet.op("Mul", scores, np.array([[-1.0, 1.0]]))
    decision = sheet.reduce("ReduceSum", signed, 1, keep=True)
    halves = sheet.op("Mul", decision, np.array([[-0.5, 0.5]]))
    flat = sheet.flat(decision)
    return Classified(
        index=sheet.cast(sheet.op("Greater", flat, 0.0), "INT64"),
        probabilities=sheet.op("Softmax", halves, axis=1),
        decision=flat,
    )


def _adaboost_regressor(sheet: Sheet, model: Any, x: str) -> str:
    """The weighted median of the estimators' answers."""
    estimators = list(model.estimators_)
    if _all_trees(estimators):
        trees = [sklearn_tree(one) for one in estimators]
        answers = tree_values(sheet, as_float32(sheet, x), trees)
    else:
        answers = sheet.concat([regress(sheet, one, Table(x)) for one in estimators])
    count = len(estimators)
    ordered, index = sheet.ops("TopK", answers, np.array([count]), outputs=2, axis=1, largest=0)
    weights = np.asarray(model.estimator_weights_[:count], np.float64)
    running = sheet.op("CumSum", sheet.op("Gather", weights, index), 1)
    half = sheet.op("Mul", sheet.columns(running, [count - 1]), 0.5)
    reached = sheet.cast(sheet.op("GreaterOrEqual", running, half), "INT32")
    place = sheet.op("ArgMax", reached, axis=1, keepdims=1)
    return sheet.op("GatherElements", ordered, place, axis=1)


def _bagged_trees(model: Any, width: int) -> list[Tree]:
    trees = []
    pairs = zip(model.estimators_, model.estimators_features_, strict=True)
    for one, features in pairs:
        tree = sklearn_tree(one)
        values = tree.values
        if width > 1 and values.shape[1] != width:  # a sample without some of the classes
            wide = np.zeros((len(values), width))
            wide[:, one.classes_.astype(int)] = values
            values = wide
        column = np.asarray(features)[np.maximum(tree.feature, 0)]
        trees.append(replace(tree, feature=column, values=values))
    return trees


def _bagging_classifier(sheet: Sheet, model: Any, x: str) -> Classified:
    count = len(model.classes_)
    if _all_trees(model.estimators_):
        total = leaf_sums(sheet, as_float32(sheet, x), _bagged_trees(model, count), count)
    else:
        parts = []
        for one, features in zip(model.estimators_, model.estimators_features_, strict=True):
            found = classify(sheet, one, _chosen(sheet, x, features, model))
            place = np.eye(count)[np.asarray(one.classes_, int)]
            if found.probabilities is None:
                parts.append(sheet.op("Gather", place, found.index))
            elif len(place) == count:
                parts.append(found.probabilities)
            else:
                parts.append(sheet.op("MatMul", found.probabilities, place))
        total = _summed(sheet, parts)
    probabilities = sheet.op("Div", total, float(model.n_estimators))
    return Classified(index=sheet.argmax(probabilities), probabilities=probabilities)


def _chosen(sheet: Sheet, x: str, features: Any, model: Any) -> Table:
    if list(features) == list(range(model.n_features_in_)):
        return Table(x)
    return Table(sheet.columns(x, features))


def _bagging_regressor(sheet: Sheet, model: Any, x: str) -> str:
    if _all_trees(model.estimators_):
        total = leaf_sums(sheet, as_float32(sheet, x), _bagged_trees(model, 1), 1)
    else:
        pairs = zip(model.estimators_, model.estimators_features_, strict=True)
        total = _summed(
            sheet, [regress(sheet, one, _chosen(sheet, x, f, model)) for one, f in pairs]
        )
    return sheet.op("Div", total, float(model.n_estimators))


CLASSIFIERS = {
    "sklearn.AdaBoostClassifier": on_matrix(_adaboost_classifier),
    "sklearn.BaggingClassifier": on_matrix(_bagging_classifier),
}
REGRESSORS = {
    "sklearn.AdaBoostRegressor": on_matrix(_adaboost_regressor),
    "sklearn.BaggingRegressor": on_matrix(_bagging_regressor),
}
