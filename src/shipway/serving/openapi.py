"""The OpenAPI document: the model's own names, kinds, labels and examples in every schema."""

from __future__ import annotations

from collections.abc import Mapping

from shipway.model.signature import Signature
from shipway.serving.problems import TABLE
from shipway.serving.schemas import Schema, example_features, request_schema, response_schema

__all__ = ["describe"]

_REF = "#/components/schemas/"


def describe(
    document: Schema,
    signature: Signature | None,
    *,
    max_rows: int,
    request: Schema | None = None,
    response: Schema | None = None,
    schemas: Mapping[str, Schema] | None = None,
) -> Schema:
    """FastAPI's document with the operations of this API filled in for one signature.

    ``request`` and ``response`` are the schemas of a project's own hooks, where it has any, and
    ``schemas`` what they refer to. Without a signature (no model yet) the schemas are general.
    """
    own = {
        "PredictRequest": request or request_schema(signature, max_rows),
        "PredictResponse": response or response_schema(signature),
        "Problem": _PROBLEM,
        "ValidationProblem": _VALIDATION_PROBLEM,
        "Health": _health("healthy", "loading", "draining"),
    }
    found = document.setdefault("components", {}).setdefault("schemas", {})
    found |= own | dict(schemas or {})
    paths = document["paths"]
    predict = paths["/predict"]["post"]
    predict["requestBody"] = {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": _REF + "PredictRequest"}}},
    }
    if request is None and signature is not None:
        predict["requestBody"]["content"]["application/json"]["examples"] = _examples(signature)
    predict["responses"] = {
        "200": _content("The model's answer", "PredictResponse"),
        **_problem_responses(),
    }
    for path, unready in (("/health", True), ("/health/ready", True), ("/health/live", False)):
        responses = {"200": _content("Yes", "Health")}
        if unready:
            responses["503"] = _content("Not now: loading or draining", "Health")
        paths[path]["get"]["responses"] = responses
    paths["/metrics"]["get"]["responses"] = {
        "200": {
            "description": "Prometheus text format",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        }
    }
    return document


def _examples(signature: Signature) -> Schema:
    by_name = dict(zip(signature.names, _listed(signature), strict=True))
    return {
        "list": {
            "summary": "One row, in the model's order",
            "value": {"features": _listed(signature)},
        },
        "names": {"summary": "One row, by name", "value": {"features": by_name}},
        "batch": {
            "summary": "Two rows",
            "value": {"instances": [_listed(signature), _listed(signature)]},
        },
    }


def _listed(signature: Signature) -> list[object]:
    found = example_features(signature)
    return list(found.values()) if isinstance(found, dict) else found


def _problem_responses() -> Schema:
    found: Schema = {}
    for row in TABLE.values():
        if row.status == 400:
            continue
        name = "ValidationProblem" if row.status == 422 else "Problem"
        found.setdefault(str(row.status), _content(row.summary, name))
    return dict(sorted(found.items()))


def _content(description: str, schema: str) -> Schema:
    return {
        "description": description,
        "content": {"application/json": {"schema": {"$ref": _REF + schema}}},
    }


def _health(*words: str) -> Schema:
    return {
        "title": "Health",
        "type": "object",
        "properties": {"status": {"enum": ["alive", "ready", *words]}},
        "required": ["status"],
    }


_PROBLEM: Schema = {
    "title": "Problem",
    "type": "object",
    "properties": {
        "detail": {"type": "string", "description": "What happened and why."},
        "hint": {"type": "string", "description": "What to do about it."},
        "request_id": {"type": "string", "description": "The log has more under this id."},
    },
    "required": ["detail"],
}

_VALIDATION_PROBLEM: Schema = {
    "title": "ValidationProblem",
    "type": "object",
    "properties": {
        "detail": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "type": {"type": "string"},
                    "loc": {"type": "array", "items": {"type": ["string", "integer"]}},
                    "msg": {"type": "string"},
                    "input": {},
                },
                "required": ["type", "loc", "msg"],
            },
        }
    },
    "required": ["detail"],
}
