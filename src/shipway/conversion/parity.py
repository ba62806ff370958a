"""The proof: the original and the converted model answer the same rows, and are compared.

Labels are equal on every row; probabilities differ by at most the tolerance; a value of a
regressor by at most the tolerance times its scale, which is its own size or, if larger, the
median size of all answers. A row that one of the two refuses is refused by the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from shipway.conversion.rows import Group
from shipway.errors import InputError, PredictionError
from shipway.model.signature import Outputs, Rows

__all__ = ["Answers", "Difference", "GroupResult", "ask_all", "compare"]

Predict = Callable[[Rows], Outputs]
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Answers:
    """What a model says of n rows; ``refused`` (n,) marks rows that it does not answer."""

    refused: npt.NDArray[np.bool_]
    predictions: npt.NDArray[Any]
    probabilities: npt.NDArray[np.float64] | None


@dataclass(frozen=True, slots=True)
class Difference:
    """One row on which the two disagree, and how."""

    group: str
    row: tuple[Any, ...]
    original: Any
    converted: Any
    why: str


@dataclass(frozen=True, slots=True)
class GroupResult:
    """One kind of rows compared. ``largest`` is the largest difference of numbers, relative."""

    name: str
    rows: int
    refused: int
    """Rows that both refuse."""
    different: int
    largest: float
    differences: tuple[Difference, ...]


def ask_all(predict: Predict, rows: Rows) -> Answers:
    """All answers; rows that are refused are found by halving."""
    parts = _ask(predict, rows)
    refused = np.concatenate([np.full(count, part is None) for part, count in parts])
    known = next((part for part, _ in parts if part is not None), None)
    if known is None:
        return Answers(refused, np.full(len(rows), np.nan), None)
    predictions = np.empty((len(rows), *known.predictions.shape[1:]), object)
    width = None if known.probabilities is None else known.probabilities.shape[1]
    probabilities = None if width is None else np.full((len(rows), width), np.nan)
    place = 0
    for part, count in parts:
        if part is not None:
            predictions[place : place + count] = part.predictions
            if probabilities is not None:
                probabilities[place : place + count] = part.probabilities
        place += count
    return Answers(refused, predictions, probabilities)


def _ask(predict: Predict, rows: Rows) -> list[tuple[Outputs | None, int]]:
    try:
        return [(predict(rows), len(rows))]
    except (InputError, PredictionError):
        if len(rows) == 1:
            return [(None, 1)]
    middle = len(rows) // 2
    return [*_ask(predict, rows[:middle]), *_ask(predict, rows[middle:])]


def compare(
    group: Group, original: Predict, converted: Predict, *, tolerance: float, labels: bool
) -> GroupResult:
    """Both models on the rows of a group; ``labels`` tells a classifier."""
    a, b = ask_all(original, group.rows), ask_all(converted, group.rows)
    judged = [_refusals(a, b)]
    both = ~a.refused & ~b.refused
    largest = 0.0
    if both.any() and labels:
        judged.append(("the labels differ", both & (a.predictions != b.predictions)))
        if a.probabilities is not None and b.probabilities is not None:
            far = _distance(a.probabilities, b.probabilities, 1.0)
            largest = _largest(far, both)
            judged.append(("the probabilities differ", both & ~(far <= tolerance)))
    elif both.any():
        values, others = _matrix(a.predictions), _matrix(b.predictions)
        usual = np.abs(values[both & np.isfinite(values).all(axis=1)])
        scale = np.maximum(np.abs(values), float(np.median(usual)) if usual.size else 1.0)
        far = _distance(values, others, np.where(scale > 0, scale, 1.0))
        largest = _largest(far, both)
        judged.append(("the values differ", both & ~(far <= tolerance)))
    wrong = np.logical_or.reduce([bad for _, bad in judged])
    return GroupResult(
        name=group.name,
        rows=len(group.rows),
        refused=int((a.refused & b.refused).sum()),
        different=int(wrong.sum()),
        largest=largest,
        differences=tuple(_shown(group, a, b, judged)),
    )


def _refusals(a: Answers, b: Answers) -> tuple[str, npt.NDArray[np.bool_]]:
    return "one of the two refuses the row", a.refused != b.refused


def _matrix(predictions: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    filled = np.where(predictions == None, np.nan, predictions)  # noqa: E711 - elementwise
    return filled.astype(np.float64).reshape(len(predictions), -1)


def _distance(a: Any, b: Any, scale: Any) -> npt.NDArray[np.float64]:
    """The largest relative difference in each row; equal infinities and NaN are no difference."""
    with np.errstate(invalid="ignore", over="ignore"):
        far = np.abs(a - b) / scale
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    return np.asarray(np.where(same, 0.0, np.where(np.isnan(far), np.inf, far)).max(axis=1))


def _largest(far: npt.NDArray[np.float64], both: npt.NDArray[np.bool_]) -> float:
    return float(far[both].max())


def _shown(
    group: Group, a: Answers, b: Answers, judged: Sequence[tuple[str, npt.NDArray[np.bool_]]]
) -> list[Difference]:
    return [
        Difference(
            group.name,
            tuple(_plain(value) for value in group.rows[index]),
            _said(a, index),
            _said(b, index),
            why,
        )
        for why, bad in judged
        for index in np.flatnonzero(bad)[:SHOWN]
    ]


def _said(answers: Answers, index: int) -> Any:
    if answers.refused[index]:
        return None
    prediction = answers.predictions[index]
    if isinstance(prediction, np.ndarray):
        return [_plain(value) for value in prediction]
    if answers.probabilities is None:
        return _plain(prediction)
    return {
        "label": _plain(prediction),
        "probabilities": [_plain(value) for value in answers.probabilities[index]],
    }


def _plain(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    # JSON has no NaN and no infinity.
    return str(value) if isinstance(value, float) and not np.isfinite(value) else value
