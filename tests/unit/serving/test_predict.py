"""What each body is answered with: status and whole body."""

import json

import numpy as np
import pytest

from shipway.errors import InputError, Issue, PredictionError
from shipway.model.signature import Outputs
from shipway.serving.options import BatchingOptions
from shipway.serving.slot import ModelSlot
from shipway.testing import FixedRuntime, numbers

GOOD = [
    ("iris", '{"features":[5.1,3.5,1.4,0.2]}', '{"prediction":0.0,"confidence":0.5}'),
    ("iris", '{"features":[5,3,1,0]}', '{"prediction":0.0,"confidence":0.5}'),
    ("iris", '\ufeff {"features":[1,2,3,4e-999]}\n', '{"prediction":0.0,"confidence":0.5}'),
    ("iris", '{"features":{"x3":4,"x1":2,"x2":3,"x0":1}}', '{"prediction":0.0,"confidence":0.5}'),
    ("iris", '{"features":[1,2,3,4],"id":"a:b"}', '{"prediction":0.0,"confidence":0.5}'),
    ("iris", '{"features":[1,2,3,4],"instances":null}', '{"prediction":0.0,"confidence":0.5}'),
    (
        "iris",
        '{"instances":[[1,2,3,4],{"x3":4,"x1":2,"x2":3,"x0":1}],"features":null}',
        '{"predictions":[0.0,1.0],"confidences":[0.5,0.9]}',
    ),
    ("iris", '{"instances":[[1,2,3,4]]}', '{"predictions":[0.0],"confidences":[0.5]}'),
    ("penguins", '{"features":["Dream",39.1,"male"]}', '{"prediction":"Adelie","confidence":0.75}'),
    ("penguins", '{"features":["Dream",null,null]}', '{"prediction":"Adelie","confidence":0.75}'),
    ("penguins", '{"features":["Dream",NaN,NaN]}', '{"prediction":"Adelie","confidence":0.75}'),
    ("diabetes", '{"features":[1,2.5]}', '{"prediction":3.5,"confidence":null}'),
    ("diabetes", '{"features":[1,null]}', '{"prediction":1.0,"confidence":null}'),
    ("diabetes", '{"features":[1,NaN]}', '{"prediction":1.0,"confidence":null}'),
    ("diabetes", '{"instances":[[1,2],[3,4]]}', '{"predictions":[3.0,7.0],"confidences":null}'),
    ("diabetes", '{"features":[1.7e308,1.7e308]}', '{"prediction":null,"confidence":null}'),
]


@pytest.mark.parametrize(("kind", "body", "answer"), GOOD)
def test_good_bodies(ask, make, kind, body, answer):
    reply = ask(make(kind), "POST", "/predict", body.encode())
    assert (reply.status, reply.body.decode()) == (200, answer)
    assert reply.headers["content-type"] == "application/json"


def issue(kind, loc, msg, value):
    return {"type": kind, "loc": loc, "msg": msg, "input": value}


