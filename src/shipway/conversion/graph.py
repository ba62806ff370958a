"""A loaded model becomes one ONNX file that carries its signature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from shipway.conversion.answer import Table, no_converter
from shipway.conversion.dispatch import classify, regress
from shipway.conversion.sheet import Sheet
from shipway.conversion.sklearn_encoders import MISSING_TEXT
from shipway.errors import ConversionError, Error, MissingPackageError
from shipway.model.signature import Signature

__all__ = ["LABEL", "PROBABILITIES", "ROWS", "VALUES", "to_onnx"]

ROWS, LABEL, PROBABILITIES, VALUES = "features", "label", "probabilities", "variable"


def to_onnx(model: object, signature: Signature, facts: Mapping[str, str]) -> bytes:
    """The model as an ONNX file.

    A model of numbers takes one float64 tensor ``features`` (rows, columns); one with text
    columns takes a tensor (rows, 1) for each column, under the column's name. It answers with
    ``label`` (rows,) and, where it has them, ``probabilities`` (rows, classes); a regressor with
    ``variable`` (rows, outputs). ``facts`` go into the file's metadata beside the signature.

    Raises:
        shipway.errors.ConversionError: a part of the model has no converter.
        shipway.errors.MissingPackageError: a converter's package is not installed.
    """
    try:
        import onnx  # noqa: F401
    except ImportError as exc:
        raise MissingPackageError(
            f"Conversion needs onnx, which cannot be imported: {exc}",
            "Install the converters: pip install 'shipway[convert]'",
            package="onnx",
        ) from exc
    sheet = Sheet()
    inputs, table = _inputs(signature)
    try:
        if signature.task == "classifier":
            outputs = _classifier(sheet, model, table, signature)
        else:
            outputs = {VALUES: (_values(sheet, model, table), "DOUBLE", signature.outputs)}
    except Error:
        raise
    except (
        AttributeError,
        KeyError,
        IndexError,
        TypeError,
        ValueError,
        NotImplementedError,
    ) as exc:
        raise ConversionError(
            f"The converter of {type(model).__name__} failed: {type(exc).__name__}: {exc}",
            "The model can be served as it is: shipway serve MODEL",
        ) from exc
    metadata = {
        "shipway.signature": msgspec.json.encode(signature).decode(),
        **{f"shipway.{name}": value for name, value in facts.items()},
    }
    if not signature.numeric:
        metadata["shipway.missing_text"] = MISSING_TEXT
    return sheet.model(inputs, outputs, metadata)


def _inputs(signature: Signature) -> tuple[list[tuple[str, str, int]], Table]:
    if signature.numeric:
        table = Table(ROWS, names=signature.names)
        return [(ROWS, "DOUBLE", len(signature.features))], table
    texts = tuple(feature.kind == "string" for feature in signature.features)
    kinds = ["STRING" if text else "DOUBLE" for text in texts]
    inputs = [(name, kind, 1) for name, kind in zip(signature.names, kinds, strict=True)]
    return inputs, Table(None, signature.names, texts, signature.names)


def _classifier(
    sheet: Sheet, model: object, table: Table, signature: Signature
) -> dict[str, tuple[str, str, int | None]]:
    classes = signature.classes
    if classes is None:
        raise no_converter(model, "its labels are not known")
    found = classify(sheet, model, table)
    labels, kind = _labels(classes)
    outputs: dict[str, tuple[str, str, int | None]] = {
        LABEL: (sheet.op("Gather", labels, sheet.with_refusals(found.index)), kind, None)
    }
    if signature.confidence:
        if found.probabilities is None:
            raise no_converter(model, "its probabilities are not converted")
        outputs[PROBABILITIES] = (found.probabilities, "DOUBLE", len(classes))
    return outputs


def _values(sheet: Sheet, model: object, table: Table) -> str:
    values = regress(sheet, model, table)
    if not sheet.refuses:
        return values
    zero = sheet.op("Gather", np.zeros((1, 1)), sheet.with_refusals(None))
    return sheet.op("Add", values, zero)


def _labels(classes: tuple[Any, ...]) -> tuple[Any, str]:
    if all(isinstance(label, bool) for label in classes):
        return np.array(classes, dtype=bool), "BOOL"
    if all(isinstance(label, int) and not isinstance(label, bool) for label in classes):
        return np.array(classes, dtype=np.int64), "INT64"
    if all(isinstance(label, int | float) for label in classes):
        return np.array(classes, dtype=np.float64), "DOUBLE"
    return np.array([str(label) for label in classes], dtype=object), "STRING"
