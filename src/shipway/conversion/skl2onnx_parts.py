"""Parts that skl2onnx writes down: everything that has no converter of its own here.

Such a part gets float64 rows, in which most of skl2onnx's converters work; what it writes is
put into the graph as it is. The classifier's labels are numbered first, so that labels of any
type come out alike.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from shipway.conversion.answer import Classified, Table, key_of, no_converter
from shipway.conversion.sheet import Sheet
from shipway.errors import MissingPackageError

__all__ = ["classifier", "regressor", "transformer"]

OPSET = {"": 21, "ai.onnx.ml": 3}
OWN_TREES = ("TreeEnsembleClassifier", "TreeEnsembleRegressor")


def _written(sheet: Sheet, model: Any, x: str, options: dict[int, Any] | None = None) -> list[str]:
    try:
        from skl2onnx import convert_sklearn
        from skl2onnx.common.data_types import DoubleTensorType
    except ImportError as exc:
        raise MissingPackageError(
            f"Converting {key_of(model)} needs skl2onnx, which cannot be imported: {exc}",
            "Install it: pip install 'shipway[convert]'",
            package="skl2onnx",
        ) from exc
    width = getattr(model, "n_features_in_", None)
    if width is None:
        raise no_converter(model, "it does not say how many columns it takes")
    try:
        part = convert_sklearn(
            model,
            initial_types=[("x", DoubleTensorType([None, int(width)]))],
            target_opset=OPSET,
            options=options,
        )
    except Exception as exc:
        first = next((line for line in str(exc).splitlines() if line.strip()), "")
        raise no_converter(model, f"skl2onnx says: {first[:200]}") from exc
    if any(node.op_type in OWN_TREES for node in part.graph.node):
        raise no_converter(model, "skl2onnx writes trees in single precision")
    return [sheet.cast(name, "DOUBLE") if not index else name
            for index, name in enumerate(sheet.inline(part, {"x": x}))]  # fmt: skip


def classifier(sheet: Sheet, model: Any, table: Table) -> Classified:
    """A classifier by skl2onnx."""
    classes = getattr(model, "classes_", None)
    if classes is None or isinstance(classes, list):
        raise no_converter(model)
    numbered = copy.copy(model)
    try:
        numbered.classes_ = np.arange(len(classes))
    except AttributeError as exc:
        raise no_converter(model, "its labels cannot be numbered") from exc
    label, *rest = _written(sheet, numbered, table.matrix(sheet), {id(numbered): {"zipmap": False}})
    probabilities = None
    if rest and hasattr(model, "predict_proba"):
        probabilities = sheet.cast(rest[0], "DOUBLE")
    return Classified(index=sheet.flat(sheet.cast(label, "INT64")), probabilities=probabilities)


def regressor(sheet: Sheet, model: Any, table: Table) -> str:
    """A regressor by skl2onnx."""
    if not hasattr(model, "predict"):
        raise no_converter(model)
    return _written(sheet, model, table.matrix(sheet))[0]


def transformer(sheet: Sheet, model: Any, table: Table) -> Table:
    """A step of a pipeline by skl2onnx."""
    if not hasattr(model, "transform"):
        raise no_converter(model)
    if any(table.texts):
        raise no_converter(model, "it takes text columns")
    return Table(_written(sheet, model, table.matrix(sheet))[0])