FEATURES = ["body", "features"]
ROWS = ["body", "instances"]
NAMES = "island, bill_length_mm, sex"
BAD = {
    "empty": ("iris", "", issue("missing", ["body"], "Field required: the body is empty", None)),
    "blank": ("iris", " \n", issue("missing", ["body"], "Field required: the body is empty", None)),
    "cut off": (
        "iris",
        '{"features":[1,2',
        issue("json_invalid", ["body", 16], "JSON decode error: Expecting ',' delimiter", {}),
    ),
    "more after it": (
        "iris",
        '{"features":[1,2,3,4]} x',
        issue("json_invalid", ["body", 23], "JSON decode error: Extra data", {}),
    ),
    "not UTF-8": (
        "iris",
        b'{"features":\xff}',
        issue("json_invalid", ["body", 12], "JSON decode error: The body is not valid UTF-8", {}),
    ),
    "deep": (
        "iris",
        "[" * 200_000,
        issue("json_invalid", ["body", 0], "JSON decode error: Nested too deeply", {}),
    ),
    "deep inside": (
        "iris",
        '{"features":' + '{"a":' * 200_000,
        issue("json_invalid", ["body", 0], "JSON decode error: Nested too deeply", {}),
    ),
    "a list": (
        "iris",
        "[1,2,3,4]",
        issue(
            "model_attributes_type",
            ["body"],
            "Input should be a valid dictionary or object to extract fields from",
            [1, 2, 3, 4],
        ),
    ),
    "no features": (
        "iris",
        '{"Features":[1,2,3,4]}',
        issue(
            "missing",
            FEATURES,
            'Field required: "features" for one row, or "instances" for a list of rows',
            {"Features": [1, 2, 3, 4]},
        ),
    ),
    "both": (
        "iris",
        '{"features":[1,2,3,4],"instances":[[1,2,3,4]]}',
        issue(
            "value_error",
            ROWS,
            'Give "features" for one row or "instances" for many, not both',
            None,
        ),
    ),
    "key twice": (
        "iris",
        '{"features":[1,2,3,4],"features":[1,2,3,4]}',
        issue("duplicate_key", ["body"], '"features" is given twice', "features"),
    ),
    "name twice": (
        "iris",
        '{"features":{"x0":1,"x1":1,"x2":1,"x3":1,"x0":2}}',
        issue("duplicate_key", ["body"], '"x0" is given twice', "x0"),
    ),
    "null": (
        "iris",
        '{"features":null}',
        issue(
            "list_type",
            FEATURES,
            "Input should be a valid list of features, or an object of features by name",
            None,
        ),
    ),
    "too few": (
        "iris",
        '{"features":[1,2,3]}',
        issue("too_short", FEATURES, "The model expects 4 features, 3 given", [1, 2, 3]),
    ),
    "too many, named": (
        "penguins",
        '{"features":["Dream",1,"male",4]}',
        issue(
            "too_long",
            FEATURES,
            f"The model expects 3 features ({NAMES}), 4 given",
            ["Dream", 1, "male", 4],
        ),
    ),
    "text for a number": (
        "iris",
        '{"features":[1,2,"1.5",4]}',
        issue(
            "float_type", [*FEATURES, 2], 'Input should be a valid number for feature "x2"', "1.5"
        ),
    ),
    "true for a number": (
        "iris",
        '{"features":[1,2,3,true]}',
        issue(
            "float_type", [*FEATURES, 3], 'Input should be a valid number for feature "x3"', True
        ),
    ),
    "a number for text": (
        "penguins",
        '{"features":[1,2,"male"]}',
        issue(
            "string_type", [*FEATURES, 0], 'Input should be a valid string for feature "island"', 1
        ),
    ),
    "a lone surrogate": (
        "penguins",
        '{"features":["\\ud800",2,"male"]}',
        issue(
            "string_unicode",
            [*FEATURES, 0],
            'Input should be valid Unicode text for feature "island": it has a lone surrogate',
            "\\ud800",
        ),
    ),
    "null where none is taken": (
        "iris",
        '{"features":[1,2,3,null]}',
        issue(
            "float_type",
            [*FEATURES, 3],
            'Input should be a valid number: the model takes no missing value for feature "x3"',
            None,
        ),
    ),
    "NaN where none is taken": (
        "iris",
        '{"features":[1,2,3,NaN]}',
        issue(
            "finite_number",
            [*FEATURES, 3],
            'Input should be a finite number for feature "x3" '
            "(NaN is not a value that the model takes)",
            "NaN",
        ),
    ),
    "infinity even where NaN is taken": (
        "diabetes",
        '{"features":[1,-Infinity]}',
        issue(
            "finite_number",
            [*FEATURES, 1],
            'Input should be a finite number for feature "bmi" '
            "(infinity, or too large for a 64-bit float)",
            "-Infinity",
        ),
    ),
    "beyond float64": (
        "diabetes",
        '{"features":[1e999,1]}',
        issue(
            "finite_number",
            [*FEATURES, 0],
            'Input should be a finite number for feature "age" '
            "(infinity, or too large for a 64-bit float)",
            "Infinity",
        ),
    ),
    "an integer beyond float64": (
        "diabetes",
        '{"features":{"age":-1' + "0" * 310 + ',"bmi":1}}',
        issue(
            "finite_number",
            [*FEATURES, "age"],
            'Input should be a finite number for feature "age" '
            "(infinity, or too large for a 64-bit float)",
            "an integer of 1030 bits",
        ),
    ),
    "an integer of 100,000 digits": (
        "diabetes",
        '{"features":[1,' + "9" * 100_000 + "]}",
        issue(
            "finite_number",
            [*FEATURES, 1],
            'Input should be a finite number for feature "bmi" '
            "(infinity, or too large for a 64-bit float)",
            "Infinity",
        ),
    ),
    "no batch": (
        "iris",
        '{"instances":{"x0":1}}',
        issue("list_type", ROWS, "Input should be a valid list", {"x0": 1}),
    ),
    "an empty batch": (
        "iris",
        '{"instances":[]}',
        issue("too_short", ROWS, "The batch is empty: give at least one row", []),
    ),
    "a ragged batch": (
        "iris",
        '{"instances":[[1,2,3,4],[1,2,3,4],[1,2,3]]}',
        issue("too_short", [*ROWS, 2], "The model expects 4 features, 3 given", [1, 2, 3]),
    ),
    "too large a batch": (
        "iris",
        json.dumps({"instances": [[1, 2, 3, 4]] * 21}),
        issue("too_long", ROWS, "A request takes at most 20 rows, 21 given", "21 rows"),
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_bodies(ask, make, case):
    kind, body, expected = BAD[case]
    body = body.encode() if isinstance(body, str) else body
    reply = ask(make(kind, max_rows=20), "POST", "/predict", body)
    assert (reply.status, reply.json) == (422, {"detail": [expected]})


def test_wrong_names_say_which_and_what_was_meant(ask, make):
    body = {"features": {"Island": "Dream", "bill-length_mm": 1.0, "colour": "red"}}
    reply = ask(make("penguins"), "POST", "/predict", json.dumps(body).encode())
    assert reply.status == 422
    assert [(item["loc"][-1], item["msg"]) for item in reply.json["detail"]] == [
        ("Island", 'Unknown feature "Island": did you mean "island"?'),
        ("bill-length_mm", 'Unknown feature "bill-length_mm": did you mean "bill_length_mm"?'),
        ("colour", f'Unknown feature "colour": the model takes {NAMES}'),
        ("island", 'Field required: feature "island" is not given (3 expected, 3 given)'),
        (
            "bill_length_mm",
            'Field required: feature "bill_length_mm" is not given (3 expected, 3 given)',
        ),
        ("sex", 'Field required: feature "sex" is not given (3 expected, 3 given)'),
    ]


@pytest.mark.parametrize(
    "features",
    [
        ["x" * 1_000_000] * 4,
        [{"a" * 100_000: 1}] * 4,
        {"x" * 500_000: 1, "y" * 500_000: 1},
        {str(i): 1 for i in range(50_000)},
        "duplicates",
        ["x"] * 4,
    ],
)
def test_an_error_body_stays_small(ask, make, features):
    body = json.dumps({"instances": [features] * (1 if len(str(features)) > 100 else 1000)})
    if features == "duplicates":
        body = "{" + ",".join(f'"{i % 1000}":1' for i in range(100_000)) + "}"
    reply = ask(make(max_body=10**8), "POST", "/predict", body.encode())
    assert reply.status == 422
    assert len(reply.json["detail"]) <= 10
    assert len(reply.body) < 10_000


@pytest.mark.parametrize(
    ("headers", "detail"),
    [
        (
            [(b"content-type", b"text/plain")],
            "The body is declared as 'text/plain', expected application/json.",
        ),
        (
            [(b"content-type", b"multipart/form-data")],
            "The body is declared as 'multipart/form-data', expected application/json.",
        ),
        (
            [(b"content-type", b"application/json"), (b"content-encoding", b"gzip")],
            "The body has the content encoding 'gzip', which is not read here.",
        ),
    ],
)
def test_other_media_types_are_415(ask, make, headers, detail):
    reply = ask(make(), "POST", "/predict", b'{"features":[1,2,3,4]}', headers=headers)
    assert (reply.status, reply.json["detail"]) == (415, detail)
    assert reply.json["hint"]


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"content-type", b"")],
        [(b"content-type", b"Application/JSON; charset=utf-8")],
        [(b"content-type", b"application/vnd.model+json")],
        [(b"content-type", b"application/json"), (b"content-encoding", b"identity")],
    ],
)
def test_json_by_any_of_its_names_is_read(ask, make, headers):
    reply = ask(make(), "POST", "/predict", b'{"features":[1,2,3,4]}', headers=headers)
    assert reply.status == 200


