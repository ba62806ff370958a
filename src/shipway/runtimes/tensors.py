"""Models that answer with bare numbers: what their columns mean, decided once at loading.

A network's output says nothing of its meaning. One column is a regressor's value; several are
the scores of classes, unless shipway.toml says otherwise ([signature] task, classes). Scores that
are probabilities in every trial row (within [0, 1], summing to one) are taken as they are, others
go through a softmax (one column declared a classifier: a sigmoid).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from shipway.errors import SettingError, UnsupportedModelError
from shipway.model.signature import Declared, Feature, Label, Outputs, Rows, Signature
from shipway.runtimes.draft import Answer, Draft, Task
from shipway.runtimes.outputs import as_outputs, from_probabilities

__all__ = ["Scores", "in_batches", "interpret", "narrow", "trial_rows"]

Scores = Callable[[Rows], npt.NDArray[Any]]
"""Rows of shape (n, features) → the model's output, (n,) or (n, k)."""


def trial_rows(count: int) -> Rows:
    """A few different rows: zeros, ones, and values spread around them."""
    steps = np.linspace(-1.0, 1.0, count) if count > 1 else np.zeros(1)
    rows = [np.zeros(count), np.ones(count), steps, -steps, 0.5 + steps / 3, 3 * steps]
    return np.array(rows)


def interpret(
    scores: Scores, features: tuple[Feature, ...] | None, declared: Declared, *, named: bool
) -> tuple[Draft, Callable[[Signature], Answer]]:
    """The draft of a model of bare numbers, and how to bind its prediction.

    Raises:
        shipway.errors.UnsupportedModelError: an output that is no row of numbers.
        shipway.errors.SettingError: more or fewer classes declared than there are scores.
    """
    count = len(features) if features is not None else len(declared.features)
    if not count:
        draft = Draft(task=declared.task or "regressor", features=None, missing="no")
        return draft, lambda _signature: lambda rows: as_outputs(scores(rows))
    output = scores(trial_rows(count))
    if output.ndim not in (1, 2):
        raise UnsupportedModelError(
            f"The model answers {len(trial_rows(count))} rows with an array of shape "
            f"{output.shape}",
            "A model must give one number, or one list of numbers, for each row.",
        )
    width = 1 if output.ndim == 1 else output.shape[1]
    task: Task = declared.task or ("classifier" if width > 1 or declared.classes else "regressor")
    classes = _classes(width, declared) if task == "classifier" else None
    draft = Draft(
        task=task,
        features=features,
        named=named,
        classes=classes,
        indexed=True,
        confidence=task == "classifier",
        missing="no",
    )
    probable = _are_probabilities(output)

    def bind(signature: Signature) -> Answer:
        if signature.classes is None:
            return lambda rows: as_outputs(scores(rows))
        return _classifier(scores, as_outputs(signature.classes).predictions, probable=probable)

    return draft, bind


def _classes(width: int, declared: Declared) -> tuple[Label, ...]:
    count = max(width, 2)
    if declared.classes and len(declared.classes) != count:
        raise SettingError(
            f"classes in section [signature] lists {len(declared.classes)} labels, "
            f"but the model gives scores for {count}",
            "List the labels in the order of the model's output.",
        )
    return declared.classes or tuple(range(count))


def _are_probabilities(output: npt.NDArray[Any]) -> bool:
    within = bool(((output >= 0) & (output <= 1)).all())
    if output.ndim == 1 or output.shape[1] == 1:
        return within
    return within and bool(np.allclose(output.sum(axis=1), 1, atol=1e-3))


def _classifier(scores: Scores, classes: npt.NDArray[Any], *, probable: bool) -> Answer:
    def answer(rows: Rows) -> Outputs:
        output = scores(rows).astype(np.float64)
        if output.ndim == 1 or output.shape[1] == 1:
            one = output.reshape(len(output))
            one = one if probable else 1 / (1 + np.exp(-np.clip(one, -700, 700)))
            output = np.stack([1 - one, one], axis=1)
        elif not probable:
            output = np.exp(output - output.max(axis=1, keepdims=True))
            output /= output.sum(axis=1, keepdims=True)
        return from_probabilities(output, classes)

    return answer


def narrow(rows: Rows, dtype: Any) -> npt.NDArray[Any]:
    """The rows in a model's own type of number.

    Raises:
        ValueError: a number becomes infinite or is cut, in the words of scikit-learn.
    """
    kind = np.dtype(dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        values = rows.astype(kind)
    if kind.kind == "f" and not np.array_equal(np.isfinite(values), np.isfinite(rows)):
        raise ValueError(f"A number is too large for {kind.name}")
    if kind.kind in "iu" and not np.array_equal(values, rows):
        raise ValueError(f"The model takes whole numbers ({kind.name})")
    return values


def in_batches(scores: Scores, size: int) -> Scores:
    """For a model of a fixed batch size: rows in batches of it, the last one filled up."""

    def batched(rows: Rows) -> npt.NDArray[Any]:
        parts = []
        for first in range(0, len(rows), size):
            part = rows[first : first + size]
            fill = np.repeat(part[-1:], size - len(part), axis=0)
            parts.append(scores(np.concatenate([part, fill]))[: len(part)])
        return np.concatenate(parts)

    return batched
