"""What a fitted scikit-learn pipeline knows of its input columns: kinds, categories, examples.

Found by walking the fitted parts that see the input columns unchanged: scikit-learn has no
interface for it. An attribute is used only when it has one entry per column that the part saw.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from shipway.model.signature import Feature

__all__ = ["Fact", "column_count", "column_facts", "with_facts"]

META = ("best_estimator_", "estimator_", "regressor_", "classifier_", "_preprocessor", "estimator")
"""Where a meta-estimator keeps the fitted estimator that sees the same columns."""

CENTRES = ("mean_", "center_", "data_min_", "theta_", "means_", "cluster_centers_")
"""A value per column, or per class and column, that lies amid the training data."""


@dataclass(slots=True)
class Fact:
    """What is known of one column."""

    text: bool = False
    categories: tuple[Any, ...] = ()
    example: float | str | None = None


def column_count(model: Any, depth: int = 0) -> int | None:
    """How many columns a fitted model takes; None when no part of it says.

    A pipeline asks its first step, which may be "passthrough"; CatBoost forgets the number when
    it is unpickled, but keeps the names.
    """
    if depth > 12 or model is None or isinstance(model, str):
        return None
    count = getattr(model, "n_features_in_", None) or len(getattr(model, "feature_names_", ()))
    if count:
        return int(count)
    inside = model.steps if isinstance(getattr(model, "steps", None), list) else ()
    below = [step for _, step in inside if step != "passthrough"][:1] or [*_nested(model)]
    found = (column_count(part, depth + 1) for part in below)
    return next((number for number in found if number), None)


def column_facts(estimator: Any, count: int) -> dict[int, Fact]:
    """Index of the column → what the estimator's parts know of it, for ``count`` columns."""
    facts: dict[int, Fact] = {}
    _visit(estimator, list(range(count)), facts, depth=0)
    return facts


def with_facts(features: Sequence[Feature], facts: Mapping[int, Fact]) -> tuple[Feature, ...]:
    """The features with what was found out about them."""
    return tuple(
        _feature(feature.name, facts[index]) if index in facts else feature
        for index, feature in enumerate(features)
    )


def _feature(name: str, fact: Fact) -> Feature:
    texts = tuple(value for value in fact.categories if isinstance(value, str))
    if fact.text or texts:
        example = fact.example if isinstance(fact.example, str) else None
        return Feature(name, "string", example=example, categories=texts)
    value = fact.example if isinstance(fact.example, int | float) else None
    return Feature(name, "number", example=None if value is None else float(value))


def _visit(part: Any, columns: list[int], facts: dict[int, Fact], depth: int) -> None:
    if depth > 12 or part is None or isinstance(part, str):
        return
    if isinstance(getattr(part, "steps", None), list):
        for _, step in part.steps:
            _visit(step, columns, facts, depth + 1)
            if not _keeps_columns(step, len(columns)):
                return
    elif hasattr(part, "_transformer_to_input_indices"):
        chosen = part._transformer_to_input_indices  # noqa: SLF001 - names resolved to positions
        for name, transformer, _ in part.transformers_:
            inside = [columns[index] for index in chosen.get(name, [])]
            _visit(transformer, inside, facts, depth + 1)
    elif isinstance(getattr(part, "transformer_list", None), list):
        for _, transformer in part.transformer_list:
            _visit(transformer, columns, facts, depth + 1)
    else:
        _learn(part, columns, facts)
        for nested in _nested(part):
            if getattr(nested, "n_features_in_", len(columns)) == len(columns):
                _visit(nested, columns, facts, depth + 1)


def _nested(part: Any) -> Iterable[Any]:
    for name in META:
        value = getattr(part, name, None)
        # ``estimator`` is the unfitted prototype in most places and the fitted one in a few.
        if value is not None and (name != "estimator" or hasattr(value, "n_features_in_")):
            yield value
    calibrated = getattr(part, "calibrated_classifiers_", None)
    if isinstance(calibrated, list) and calibrated:
        yield getattr(calibrated[0], "estimator", None)
    several = getattr(part, "estimators_", None)
    if isinstance(several, list):
        # Bagging shows each of its estimators other columns.
        yield from () if hasattr(part, "estimators_features_") else several[:8]
    elif isinstance(several, np.ndarray):
        yield from several.ravel()[:8]


def _keeps_columns(step: Any, count: int) -> bool:
    """Whether the next step of a pipeline sees the same columns in the same units."""
    if step is None or step == "passthrough":
        return True
    if hasattr(step, "statistics_") and hasattr(step, "strategy"):
        indicator = getattr(step, "add_indicator", False)
        return len(step.statistics_) == count and not indicator
    return type(step).__name__ == "FunctionTransformer"


def _learn(part: Any, columns: list[int], facts: dict[int, Fact]) -> None:
    if hasattr(part, "build_analyzer"):  # a text vectoriser reads one column of documents
        for index in columns:
            facts.setdefault(index, Fact()).text = True
        return
    for position, index in enumerate(columns):
        fact = facts.setdefault(index, Fact())
        if not fact.categories:
            fact.categories = _categories(part, position, len(columns))
        value = _statistic(part, position, len(columns))
        fact.text = fact.text or isinstance(value, str)
        if fact.example is None:
            fact.example = _plain(value) if value is not None else _first(fact.categories)


def _first(categories: tuple[Any, ...]) -> float | str | None:
    return next((found for value in categories if (found := _plain(value)) is not None), None)


def _plain(value: Any) -> float | str | None:
    """A number rounded to four digits, or a text; None for anything that is no plain value."""
    if isinstance(value, str):
        return str(value)
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return float(f"{number:.4g}") if np.isfinite(number) else None


def _categories(part: Any, position: int, count: int) -> tuple[Any, ...]:
    known = getattr(part, "categories_", None)
    if not isinstance(known, list) or len(known) != count:
        return ()
    return tuple(known[position].tolist())


def _statistic(part: Any, position: int, count: int) -> Any:
    statistics = getattr(part, "statistics_", None)
    if isinstance(statistics, np.ndarray) and len(statistics) == count:
        return statistics[position]
    for name in CENTRES:
        values = getattr(part, name, None)
        if isinstance(values, np.ndarray) and values.dtype.kind == "f":
            if values.ndim == 1 and len(values) == count:
                return values[position]
            if values.ndim == 2 and values.shape[1] == count:
                return values[:, position].mean()
    tree = getattr(part, "tree_", None)
    if tree is not None and getattr(tree, "n_features", None) == count:
        thresholds = tree.threshold[tree.feature == position]
        return np.median(thresholds) if len(thresholds) else None
    return None