TOO_LARGE = {
    "detail": "The request body is larger than 100 bytes.",
    "hint": "Send fewer rows in one request, or raise the limit: [api] max_body in shipway.toml.",
}


def test_a_body_over_the_limit_is_413_by_its_announced_length(ask, make):
    headers = [(b"content-type", b"application/json"), (b"content-length", b"101")]
    reply = ask(make(max_body=100), "POST", "/predict", b" " * 101, headers=headers)
    assert (reply.status, reply.json) == (413, TOO_LARGE)


def test_a_body_over_the_limit_is_413_while_it_streams(ask, make):
    endless = (b" " * 60 for _ in range(1_000_000_000))
    taken = []

    class App:
        async def __call__(self, scope, receive, send):
            async def counted():
                taken.append(1)
                return {"type": "http.request", "body": next(endless), "more_body": True}

            await make(max_body=100)(scope, counted, send)

    reply = ask(App(), "POST", "/predict")
    assert (reply.status, reply.json) == (413, TOO_LARGE)
    assert len(taken) == 2


def test_a_body_at_the_limit_is_read(ask, make):
    body = b'{"features":[1,2,3,4]}'.ljust(100)
    assert ask(make(max_body=100), "POST", "/predict", body[:50], body[50:]).status == 200


def test_before_the_model_is_loaded_it_is_503(ask, make):
    reply = ask(make(slot=ModelSlot()), "POST", "/predict", b'{"features":[1]}')
    assert (reply.status, reply.headers["retry-after"]) == (503, "1")
    assert reply.json == {
        "detail": "The model is still loading.",
        "hint": "Try again in a moment, or watch /health/ready.",
    }


