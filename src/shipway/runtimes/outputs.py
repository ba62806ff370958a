"""What a library answers, in the shapes of ``Outputs``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from shipway.model.signature import Label, Outputs

__all__ = ["as_outputs", "from_probabilities", "labels"]


def labels(values: Iterable[Any]) -> tuple[Label, ...]:
    """Class labels as plain Python values, in their order."""
    items = [value.item() if isinstance(value, np.generic) else value for value in values]
    return tuple(item if isinstance(item, bool | int | float) else str(item) for item in items)


def as_outputs(predictions: Any, probabilities: Any = None) -> Outputs:
    """Predictions of shape (n,), (n, 1) or (n, k); probabilities (n, classes) or None."""
    if hasattr(predictions, "toarray"):  # multi-label models may answer with a sparse matrix
        predictions = predictions.toarray()
    values = np.asarray(predictions)
    if values.ndim > 1 and values.shape[1] == 1:
        values = values.reshape(len(values))
    if values.dtype.kind in "USTO":
        values = values.astype(object)
    elif values.dtype.kind == "f":
        values = values.astype(np.float64, copy=False)
    if probabilities is None:
        return Outputs(values)
    table = np.asarray(probabilities)
    return Outputs(values, table.max(axis=1).astype(np.float64, copy=False), table)


def from_probabilities(probabilities: npt.NDArray[Any], classes: npt.NDArray[Any]) -> Outputs:
    """The most probable class of each row; the first of equals, as the libraries do."""
    return as_outputs(classes[np.argmax(probabilities, axis=1)], probabilities)
