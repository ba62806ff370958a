"""scikit-learn's naive Bayes, centroids and dummies."""

from __future__ import annotations

from typing import Any

import numpy as np

from shipway.conversion.answer import Classified, no_converter
from shipway.conversion.dispatch import on_matrix
from shipway.conversion.sheet import Sheet

__all__ = ["CLASSIFIERS", "REGRESSORS"]


def _likeliest(sheet: Sheet, joint: str) -> Classified:
    """From the joint log likelihood (n, classes)."""
    return Classified(
        index=sheet.argmax(joint),
        probabilities=sheet.op("Softmax", joint, axis=1),
        decision=joint,
    )


def _gaussian(sheet: Sheet, model: Any, x: str) -> Classified:
    prior = np.log(model.class_prior_) - 0.5 * np.log(2.0 * np.pi * model.var_).sum(axis=1)
    rows = sheet.op("Unsqueeze", x, np.array([1]))
    away = sheet.op("Sub", rows, model.theta_[None])
    terms = sheet.op("Div", sheet.op("Mul", away, away), model.var_[None])
    total = sheet.reduce("ReduceSum", terms, 2)
    return _likeliest(sheet, sheet.op("Sub", prior[None], sheet.op("Mul", total, 0.5)))


def _multinomial(sheet: Sheet, model: Any, x: str) -> Classified:
    product = sheet.op("MatMul", x, np.ascontiguousarray(model.feature_log_prob_.T))
    return _likeliest(sheet, sheet.op("Add", product, model.class_log_prior_[None]))


def _complement(sheet: Sheet, model: Any, x: str) -> Classified:
    product = sheet.op("MatMul", x, np.ascontiguousarray(model.feature_log_prob_.T))
    if len(model.classes_) == 1:
        product = sheet.op("Add", product, model.class_log_prior_[None])
    return _likeliest(sheet, product)


def _bernoulli(sheet: Sheet, model: Any, x: str) -> Classified:
    if model.binarize is not None:
        x = sheet.cast(sheet.op("Greater", x, float(model.binarize)), "DOUBLE")
    absent = np.log(1 - np.exp(model.feature_log_prob_))
    product = sheet.op("MatMul", x, np.ascontiguousarray((model.feature_log_prob_ - absent).T))
    prior = model.class_log_prior_ + absent.sum(axis=1)
    return _likeliest(sheet, sheet.op("Add", product, prior[None]))


def _categorical(sheet: Sheet, model: Any, x: str) -> Classified:
    joint: str = sheet.const(model.class_log_prior_[None])
    codes = sheet.cast(x, "INT64")
    for column, logs in enumerate(model.feature_log_prob_):
        code = sheet.op("Gather", codes, column, axis=1)
        # A code beyond the table is an error here as it is in the original.
        below = sheet.op("Less", code, 0)
        code = sheet.op("Where", below, logs.shape[1], code)
        term = sheet.op("Gather", np.ascontiguousarray(logs.T), code, axis=0)
        joint = sheet.op("Add", joint, term)
    return _likeliest(sheet, joint)


def _centroid(sheet: Sheet, model: Any, x: str) -> Classified:
    if model.metric not in ("euclidean", "manhattan"):
        raise no_converter(model, f"metric={model.metric!r} is not supported")
    plain = bool(np.isclose(model.class_prior_, 1 / len(model.classes_)).all())
    centroids = np.asarray(model.centroids_, np.float64)
    spread = np.asarray(model.within_class_std_dev_, np.float64)
    spread = np.where(spread == 0, 1.0, spread)
    scaled = _away(sheet, model, sheet.op("Div", x, spread[None]), centroids / spread)
    squared = scaled if model.metric == "euclidean" else sheet.op("Mul", scaled, scaled)
    scores = sheet.op("Sub", 2.0 * np.log(model.class_prior_)[None], squared)
    nearest = _away(sheet, model, x, centroids)
    index = sheet.op("ArgMin", nearest, axis=1, keepdims=0) if plain else sheet.argmax(scores)
    if model.metric != "euclidean":  # then there are no probabilities either
        return Classified(index=index)
    return Classified(
        index=index, probabilities=sheet.op("Softmax", scores, axis=1), decision=scores
    )


def _away(sheet: Sheet, model: Any, x: str, points: Any) -> str:
    """Squared Euclidean, or Manhattan, distances (n, points)."""
    away = sheet.op("Sub", sheet.op("Unsqueeze", x, np.array([1])), points[None])
    if model.metric == "manhattan":
        return sheet.reduce("ReduceSum", sheet.op("Abs", away), 2)
    return sheet.reduce("ReduceSum", sheet.op("Mul", away, away), 2)


def _rows_of(sheet: Sheet, x: str, row: Any) -> str:
    """The same row for each row of ``x``."""
    count = sheet.op("Shape", x, start=0, end=1)
    shape = sheet.op("Concat", count, np.array([len(row)]), axis=0)
    return sheet.op("Expand", np.asarray(row, np.float64)[None], shape)


def _dummy_classifier(sheet: Sheet, model: Any, x: str) -> Classified:
    if model.strategy in ("stratified", "uniform"):
        raise no_converter(model, f"strategy={model.strategy!r} answers by chance")
    if model.n_outputs_ != 1:
        raise no_converter(model, "it has several outputs")
    prior = np.asarray(model.class_prior_, np.float64)
    chosen = int(np.argmax(prior))
    if model.strategy == "constant":
        chosen = int(np.flatnonzero(model.classes_ == model.constant)[0])
    if model.strategy != "prior":
        prior = np.eye(len(prior))[chosen]
    probabilities = _rows_of(sheet, x, prior)
    flat = sheet.flat(_rows_of(sheet, x, [float(chosen)]))
    return Classified(index=sheet.cast(flat, "INT64"), probabilities=probabilities)


def _dummy_regressor(sheet: Sheet, model: Any, x: str) -> str:
    return _rows_of(sheet, x, np.asarray(model.constant_, np.float64).ravel())


CLASSIFIERS = {
    "sklearn.BernoulliNB": on_matrix(_bernoulli),
    "sklearn.CategoricalNB": on_matrix(_categorical),
    "sklearn.ComplementNB": on_matrix(_complement),
    "sklearn.DummyClassifier": on_matrix(_dummy_classifier),
    "sklearn.GaussianNB": on_matrix(_gaussian),
    "sklearn.MultinomialNB": on_matrix(_multinomial),
    "sklearn.NearestCentroid": on_matrix(_centroid),
}
REGRESSORS = {"sklearn.DummyRegressor": on_matrix(_dummy_regressor)}