def failing(error):
    def fail(rows):
        raise error

    return FixedRuntime(numbers(1), fail)


def test_rows_that_the_model_itself_refuses_are_422(ask, make):
    error = InputError([Issue("value_error", ("body", "features", 0), "too large for float32", 5)])
    reply = ask(make(runtime=failing(error)), "POST", "/predict", b'{"features":[5]}')
    expected = issue("value_error", [*FEATURES, 0], "too large for float32", 5)
    assert (reply.status, reply.json) == (422, {"detail": [expected]})


@pytest.mark.parametrize(
    ("body", "found", "shown"),
    [
        (b'{"features":[5]}', (), FEATURES),
        (b'{"features":[5]}', (0, 0), [*FEATURES, 0]),
        (b'{"instances":[[5],[6]]}', (1, 0), [*ROWS, 1, 0]),
    ],
)
def test_the_models_row_and_column_are_told_as_places_in_the_body(ask, make, body, found, shown):
    error = InputError([Issue("value_error", found, "too large for float32", 5)])
    reply = ask(make(runtime=failing(error)), "POST", "/predict", body)
    assert (reply.status, reply.json["detail"][0]["loc"]) == (422, shown)


def test_a_model_that_fails_is_500_with_the_request_id(ask, make):
    app = make(runtime=failing(PredictionError("The model failed: boom")))
    headers = [(b"x-request-id", b"abc-1")]
    reply = ask(app, "POST", "/predict", b'{"features":[5]}', headers=headers)
    assert (reply.status, reply.json) == (
        500,
        {"detail": "The model failed: boom", "request_id": "abc-1"},
    )


def test_what_nobody_foresaw_is_500_and_tells_the_client_nothing(ask, make):
    class Broken(FixedRuntime):
        def predict(self, rows):
            raise RuntimeError("secret path /etc/x")

    headers = [(b"x-request-id", b"abc-2")]
    app = make(runtime=Broken(numbers(1), len))
    reply = ask(app, "POST", "/predict", b'{"features":[5]}', headers=headers)
    assert (reply.status, reply.json) == (
        500,
        {"detail": "Internal server error", "request_id": "abc-2"},
    )


def test_a_model_that_loses_rows_is_500(ask, make):
    app = make(runtime=FixedRuntime(numbers(1), lambda _: [1.0]))
    reply = ask(app, "POST", "/predict", b'{"instances":[[1],[2]]}')
    assert (reply.status, reply.json["detail"]) == (
        500,
        "The model gave 1 predictions for 2 rows.",
    )


