"""The hot path answers what the full way answers, byte for byte, whatever comes in pieces."""

import asyncio
import itertools
import json

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.unit.serving.wire import Line, both

from shipway.errors import InputError, Issue
from shipway.model.signature import Outputs
from shipway.serving.app import build_app
from shipway.serving.metrics import Metrics
from shipway.serving.options import ApiOptions, CacheOptions
from shipway.serving.slot import ModelSlot
from shipway.testing import FixedRuntime
from shipway.testing.runtime import numbers


def answer(rows):
    if (rows == 666).any():
        raise InputError([Issue("value_error", (), "no such number")])
    return Outputs((rows.sum(axis=1) > 0).astype(np.int64), np.abs(rows[:, 0]) / 1000)


def make_app(function=answer, **options):
    slot = ModelSlot(FixedRuntime(numbers(3, classes=(0, 1)), function))
    return build_app(slot, ApiOptions(max_rows=4, max_body=2000), metrics=Metrics(), **options)


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "cached"])
def app(request):
    return make_app(cache=CacheOptions(enabled=request.param))


def request(body, *fields, line=b"POST /predict HTTP/1.1", length=None):
    if isinstance(body, dict | list):
        body = json.dumps(body).encode()
    head = [line, b"host: model.test", *fields]
    if length is not False:
        head.append(b"content-length: %d" % (len(body) if length is None else length))
    return b"\r\n".join(head) + b"\r\n\r\n" + body


JSON = b"content-type: application/json"
ONE = {"features": [1, 2.5, -3e2]}
NAMED = {"features": {"x2": 3, "x0": 1, "x1": 2}}
MANY = {"instances": [[1, 2, 3], {"x0": 4, "x1": 5, "x2": 6}]}

GOOD = [
    request(ONE, JSON),
    request(NAMED, JSON),
    request(MANY, JSON),
    request(ONE),
    request(ONE, JSON, b"x-request-id: abc-1"),
    request(ONE, JSON, b"X-Request-ID: not sane \xff"),
    request(ONE, b"Content-Type: application/json; charset=utf-8", b"connection: keep-alive"),
]
OTHER = [
    request(ONE, JSON, b"connection: close"),
    request(ONE, JSON, line=b"POST /predict HTTP/1.0"),
    request(ONE, JSON, line=b"POST /predict?x=1 HTTP/1.1"),
    request(ONE, JSON, line=b"POST /predict/ HTTP/1.1"),
    request(ONE, JSON, line=b"PUT /predict HTTP/1.1"),
    request(b"", line=b"GET /health HTTP/1.1"),
    request(b"", line=b"HEAD /predict HTTP/1.1"),
    request(b"", JSON),
    request(ONE, b"content-type: text/plain"),
    request(ONE, JSON, b"content-encoding: gzip"),
    request(ONE, JSON, b"expect: 100-continue"),
    request(ONE, JSON, b"x-request-timeout: 5"),
    request(ONE, JSON, b"x-request-timeout: soon"),
    request(b'b\r\n{"features"\r\n0\r\n\r\n', b"transfer-encoding: chunked", length=False),
    request({"features": [1, 2]}, JSON),
    request({"features": [1, 2, "3"]}, JSON),
    request({"features": [1, 2, None]}, JSON),
    request(b'{"features":[1,2,NaN]}', JSON),
    request(b'{"features":[1,2,1e999]}', JSON),
    request(b'{"features":[1,2,3],"features":[1,2,3]}', JSON),
    request(b'{"features":[1,2,3],"more":":"}', JSON),
    request({"features": [666, 2, 3]}, JSON),
    request({"instances": []}, JSON),
    request({"instances": [[1, 2, 3]] * 5}, JSON),
    request(b"[" * 1500, JSON),
    request(b"x" * 2500, JSON),
    request(b"not json", JSON),
]
# What follows an upgrade that is not taken is read by uvicorn as its segments happen to fall.
UPGRADE = request(ONE, JSON, b"upgrade: websocket", b"connection: upgrade")
UNPARSEABLE = [
    request(ONE, JSON, b"transfer-encoding: chunked", length=False),
    b"GARBAGE\r\n\r\n",
    b"POST /predict HTTP/1.1\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
    b"POST /predict HTTP/1.1\r\ncontent-length: +3\r\n\r\nabcd",
    b"POST /predict HTTP/1.1\ncontent-length: 3\n\nabc",
    b"POST /predict HTTP/1.1\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /predict HTTP/1.1\r\nbad header\r\n\r\n",
    b"POST /predict HTTP/1.1\r\nx: \x00\r\ncontent-length: 0\r\n\r\n",
    b"POST /predict HTTP/1.1\r\n folded: x\r\ncontent-length: 0\r\n\r\n",
]


def same(app, segments):
    full, hot = asyncio.run(both(app, segments))
    assert hot == full
    return hot


@pytest.mark.parametrize("data", GOOD + OTHER + [UPGRADE, *UNPARSEABLE])
def test_each_request_alone(app, data):
    sent, _ = same(app, [data])
    assert sent


@pytest.mark.parametrize("data", GOOD)
def test_plain_requests_do_take_the_hot_path(app, data):
    async def run():
        line = Line(app, hot=True)
        line.send(data)
        assert line.protocol.waiting
        assert not line.state.tasks
        await line.settle()
        return bytes(line.wire.sent)

    assert asyncio.run(run()).startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("data", [*GOOD[:3], OTHER[14], OTHER[21]])
def test_torn_at_every_position(app, data):
    whole = same(app, [data])
    for cut in range(1, len(data)):
        assert same(app, [data[:cut], data[cut:]]) == whole


def test_every_pair_in_one_segment_keeps_its_order(app):
    for first in GOOD[:3] + OTHER:
        for second in GOOD[:2] + OTHER[14:16] + OTHER[:1]:
            same(app, [first + second])


def test_what_cannot_be_parsed_waits_for_the_answer_before_it(app):
    """Here uvicorn is no reference: it sends its 400 before the answer that is due first."""
    for garbage in UNPARSEABLE[1:2] + UNPARSEABLE[-3:]:
        _, (sent, closed) = asyncio.run(both(app, [GOOD[0] + garbage]))
        assert sent.startswith(b"HTTP/1.1 200 OK\r\n")
        assert sent.endswith(b"Invalid HTTP request received.")
        assert closed


pieces = st.lists(st.sampled_from(GOOD + GOOD + OTHER), min_size=1, max_size=5)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(pieces, st.lists(st.integers(0, 1500), max_size=6))
@example([GOOD[0]] * 5, [])
def test_any_sequence_torn_anywhere(app, requests, cuts):
    data = b"".join(requests)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    same(app, [data[a:b] for a, b in itertools.pairwise(edges) if a < b])


@settings(max_examples=400, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["features", "instances", "x0", "x1", "x2", "a:b"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_any_json(app, value):
    same(app, [request(json.dumps(value).encode(), JSON)])


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([GOOD[0], GOOD[1], GOOD[2]]), st.data())
def test_any_mutation_of_a_good_request(app, good, data):
    at = data.draw(st.integers(0, len(good) - 1))
    put = data.draw(st.binary(max_size=3))
    drop = data.draw(st.integers(0, 3))
    same(app, [good[:at] + put + good[at + drop :]])
