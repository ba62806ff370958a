"""Linear models and the scaler in front of them, without what surrounds their few sums.

Each method of scikit-learn looks at its input anew, and ``predict`` and ``predict_proba`` both work
the same scores out: of 430 µs for a row, the numbers themselves take 10. Here a row is looked at
once for each step. The operations are those of scikit-learn 1.9, in their order, so that the bits
are the same; what they give on trial rows has to equal the model's own answer before they are used.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from shipway.model.signature import Outputs
from shipway.runtimes.outputs import as_outputs

__all__ = ["scaled", "scored", "weighed"]

Numbers = npt.NDArray[np.float64]

TRIED = 16
"""Rows on which the answers have to be equal."""


def scaled(step: Any) -> Callable[[Any], Any] | None:
    """A StandardScaler's ``transform``; None when it is no such step."""
    from sklearn.preprocessing import StandardScaler

    if type(step) is not StandardScaler or not _takes_arrays(step):
        return None
    own, width = step.transform, step.n_features_in_
    mean = step.mean_ if step.with_mean else None
    scale = step.scale_ if step.with_std else None

    def transform(given: Any) -> Any:
        if not _plain(given, width):
            return own(given)
        if mean is not None:
            given = given - mean
        return given if scale is None else given / scale

    rows = _trial(width)
    return transform if _equal(own(rows), transform(rows)) else None


def weighed(model: Any) -> Callable[[Any], Any] | None:
    """A linear regressor's ``predict``; None when it is no such model."""
    from sklearn.linear_model import LinearRegression, Ridge

    known = (LinearRegression.predict, Ridge.predict)
    if getattr(type(model), "predict", None) not in known or not _has_weights(model):
        return None
    own, width, sums = model.predict, model.n_features_in_, _sums(model)

    def predict(given: Any) -> Any:
        return sums(given) if _plain(given, width) else own(given)

    rows = _trial(width)
    return predict if _equal(own(rows), predict(rows)) else None


def scored(model: Any) -> Callable[[Any], Outputs] | None:
    """A logistic regression's labels and probabilities, from the same scores; or None."""
    if not _is_logistic(model) or not _has_weights(model):
        return None
    width, sums = model.n_features_in_, _sums(model)
    classes = np.asarray(model.classes_)
    rate = _of_two if len(model.coef_) == 1 else _of_many

    def answer(given: Any) -> Outputs:
        if not _plain(given, width):
            return as_outputs(model.predict(given), model.predict_proba(given))
        best, probabilities = rate(sums(given))
        return as_outputs(classes[best], probabilities)

    rows = _trial(width)
    ours, own = answer(rows), as_outputs(model.predict(rows), model.predict_proba(rows))
    same = _equal(ours.predictions, own.predictions)
    return answer if same and _equal(ours.probabilities, own.probabilities) else None


def _is_logistic(model: Any) -> bool:
    from sklearn.linear_model import LogisticRegression
    from sklearn.linear_model._base import LinearClassifierMixin

    return isinstance(model, LogisticRegression) and all(
        getattr(type(model), name) is getattr(source, name)
        for name, source in (
            ("decision_function", LinearClassifierMixin),
            ("predict", LinearClassifierMixin),
            ("predict_proba", LogisticRegression),
        )
    )


def _of_two(scores: Numbers) -> tuple[npt.NDArray[np.intp], Numbers]:
    from scipy.special import expit

    column = scores[:, 0]
    sure = expit(column)
    return (column > 0).astype(np.intp), np.stack([1 - sure, sure], axis=1)


def _of_many(scores: Numbers) -> tuple[npt.NDArray[np.intp], Numbers]:
    best = np.argmax(scores, axis=1)
    scores -= scores.max(axis=1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=1, keepdims=True)
    return best, scores


def _sums(model: Any) -> Callable[[Numbers], Numbers]:
    weights, offset = model.coef_.T, model.intercept_
    return lambda rows: rows @ weights + offset


def _has_weights(model: Any) -> bool:
    return _takes_arrays(model) and isinstance(model.coef_, np.ndarray)


def _takes_arrays(part: Any) -> bool:
    """Whether a part takes and gives plain arrays, not frames."""
    return not hasattr(part, "feature_names_in_") and not hasattr(part, "_sklearn_output_config")


def _plain(given: Any, width: int) -> bool:
    """Whether nothing in the rows can be refused, or be missing."""
    return (
        isinstance(given, np.ndarray)
        and given.dtype == np.float64
        and given.ndim == 2
        and given.shape[1] == width
        and bool(np.isfinite(given).all())
    )


def _trial(width: int) -> Numbers:
    return np.random.default_rng(0).normal(scale=10, size=(TRIED, width))


def _equal(some: Any, others: Any) -> bool:
    return some.dtype == others.dtype and np.array_equal(some, others)