@pytest.mark.parametrize(
    ("predictions", "text"),
    [
        (np.array([1]), "1.0"),
        (np.array([1.5], dtype=np.float32), "1.5"),
        (np.array([True]), "true"),
        (np.array(["Adelie"]), '"Adelie"'),
        (np.array(["Ad\u00e9lie", 1], dtype=object)[:1], '"Adélie"'),
        (np.array([np.float64(2), "a"], dtype=object)[:1], "2.0"),
        (np.array([np.bool_(True), "a"], dtype=object)[:1], "true"),
        (np.array([float("nan")]), "null"),
        (np.array([float("-inf")]), "null"),
        (np.array([[1, 2.5]]), "[1.0,2.5]"),
        (np.array([["a", 1]], dtype=object), '["a",1.0]'),
    ],
)
def test_predictions_as_json(ask, make, predictions, text):
    outputs = Outputs(predictions, np.array([float("nan")]))
    app = make(runtime=FixedRuntime(numbers(1), lambda _: outputs))
    reply = ask(app, "POST", "/predict", b'{"features":[5]}')
    assert reply.body.decode() == f'{{"prediction":{text},"confidence":null}}'


def test_rows_reach_the_model_in_its_own_order(ask, make):
    seen = []

    def remember(rows):
        seen.append(rows)
        return [0.0] * len(rows)

    app = make(runtime=FixedRuntime(numbers(3), remember))
    body = b'{"instances":[[1,2,3],{"x2":6,"x0":4,"x1":5}]}'
    assert ask(app, "POST", "/predict", body).status == 200
    np.testing.assert_array_equal(seen[-1], np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
    assert seen[-1].dtype == np.float64


def test_a_request_keeps_the_model_that_it_began_with(ask, make):
    slot = ModelSlot()
    new = FixedRuntime(numbers(1, classes=("new",)), lambda rows: ["new"] * len(rows))

    serving = []

    def swap_meanwhile(rows):
        if serving:
            slot.swap(new)
        return Outputs(np.array(["old"] * len(rows)), np.full(len(rows), 0.5))

    slot.swap(FixedRuntime(numbers(1, classes=("old",)), swap_meanwhile))
    app = make(slot=slot)
    serving.append(True)
    body = b'{"instances":[[1],[2]]}'
    first = ask(app, "POST", "/predict", body)
    assert first.body == b'{"predictions":["old","old"],"confidences":[0.5,0.5]}'
    assert ask(app, "POST", "/predict", body).json["predictions"] == ["new", "new"]
    scrape = ask(app, "GET", "/metrics").body.decode()
    assert 'shipway_predictions_total{class="old"} 2.0' in scrape
    assert 'shipway_predictions_total{class="new"} 2.0' in scrape


@pytest.mark.parametrize("value", ["soon", "0", "-1", "nan", ""])
def test_a_time_limit_that_is_none_is_400(ask, make, value):
    headers = [(b"content-type", b"application/json"), (b"x-request-timeout", value.encode())]
    reply = ask(make(), "POST", "/predict", b'{"features":[1,2,3,4]}', headers=headers)
    assert reply.status == 400
    assert reply.json == {
        "detail": f"X-Request-Timeout is {value!r}, expected seconds greater than 0.",
        "hint": "Send a number such as 0.5, or leave the header out.",
    }


def test_an_answer_that_would_come_too_late_is_503_and_not_computed(ask, make):
    calls = []

    def count(rows):
        calls.append(len(rows))
        return [0.0] * len(rows)

    runtime = FixedRuntime(numbers(4), count)
    app = make(runtime=runtime, batching=BatchingOptions(mode="thread"))
    calls.clear()
    headers = [(b"content-type", b"application/json"), (b"x-request-timeout", b"1e-9")]
    reply = ask(app, "POST", "/predict", b'{"features":[1,2,3,4]}', headers=headers)
    assert (reply.status, reply.headers["retry-after"], calls) == (503, "1", [])
    assert reply.json["detail"] == "The model could not answer in time."
    headers = [(b"content-type", b"application/json"), (b"x-request-timeout", b"60")]
    assert ask(app, "POST", "/predict", b'{"features":[1,2,3,4]}', headers=headers).status == 200
