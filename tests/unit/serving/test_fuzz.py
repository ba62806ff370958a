"""Whatever a client sends to /predict is answered, and never with a 5xx."""

import asyncio
import json
from functools import cache

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shipway.errors import InputError
from shipway.model.signature import Feature, Outputs, Signature
from shipway.serving.app import build_app
from shipway.serving.dialects.native import compile_decoder, decode_value, encode
from shipway.serving.dialects.strict_json import parse
from shipway.serving.metrics import Metrics
from shipway.serving.options import ApiOptions, CacheOptions
from shipway.serving.slot import ModelSlot
from shipway.testing import FixedRuntime

SIGNATURES = {
    "plain": Signature("regressor", (Feature("x0"), Feature("x1"))),
    "nullable": Signature(
        "regressor", (Feature("a", missing=True), Feature("b", missing=True)), named=True
    ),
    "half": Signature("regressor", (Feature("a", missing=True), Feature("b")), named=True),
    "colon": Signature("regressor", (Feature("a:b"), Feature("c")), named=True),
    "mixed": Signature(
        "classifier",
        (Feature("a", missing=True), Feature("s", "string")),
        named=True,
        classes=("no", "yes"),
        confidence=True,
    ),
}
NAMES = sorted({name for signature in SIGNATURES.values() for name in signature.names})

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.text(max_size=8)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)
cells = scalars | st.floats(allow_nan=False, allow_infinity=False)
rows = st.lists(cells, min_size=1, max_size=3) | st.dictionaries(
    st.sampled_from(NAMES), cells, max_size=3
)
bodies = st.fixed_dictionaries(
    {},
    optional={
        "features": rows | values,
        "instances": st.lists(rows, max_size=4) | values,
        "id": values,
    },
)


@st.composite
def mutated(draw):
    """A body that was right, with bytes cut, doubled or replaced."""
    kind = draw(st.sampled_from(sorted(SIGNATURES)))
    good = json.dumps(draw(bodies | fitting(SIGNATURES[kind]))).encode()
    start = draw(st.integers(0, len(good)))
    end = draw(st.integers(start, min(len(good), start + 6)))
    middle = draw(st.binary(max_size=4) | st.just(good[start:end] * 2) | st.just(b'"a":1,'))
    return good[:start] + middle + good[end:]


def fitting_cell(feature):
    number = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**30), 10**30)
    fits = number if feature.kind == "number" else st.text(max_size=6)
    return st.none() | fits if feature.missing else fits


@st.composite
def fitting(draw, signature):
    """A body that the signature takes; now and then one cell of it is anything."""

    def row():
        found = {feature.name: draw(fitting_cell(feature)) for feature in signature.features}
        if draw(st.integers(0, 9)) == 0:
            found[draw(st.sampled_from(signature.names))] = draw(scalars)
        if draw(st.booleans()):
            return list(found.values())
        return {name: found[name] for name in draw(st.permutations(signature.names))}

    if draw(st.booleans()):
        return {"features": row()}
    return {"instances": [row() for _ in range(draw(st.integers(1, 4)))]}


def cases():
    """A kind of model and a body for it."""
    kinds = st.sampled_from(sorted(SIGNATURES))
    good = kinds.flatmap(
        lambda kind: st.tuples(
            st.just(kind),
            fitting(SIGNATURES[kind]).map(json.dumps).map(str.encode),
        )
    )
    return good | st.tuples(kinds, anything)


anything = st.binary(max_size=60) | values.map(json.dumps).map(str.encode) | mutated()


@cache
def application(kind, *, cached=False):
    signature = SIGNATURES[kind]

    def answer(given_rows):
        if signature.classes:
            long = [row[1] if len(row[1]) > 3 else "no" for row in given_rows]
            return Outputs(np.array(long), np.linspace(0.5, 1, len(given_rows)) * 0 + 1 / 3)
        return np.asarray(given_rows, dtype=float)[:, 0]

    slot = ModelSlot(FixedRuntime(signature, answer))
    return build_app(
        slot,
        ApiOptions(max_rows=3, max_body=10_000),
        metrics=Metrics(),
        cache=CacheOptions(enabled=cached, max_entries=7),
    )


def talk(app, body):
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/predict",
        "raw_path": b"/predict",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"model.test"), (b"content-type", b"application/json")],
        "client": None,
        "server": None,
    }
    sent = []

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


@settings(max_examples=400, deadline=None)
@given(cases())
@example(("plain", b"[" * 9_000))
@example(("plain", b'{"features":[1,' + b"9" * 9_000 + b"]}"))
@example(("mixed", b'{"features":{"a":1,"\\udfff":1}}'))
@example(("mixed", b'{"\\ud800":1}'))
@example(("half", b'{"features":{"b":1,"b":2,"a":1}}'))
def test_no_body_is_answered_with_a_server_error(case):
    kind, body = case
    status, answer = talk(application(kind), body)
    assert status in (200, 422)
    assert len(answer) < 20_000
    found = json.loads(answer)
    if status == 200:
        assert set(found) in ({"prediction", "confidence"}, {"predictions", "confidences"})
    else:
        assert all({"type", "loc", "msg", "input"} == set(item) for item in found["detail"])


@settings(max_examples=400, deadline=None)
@given(st.lists(cases(), min_size=1, max_size=6))
def test_answers_that_are_kept_are_the_same_bytes(several):
    for kind, body in [*several, *several]:
        assert talk(application(kind, cached=True), body) == talk(application(kind), body)


def exact(signature, body):
    try:
        return decode_value(signature, parse(body), 3)
    except InputError as exc:
        return exc.issues


@settings(max_examples=600, deadline=None)
@given(cases())
@example(("plain", b'{"features":[-0,18446744073709551617]}'))
@example(("plain", b'{"features":{"x0":1,"x0":2,"x1":3}}'))
@example(("plain", b'{"features":{"x0":1,"x0":2}}'))
@example(("plain", b'{"features":[1,2],"features":[3,4]}'))
@example(("plain", b'{"features":[1,2],"x":{"y":1}}'))
@example(("plain", b'{"features":[0.1,123456789012345678901234567890]}'))
@example(("nullable", b'{"instances":[[null,1],{"b":null,"a":2.5}]}'))
def test_the_quick_reading_is_the_exact_one(case):
    kind, body = case
    signature = SIGNATURES[kind]
    try:
        quick = compile_decoder(signature)[0](body, 3)
    except InputError as exc:
        quick = exc.issues
    expected = exact(signature, body)
    if isinstance(expected, tuple):
        assert repr(quick) == repr(expected)
    else:
        assert quick.batch == expected.batch
        assert quick.rows.dtype == expected.rows.dtype
        assert repr(quick.rows.tolist()) == repr(expected.rows.tolist())


@given(st.lists(st.floats(), min_size=1, max_size=5))
def test_numbers_come_back_as_the_same_floats(predictions):
    answer = json.loads(encode(Outputs(np.array(predictions)), batch=True))
    shown = [value if np.isfinite(value) else None for value in predictions]
    assert answer == {"predictions": shown, "confidences": None}
