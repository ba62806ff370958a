"""Where a model's training data lay, as far as the fitted model gives it away.

Scalers keep means and spreads, trees keep thresholds, neighbours and kernels keep training rows.
Made-up rows have to fall among them: far away, every row gets the same answer and a wrong
conversion goes unnoticed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from shipway.model.signature import Signature

__all__ = ["Ranges", "find_ranges"]

Floats = npt.NDArray[np.float64]
CENTRES = ("mean_", "center_", "theta_", "means_", "centroids_", "cluster_centers_")
SPREADS = ("scale_", "var_", "data_range_", "within_class_std_dev_")
POINTS = ("support_vectors_", "_fit_X", "X_train_", "X_fit_", "X_")
MOST_POINTS = 256
DEPTH = 10


@dataclass(frozen=True, slots=True)
class Ranges:
    """Centre and spread of each column, (columns,), and training rows found in the model."""

    centre: Floats
    spread: Floats
    points: Floats


def find_ranges(model: object, signature: Signature, thresholds: dict[int, list[float]]) -> Ranges:
    """What is known of the columns; ``thresholds`` are those of trees on the model's own input."""
    count = len(signature.features)
    centre = np.zeros(count)
    spread = np.ones(count)
    for index, feature in enumerate(signature.features):
        if isinstance(feature.example, int | float) and not isinstance(feature.example, bool):
            centre[index] = feature.example
            spread[index] = abs(feature.example) / 4 or 1.0
    points = np.empty((0, count))
    for part in _first_parts(model, count):
        points = points if len(points) else _points(part, count)
        for names, target in ((CENTRES, centre), (SPREADS, spread)):
            for name in names:
                found = _per_column(getattr(part, name, None), count)
                if found is not None:
                    target[:] = np.sqrt(found) if name == "var_" else found
                    break
    if len(points):
        centre, spread = points.mean(axis=0), points.std(axis=0)
    for index, values in thresholds.items():
        finite = np.array([value for value in values if np.isfinite(value)])
        if len(finite) and index < count:
            low, high = np.quantile(finite, [0.05, 0.95])
            centre[index] = (low + high) / 2
            spread[index] = max((high - low) / 2, abs(high) * 0.05)
    bad = ~np.isfinite(spread) | (spread <= 0)
    spread = np.where(bad, np.where(centre != 0, np.abs(centre) / 4, 1.0), spread)
    return Ranges(np.where(np.isfinite(centre), centre, 0.0), spread, points)


def _per_column(values: Any, count: int) -> Floats | None:
    if values is None or hasattr(values, "toarray"):
        return None
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    if array.ndim == 2 and array.shape[1] == count and len(array):
        array = array.mean(axis=0)
    if array.shape != (count,) or not np.isfinite(array).all():
        return None
    return array


def _points(part: Any, count: int) -> Floats:
    for name in POINTS:
        values: Any = getattr(part, name, None)
        values = values.toarray() if hasattr(values, "toarray") else values
        if isinstance(values, np.ndarray) and values.ndim == 2 and values.shape[1] == count:
            step = max(1, len(values) // MOST_POINTS)
            return np.asarray(values[::step][:MOST_POINTS], dtype=np.float64)
    return np.empty((0, count))


def _first_parts(model: Any, count: int, depth: int = 0) -> Iterator[Any]:
    """Parts that see the model's own columns, the innermost first steps of pipelines included."""
    if depth > DEPTH or model is None or isinstance(model, str):
        return
    yield model
    steps = getattr(model, "steps", None)
    if isinstance(steps, list) and steps:
        yield from _first_parts(steps[0][1], count, depth + 1)
        return
    for name in ("best_estimator_", "estimator_", "regressor_", "base_estimator_"):
        yield from _first_parts(vars(model).get(name) if hasattr(model, "__dict__") else None,
                                count, depth + 1)  # fmt: skip
    several = getattr(model, "estimators_", None)
    if isinstance(several, list) and several and not hasattr(model, "estimators_features_"):
        yield from _first_parts(several[0], count, depth + 1)
    calibrated = getattr(model, "calibrated_classifiers_", None)
    if isinstance(calibrated, list) and calibrated:
        yield from _first_parts(calibrated[0].estimator, count, depth + 1)
