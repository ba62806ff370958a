"""What a model takes and gives: the facts that requests, schemas and examples are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

__all__ = ["Declared", "Feature", "Label", "Outputs", "Rows", "Signature"]

Label = bool | int | float | str

Rows = npt.NDArray[Any]
"""Shape (n, features): float64 when every feature is a number, object when any is a string.

A missing value is NaN in a float column and ``None`` in an object array.
"""


@dataclass(frozen=True, slots=True)
class Feature:
    """One input column."""

    name: str
    kind: Literal["number", "string"] = "number"
    missing: bool = False
    """The model takes a missing value here (null in JSON)."""
    example: float | str | None = None
    """A plausible value for documentation and warm-up; None: 0.0 or the first category known."""
    categories: tuple[str, ...] = ()
    """Known values of a string column, empty when the artifact does not say."""


@dataclass(frozen=True, slots=True)
class Signature:
    """What one row looks like and what comes back.

    ``named`` tells whether the names are the model's own (columns it was trained on) or made up
    here (``x0``, ``x1`` …). ``classes`` are the class labels in the order of the probabilities,
    None for a model that is no classifier. ``outputs`` is the number of values per row (1 but
    for multi-output models).
    """

    task: Literal["classifier", "regressor"]
    features: tuple[Feature, ...]
    named: bool = False
    classes: tuple[Label, ...] | None = None
    confidence: bool = False
    """The model gives class probabilities: the largest is the confidence."""
    outputs: int = 1

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in the model's order."""
        return tuple(feature.name for feature in self.features)

    @property
    def numeric(self) -> bool:
        """Whether every column is a number, so that rows are one float64 array."""
        return all(feature.kind == "number" for feature in self.features)

    def example_rows(self, count: int = 1) -> Rows:
        """Rows of shape (count, features) for warm-up and documentation: plausible, not random."""
        row = [_example(feature) for feature in self.features]
        if self.numeric:
            return np.array([row] * count, dtype=np.float64)
        return np.array([row] * count, dtype=object)


def _example(feature: Feature) -> float | str:
    if feature.example is not None:
        return feature.example
    if feature.kind == "number":
        return 0.0
    return feature.categories[0] if feature.categories else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What shipway.toml states of a model in its section [signature], over what was derived."""

    task: Literal["classifier", "regressor"] | None = None
    features: tuple[str | Feature, ...] = ()
    """Every column in the model's order, by name or as a table {name, kind, missing, …}."""
    classes: tuple[Label, ...] = ()
    """The class labels in the order of the probabilities."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a model said about n rows.

    ``predictions``: shape (n,), or (n, outputs) for a multi-output model; numbers or, as object
    array, labels. ``confidences``: shape (n,), float64, the largest class probability of each
    row; None when the model gives no probabilities.
    """

    predictions: npt.NDArray[Any]
    confidences: npt.NDArray[np.float64] | None = None
    probabilities: npt.NDArray[Any] | None = None
    """Shape (n, classes), in the order of the signature's classes, where the runtime has them."""
