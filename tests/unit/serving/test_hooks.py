"""A project's own functions: what they see, what they answer, what the schema says."""

import dataclasses
import json
from typing import Any

import numpy as np
import pydantic
import pytest

from shipway.errors import SettingError
from shipway.serving.hooks import Hooks, Prediction


class Address(pydantic.BaseModel):
    city: str


class Person(pydantic.BaseModel):
    born: int
    bmi: float | None = None
    address: Address | None = None


@dataclasses.dataclass
class Point:
    age: float
    bmi: float


class Risk(pydantic.BaseModel):
    risk: float
    sure: bool


def by_year(request: Person) -> dict[str, Any]:
    if request.born > 2026:
        raise ValueError("born in the future")
    return {"age": 2026 - request.born, "bmi": request.bmi}


async def by_point(request: Point) -> list[float]:
    return [request.age, request.bmi]


def to_risk(prediction: Prediction) -> Risk:
    return Risk(risk=prediction.prediction / 100, sure=prediction.confidence is not None)


def post(ask, app, body):
    reply = ask(app, "POST", "/predict", json.dumps(body).encode())
    return reply.status, reply.json


def test_before_makes_features_of_a_body_of_its_own(ask, make):
    app = make("diabetes", hooks=Hooks(before=by_year))
    assert post(ask, app, {"born": 2000, "bmi": 1.5}) == (
        200,
        {"prediction": 27.5, "confidence": None},
    )
    assert post(ask, app, {"born": 2000})[1]["prediction"] == 26.0


@pytest.mark.parametrize(
    "returned",
    [[1, 2.5], (1, 2.5), np.array([1, 2.5]), {"bmi": np.float32(2.5), "age": np.int64(1)}],
)
def test_before_may_return_lists_names_and_arrays(ask, make, returned):
    app = make("diabetes", hooks=Hooks(before=lambda _: returned))
    assert post(ask, app, {"any": "thing"}) == (200, {"prediction": 3.5, "confidence": None})


def test_async_hooks_and_dataclasses(ask, make):
    app = make("diabetes", hooks=Hooks(before=by_point, after=to_risk))
    assert post(ask, app, {"age": 20, "bmi": 30}) == (200, {"risk": 0.5, "sure": False})


def test_after_answers_each_row_of_a_batch(ask, make):
    app = make("diabetes", hooks=Hooks(after=to_risk))
    assert post(ask, app, {"instances": [[1, 1], [2, 2]]}) == (
        200,
        {"predictions": [{"risk": 0.02, "sure": False}, {"risk": 0.04, "sure": False}]},
    )


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (
            {"born": "soon"},
            {
                "type": "int_parsing",
                "loc": ["body", "born"],
                "msg": "Input should be a valid integer, unable to parse string as an integer",
                "input": "soon",
            },
        ),
        (
            {},
            {"type": "missing", "loc": ["body", "born"], "msg": "Field required", "input": {}},
        ),
        (
            {"born": 2100},
            {
                "type": "value_error",
                "loc": ["body"],
                "msg": "Value error, born in the future",
                "input": None,
            },
        ),
    ],
)
def test_what_the_client_got_wrong_is_422(ask, make, body, detail):
    app = make("diabetes", hooks=Hooks(before=by_year))
    assert post(ask, app, body) == (422, {"detail": [detail]})


def broken(_: Any) -> Any:
    raise KeyError("secret")


def wrong_type(_: Prediction) -> Risk:
    return {"risk": "secret"}


@pytest.mark.parametrize(
    "hooks",
    [Hooks(before=broken), Hooks(after=broken), Hooks(after=wrong_type)],
    ids=["before", "after", "after, by its type"],
)
def test_what_a_hook_got_wrong_is_500_and_tells_nothing(ask, make, hooks):
    status, answer = post(ask, make("diabetes", hooks=hooks), {"features": [1, 2]})
    assert (status, answer["detail"]) == (500, "Internal server error")
    assert "secret" not in json.dumps(answer)


def test_the_types_reach_the_schema(ask, make):
    app = make("diabetes", hooks=Hooks(before=by_year, after=to_risk))
    schemas = ask(app, "GET", "/openapi.json").json["components"]["schemas"]
    assert set(schemas["PredictRequest"]["properties"]) == {"born", "bmi", "address"}
    assert schemas["Address"]["properties"] == {"city": {"title": "City", "type": "string"}}
    assert set(schemas["PredictResponse"]["properties"]) == {"risk", "sure"}


def two(a: int, b: int) -> int:
    return a + b


def unknown_name(a: "Nowhere") -> int:  # noqa: F821 - the point of the test
    return 1


def opaque(a: np.ndarray) -> list[float]:
    return [1.0]


def keyword(*, a: int) -> int:
    return a


@pytest.mark.parametrize(
    ("hook", "message"),
    [
        (two, "The hook before=two has to take one argument by its place."),
        (keyword, "The hook before=keyword has to take one argument by its place."),
        (unknown_name, "The hook before=unknown_name cannot be read: name 'Nowhere'"),
        (opaque, "The hook before=opaque uses a type without a schema: <class 'numpy.ndarray'>."),
        ("text", "The hook before='text' cannot be read: "),
    ],
)
def test_hooks_that_cannot_be_called_are_refused_at_start(make, hook, message):
    with pytest.raises(SettingError) as caught:
        make("diabetes", hooks=Hooks(before=hook))
    assert caught.value.message.startswith(message)
