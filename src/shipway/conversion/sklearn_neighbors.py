"""scikit-learn's nearest neighbours: distances to all training rows, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np

from shipway.conversion.answer import Classified, no_converter
from shipway.conversion.dispatch import on_matrix
from shipway.conversion.kernels import squared_distances
from shipway.conversion.sheet import Sheet

__all__ = ["CLASSIFIERS", "REGRESSORS"]


def _distances(sheet: Sheet, model: Any, x: str) -> tuple[str, bool]:
    """Distances (n, training rows), and whether they are squared."""
    points = np.asarray(model._fit_X, np.float64)  # noqa: SLF001
    metric = model.effective_metric_
    if metric == "euclidean":
        return squared_distances(sheet, x, points, exact=True), True
    if metric not in ("manhattan", "cityblock", "l1", "chebyshev"):
        raise no_converter(model, f"metric={metric!r} is not supported")
    away = sheet.op("Sub", sheet.op("Unsqueeze", x, np.array([1])), points[None])
    kind = "ReduceMax" if metric == "chebyshev" else "ReduceSum"
    return sheet.reduce(kind, sheet.op("Abs", away), 2), False


def _nearest(sheet: Sheet, model: Any, x: str) -> tuple[str, str | None]:
    """Indices (n, k) of the neighbours, and their weights (n, k) unless all count the same."""
    distances, squared = _distances(sheet, model, x)
    count = np.array([model.n_neighbors])
    found, index = sheet.ops("TopK", distances, count, outputs=2, axis=1, largest=0)
    return index, _weights(sheet, model, found, squared)


def _weights(sheet: Sheet, model: Any, distances: str, squared: bool) -> str | None:
    if model.weights in (None, "uniform"):
        return None
    if model.weights != "distance":
        raise no_converter(model, "weights is a function of its own")
    away = sheet.op("Sqrt", distances) if squared else distances
    met = sheet.cast(sheet.op("Equal", away, 0.0), "DOUBLE")
    any_met = sheet.op("Greater", sheet.reduce("ReduceSum", met, 1, keep=True), 0.0)
    safe = sheet.op("Where", sheet.op("Equal", away, 0.0), 1.0, away)
    return sheet.op("Where", any_met, met, sheet.op("Div", 1.0, safe))


def _one_hot(model: Any) -> Any:
    labels = np.asarray(model._y)  # noqa: SLF001
    if model.outputs_2d_ or labels.ndim != 1:
        raise no_converter(model, "it has several outputs")
    return np.eye(len(model.classes_))[labels]


def _classifier(sheet: Sheet, model: Any, x: str) -> Classified:
    one_hot = _one_hot(model)
    index, weights = _nearest(sheet, model, x)
    votes = sheet.op("Gather", one_hot, index, axis=0)
    if weights is not None:
        votes = sheet.op("Mul", votes, sheet.op("Unsqueeze", weights, np.array([2])))
    total = sheet.reduce("ReduceSum", votes, 1)
    share = sheet.op("Div", total, sheet.reduce("ReduceSum", total, 1, keep=True))
    return Classified(index=sheet.argmax(total), probabilities=share)


def _targets(model: Any) -> Any:
    values = np.asarray(model._y, np.float64)  # noqa: SLF001
    return values.reshape(len(values), -1)


def _regressor(sheet: Sheet, model: Any, x: str) -> str:
    index, weights = _nearest(sheet, model, x)
    values = sheet.op("Gather", _targets(model), index, axis=0)
    if weights is None:
        return sheet.reduce("ReduceMean", values, 1)
    parts = sheet.op("Mul", values, sheet.op("Unsqueeze", weights, np.array([2])))
    total = sheet.reduce("ReduceSum", weights, 1, keep=True)
    return sheet.op("Div", sheet.reduce("ReduceSum", parts, 1), total)


def _within(sheet: Sheet, model: Any, x: str) -> str:
    """The weight of each training row, zero outside the radius: (n, training rows)."""
    distances, squared = _distances(sheet, model, x)
    radius = float(model.radius)
    inside = sheet.op("LessOrEqual", distances, radius * radius if squared else radius)
    if model.weights in (None, "uniform"):
        return sheet.cast(inside, "DOUBLE")
    weights = _weights(sheet, model, distances, squared)
    return sheet.op("Where", inside, weights or 1.0, 0.0)


def _radius_classifier(sheet: Sheet, model: Any, x: str) -> Classified:
    one_hot = _one_hot(model)
    count = one_hot.shape[1]
    total = sheet.op("MatMul", _within(sheet, model, x), one_hot)
    sums = sheet.reduce("ReduceSum", total, 1, keep=True)
    alone = sheet.op("Equal", sums, 0.0)
    index = sheet.argmax(total)
    outliers = np.zeros((1, count))
    label = model.outlier_label_
    if label is None:
        # The original refuses a row without neighbours: an index that does not exist does too.
        index = sheet.op("Where", sheet.flat(alone), np.array([count]), index)
    else:
        found = np.flatnonzero(model.classes_ == label[0])
        if not len(found):
            raise no_converter(model, "outlier_label is none of the classes")
        outliers[0, found[0]] = 1.0
        index = sheet.op("Where", sheet.flat(alone), found[:1], index)
    share = sheet.op("Div", total, sheet.op("Where", alone, 1.0, sums))
    return Classified(index=index, probabilities=sheet.op("Where", alone, outliers, share))


def _radius_regressor(sheet: Sheet, model: Any, x: str) -> str:
    weights = _within(sheet, model, x)
    total = sheet.reduce("ReduceSum", weights, 1, keep=True)
    # A row without neighbours is 0 / 0: not a number, as in the original.
    return sheet.op("Div", sheet.op("MatMul", weights, _targets(model)), total)


CLASSIFIERS = {
    "sklearn.KNeighborsClassifier": on_matrix(_classifier),
    "sklearn.RadiusNeighborsClassifier": on_matrix(_radius_classifier),
}
REGRESSORS = {
    "sklearn.KNeighborsRegressor": on_matrix(_regressor),
    "sklearn.RadiusNeighborsRegressor": on_matrix(_radius_regressor),
}
