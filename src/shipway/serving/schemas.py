"""JSON Schemas of a request and its answer, made of a signature's names, kinds and labels."""

from __future__ import annotations

from typing import Any

import numpy as np

from shipway.model.signature import Feature, Signature
from shipway.serving.dialects.native import plain_values

__all__ = ["Schema", "example_features", "request_schema", "response_schema"]

Schema = dict[str, Any]

_SHOWN_CATEGORIES = 50
_SHOWN_CLASSES = 1_000


def request_schema(signature: Signature | None, max_rows: int) -> Schema:
    """The schema of a body for ``POST /predict``."""
    row = _row(signature)
    return {
        "title": "PredictRequest",
        "description": "One row as `features`, or many as `instances`. Other names are ignored.",
        "oneOf": [
            {
                "title": "One row",
                "type": "object",
                "properties": {"features": row, "instances": {"type": "null"}},
                "required": ["features"],
            },
            {
                "title": "Many rows",
                "type": "object",
                "properties": {
                    "instances": {
                        "type": "array",
                        "items": row,
                        "minItems": 1,
                        "maxItems": max_rows,
                    },
                    "features": {"type": "null"},
                },
                "required": ["instances"],
            },
        ],
    }


def response_schema(signature: Signature | None) -> Schema:
    """The schema of the answer to ``POST /predict``."""
    prediction, confidence = _prediction(signature), _confidence(signature)
    return {
        "title": "PredictResponse",
        "oneOf": [
            {
                "title": "One row",
                "type": "object",
                "properties": {"prediction": prediction, "confidence": confidence},
                "required": ["prediction", "confidence"],
                "additionalProperties": False,
            },
            {
                "title": "Many rows",
                "type": "object",
                "properties": {
                    "predictions": {"type": "array", "items": prediction},
                    "confidences": {
                        "description": "One for each row; null when the model has none.",
                        "type": ["array", "null"],
                        "items": confidence,
                    },
                },
                "required": ["predictions", "confidences"],
                "additionalProperties": False,
            },
        ],
    }


def example_features(signature: Signature) -> dict[str, Any] | list[Any]:
    """The example row as a client would send it: by name when the names are the model's own."""
    row = signature.example_rows(1)[0].tolist()
    row = [None if value != value else value for value in row]
    return dict(zip(signature.names, row, strict=True)) if signature.named else row


def _row(signature: Signature | None) -> Schema:
    if signature is None:
        cell: Schema = {"type": ["number", "string", "null"]}
        return {
            "oneOf": [
                {"type": "array", "items": cell, "minItems": 1},
                {"type": "object", "additionalProperties": cell, "minProperties": 1},
            ]
        }
    count = len(signature.features)
    listed: Schema = {
        "title": "In the model's order",
        "type": "array",
        "minItems": count,
        "maxItems": count,
    }
    cells = [_cell(feature) for feature in signature.features]
    if signature.named or any(cell != cells[0] for cell in cells):
        listed["prefixItems"] = [
            {"title": feature.name, **cell}
            for feature, cell in zip(signature.features, cells, strict=True)
        ]
    else:
        listed["items"] = cells[0]
    by_name = {
        "title": "By name, in any order",
        "type": "object",
        "properties": {
            feature.name: _described(feature, cell)
            for feature, cell in zip(signature.features, cells, strict=True)
        },
        "required": list(signature.names),
        "additionalProperties": False,
    }
    example = example_features(signature)
    return {"oneOf": [listed, by_name], "examples": [example]}


def _cell(feature: Feature) -> Schema:
    if feature.kind == "string":
        return {"type": ["string", "null"] if feature.missing else "string"}
    return {"type": ["number", "null"] if feature.missing else "number"}


def _described(feature: Feature, cell: Schema) -> Schema:
    found = dict(cell)
    if feature.example is not None and feature.example == feature.example:
        found["examples"] = [feature.example]
    if feature.categories:
        known = ", ".join(feature.categories[:_SHOWN_CATEGORIES])
        more = ", …" if len(feature.categories) > _SHOWN_CATEGORIES else ""
        found["description"] = f"Known values: {known}{more}"
    return found


def _prediction(signature: Signature | None) -> Schema:
    if signature is None:
        return {
            "description": "A number or, for some classifiers, a label.",
            "type": ["number", "string", "boolean", "array", "null"],
        }
    one: Schema
    if signature.task == "regressor":
        one = {
            "type": ["number", "null"],
            "description": "The model's value; null when it is NaN or infinite.",
        }
    elif signature.classes is None or len(signature.classes) > _SHOWN_CLASSES:
        one = {"type": ["number", "string", "boolean"], "description": "The class label."}
    else:
        labels = np.empty(len(signature.classes), dtype=object)
        labels[:] = signature.classes
        one = {"description": "The class label.", "enum": plain_values(labels)}
    if signature.outputs == 1:
        return one
    return {
        "type": "array",
        "items": one,
        "minItems": signature.outputs,
        "maxItems": signature.outputs,
    }


def _confidence(signature: Signature | None) -> Schema:
    if signature is not None and not signature.confidence:
        return {"type": "null", "description": "This model gives no probabilities: always null."}
    return {
        "type": ["number", "null"],
        "description": "The largest class probability; null for a model without probabilities.",
    }
