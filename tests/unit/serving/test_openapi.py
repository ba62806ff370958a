"""The served OpenAPI document, and the server held to it."""

import json
from typing import Annotated

import jsonschema_rs
import pydantic
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from shipway.serving.hooks import Hooks, Prediction
from shipway.serving.slot import ModelSlot
from shipway.testing import FixedRuntime, numbers

CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
    checks.positive_data_acceptance,
    checks.missing_required_header,
    checks.unsupported_method,
]


def document(ask, app):
    return ask(app, "GET", "/openapi.json").json


def body_schema(found):
    """The request's schema as one that stands alone."""
    return found["components"]["schemas"]["PredictRequest"] | {"components": found["components"]}


def test_it_carries_names_kinds_labels_and_examples(ask, make):
    found = document(ask, make("penguins", max_rows=77))
    assert found["openapi"].startswith("3.1")
    assert found["info"] == {"title": "ML Model API", "version": "1.0"}
    one, many = found["components"]["schemas"]["PredictRequest"]["oneOf"]
    listed, named = one["properties"]["features"]["oneOf"]
    assert [item["title"] for item in listed["prefixItems"]] == ["island", "bill_length_mm", "sex"]
    assert named["required"] == ["island", "bill_length_mm", "sex"]
    assert named["properties"]["island"] == {
        "type": "string",
        "examples": ["Dream"],
        "description": "Known values: Dream, Biscoe",
    }
    assert named["properties"]["bill_length_mm"]["type"] == ["number", "null"]
    assert many["properties"]["instances"]["maxItems"] == 77
    one, many = found["components"]["schemas"]["PredictResponse"]["oneOf"]
    assert one["properties"]["prediction"] == {
        "description": "The class label.",
        "enum": ["Adelie", "Gentoo"],
    }
    media = found["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
    assert media["examples"]["names"]["value"] == {
        "features": {"island": "Dream", "bill_length_mm": 39.1, "sex": ""}
    }
    responses = found["paths"]["/predict"]["post"]["responses"]
    assert set(responses) == {"200", "408", "413", "415", "422", "431", "500", "503"}


@pytest.mark.parametrize("kind", ["iris", "penguins", "diabetes"])
def test_its_own_examples_are_answered_and_fit_its_own_schemas(ask, make, kind):
    app = make(kind)
    found = document(ask, app)
    request = jsonschema_rs.validator_for(body_schema(found))
    answer = jsonschema_rs.validator_for(found["components"]["schemas"]["PredictResponse"])
    media = found["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
    for example in media["examples"].values():
        assert request.is_valid(example["value"])
        reply = ask(app, "POST", "/predict", json.dumps(example["value"]).encode())
        assert reply.status == 200
        assert answer.is_valid(reply.json)


def test_confidence_is_said_to_be_null_for_a_regressor(ask, make):
    one, _ = document(ask, make("diabetes"))["components"]["schemas"]["PredictResponse"]["oneOf"]
    assert one["properties"]["confidence"] == {
        "type": "null",
        "description": "This model gives no probabilities: always null.",
    }


def test_before_the_model_it_is_general_and_then_the_models(ask, make):
    slot = ModelSlot()
    app = make(slot=slot)
    one = document(ask, app)["components"]["schemas"]["PredictResponse"]["oneOf"][0]
    assert one["properties"]["prediction"]["type"] == [
        "number",
        "string",
        "boolean",
        "array",
        "null",
    ]
    slot.swap(make_runtime())
    one = document(ask, app)["components"]["schemas"]["PredictResponse"]["oneOf"][0]
    assert one["properties"]["prediction"]["enum"] == ["no", "yes"]


def make_runtime():
    return FixedRuntime(numbers(2, classes=("no", "yes")), lambda rows: ["no"] * len(rows))


def test_a_projects_own_route_appears(ask, make):
    app = make()

    @app.get("/version")
    def version() -> str:
        return "1"

    assert "/version" in document(ask, app)["paths"]


def shorten(request: dict[str, Annotated[float, pydantic.Strict()]]) -> list[float]:
    return [request.get("age", 0.0), None]


def label(prediction: Prediction) -> dict[str, float | str | bool | list[object] | None]:
    return {"value": prediction.prediction}


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("iris", {}),
        ("penguins", {"max_rows": 3}),
        ("diabetes", {}),
        ("diabetes", {"hooks": Hooks(before=shorten, after=label)}),
        ("diabetes", {"hooks": Hooks(after=label)}),
        ("loading", {"slot": ModelSlot()}),
    ],
)
def test_schemathesis_finds_nothing(make, kind, options):
    app = make("iris" if kind == "loading" else kind, **options)
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    operations = list(schema.get_all_operations())
    assert len(operations) == 5
    expected = [*CHECKS] if kind != "loading" else CHECKS[1:5]
    for operation in operations:
        hammer(operation, GenerationMode.POSITIVE, expected)
        if operation.ok().path == "/predict":
            hammer(operation, GenerationMode.NEGATIVE, expected)


def hammer(operation, mode, expected):
    @settings(
        max_examples=40,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(case=operation.ok().as_strategy(generation_mode=mode))
    def run(case):
        case.call_and_validate(checks=expected)

    run()
