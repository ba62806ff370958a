"""One honest model: how to fit it, what to ask it, and how two answers are compared."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse

METHODS = (
    "predict",
    "predict_proba",
    "decision_function",
    "transform",
    "score_samples",
    "kneighbors",
)
FITTED = ("labels_", "embedding_", "row_labels_", "covariance_")


@dataclass(frozen=True)
class Case:
    """``build`` gives a fitted model and the rows to ask it."""

    id: str
    build: Callable[[], tuple[Any, Any]]


@contextmanager
def quiet() -> Iterator[None]:
    """No warnings: these models are tiny, and whether they converge is no matter here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def fitted(identity: str, model: Any, rows: Any, target: Any = None, **fit: Any) -> Case:
    """A case that fits ``model`` on all of ``rows`` and asks it the first ten."""

    def build() -> tuple[Any, Any]:
        with quiet():
            if target is None:
                model.fit(rows, **fit)
            else:
                model.fit(rows, target, **fit)
        return model, rows[:10]

    return Case(identity, build)


def answers(model: Any, rows: Any) -> dict[str, Any]:
    """Everything that the model says of the rows; never empty."""
    said: dict[str, Any] = {}
    with quiet():
        for method in METHODS:
            if not hasattr(model, method):
                continue
            said[method] = getattr(model, method)(rows)
        for attribute in FITTED:
            if hasattr(model, attribute):
                said[attribute] = getattr(model, attribute)
    assert said, f"nothing to compare on {model!r}"
    return said


def assert_same(left: Any, right: Any) -> None:
    """The two answers are equal to the last bit."""
    if isinstance(left, dict):
        assert left.keys() == right.keys()
        for key in left:
            assert_same(left[key], right[key])
    elif isinstance(left, list | tuple):
        assert len(left) == len(right)
        for one, other in zip(left, right, strict=True):
            assert_same(one, other)
    elif scipy.sparse.issparse(left):
        np.testing.assert_array_equal(left.toarray(), right.toarray())
    else:
        assert type(left) is type(right)
        np.testing.assert_array_equal(np.asarray(left), np.asarray(right))
