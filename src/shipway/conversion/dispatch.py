"""Which converter writes down which part of a model."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any, TypeVar

from shipway.conversion.answer import (
    Classified,
    Classify,
    Regress,
    Table,
    Transform,
    key_of,
)
from shipway.conversion.sheet import Sheet

__all__ = ["classify", "is_classifier", "on_matrix", "regress", "transform"]

MODULES = (
    "sklearn_trees",
    "sklearn_boosting",
    "sklearn_linear",
    "sklearn_bayes",
    "sklearn_kernels",
    "sklearn_neighbors",
    "sklearn_meta",
    "sklearn_pipelines",
    "sklearn_encoders",
    "sklearn_targets",
    "xgboost_trees",
    "lightgbm_trees",
    "catboost_trees",
    "torch_module",
)
"""The modules with tables CLASSIFIERS, REGRESSORS and TRANSFORMERS: class → converter."""

T = TypeVar("T")


def on_matrix(convert: Callable[[Sheet, Any, str], T]) -> Callable[[Sheet, Any, Table], T]:
    """A converter that wants its columns as one matrix of numbers."""

    @functools.wraps(convert)
    def converter(sheet: Sheet, model: Any, table: Table) -> T:
        return convert(sheet, model, table.matrix(sheet))

    return converter


@functools.cache
def _table(kind: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in MODULES:
        module = importlib.import_module(f"shipway.conversion.{name}")
        found.update(getattr(module, kind, {}))
    return found


def is_classifier(model: Any) -> bool:
    """Whether the model answers with labels."""
    key = key_of(model)
    if key in _table("CLASSIFIERS") or key in _table("REGRESSORS"):
        both = key in _table("CLASSIFIERS") and key in _table("REGRESSORS")
        return hasattr(model, "classes_") if both else key in _table("CLASSIFIERS")
    return getattr(model, "_estimator_type", None) == "classifier" or hasattr(model, "classes_")


def classify(sheet: Sheet, model: Any, table: Table) -> Classified:
    """Write a classifier down."""
    converter: Classify | None = _table("CLASSIFIERS").get(key_of(model))
    if converter is None:
        from shipway.conversion.skl2onnx_parts import classifier

        converter = classifier
    return converter(sheet, model, table)


def regress(sheet: Sheet, model: Any, table: Table) -> str:
    """Write a regressor down; its values (n, outputs)."""
    converter: Regress | None = _table("REGRESSORS").get(key_of(model))
    if converter is None:
        from shipway.conversion.skl2onnx_parts import regressor

        converter = regressor
    return converter(sheet, model, table)


def transform(sheet: Sheet, model: Any, table: Table) -> Table:
    """Write a step of a pipeline down."""
    converter: Transform | None = _table("TRANSFORMERS").get(key_of(model))
    if converter is None:
        from shipway.conversion.skl2onnx_parts import transformer

        converter = transformer
    return converter(sheet, model, table)
