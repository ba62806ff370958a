"""Bodies and heads as only a raw socket can send them, against a real uvicorn."""

import contextlib
import json
import socket
import threading
import time

import numpy as np
import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from shipway.model.signature import Feature, Outputs, Signature
from shipway.serving.app import build_app
from shipway.serving.metrics import Metrics
from shipway.serving.options import ApiOptions
from shipway.serving.slot import ModelSlot
from shipway.testing import FixedRuntime

LIMIT = 1_000_000
SIGNATURE = Signature(
    "classifier",
    (Feature("island", "string", example="Dream"), Feature("mass", missing=True, example=3.5)),
    named=True,
    classes=("Adelie", "Gentoo"),
    confidence=True,
)


def answer(rows):
    return Outputs(np.array(["Adelie"] * len(rows)), np.full(len(rows), 0.75))


@pytest.fixture(scope="module")
def port():
    slot = ModelSlot(FixedRuntime(SIGNATURE, answer))
    app = build_app(slot, ApiOptions(max_body=LIMIT), metrics=Metrics())
    config = uvicorn.Config(app, log_config=None, http="httptools", ws="none")
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join(20)


def exchange(port, data):
    """(status, body) of the first answer on a new connection; the rest may be cut off."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
        received = b""
        with contextlib.suppress(ConnectionError):
            sock.sendall(data)
        with contextlib.suppress(ConnectionError):
            while piece := sock.recv(65536):
                received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


def head(*lines, method="POST", path="/predict"):
    fixed = (f"{method} {path} HTTP/1.1", "Connection: close")
    return "\r\n".join([*fixed, *lines, "", ""]).encode("latin-1")


JSON = "Content-Type: application/json"
HOST = "Host: model.test"


def test_a_good_request(port):
    body = b'{"features":{"mass":null,"island":"Dream"}}'
    request = head(HOST, JSON, f"Content-Length: {len(body)}") + body
    assert exchange(port, request) == (200, b'{"prediction":"Adelie","confidence":0.75}')


def test_a_chunked_request(port):
    request = head(HOST, JSON, "Transfer-Encoding: chunked")
    request += b'7\r\n{"featu\r\n12\r\nres":["Dream",3.5]\r\n1\r\n}\r\n0\r\n\r\n'
    assert exchange(port, request) == (200, b'{"prediction":"Adelie","confidence":0.75}')


@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(head(HOST, JSON, "Content-Length: 999999999999999999"), id="announced"),
        pytest.param(
            head(HOST, JSON, "Content-Length: 10000000") + b"[" * 10_000_000, id="10 MB of JSON"
        ),
        pytest.param(
            head(HOST, JSON, "Content-Length: 9000000", "Expect: 100-continue"), id="asking first"
        ),
        pytest.param(
            head(HOST, JSON, "Transfer-Encoding: chunked")
            + (b"fffff\r\n" + b" " * 0xFFFFF + b"\r\n"),
            id="chunked without an end",
        ),
    ],
)
def test_too_large_is_413_before_all_of_it_is_read(port, request_bytes):
    status, body = exchange(port, request_bytes)
    assert status == 413
    assert json.loads(body)["detail"] == f"The request body is larger than {LIMIT} bytes."


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (head("Host: [::1", "Accept: text/html", method="GET", path="/"), 400),
        (head("Host: <script>", "Accept: text/html", method="GET", path="/"), 400),
        (head(HOST, method="GET", path="/%ff%00%0d%0aX:1/../x"), 404),
        (head(HOST, "X-Request-ID: " + "a" * 5000, method="GET", path="/health"), 200),
        (head(HOST, "Content-Length: -1"), 400),
        (head(HOST, "Content-Type: \xff\xfe/\x80", "Content-Length: 2") + b"{}", 415),
        (head(HOST, "Content-Encoding: gzip", JSON, "Content-Length: 2") + b"\x1f\x8b", 415),
        (b"\x00\x01\x02\r\n\r\n", 400),
    ],
)
def test_strange_heads_are_answered(port, request_bytes, status):
    assert exchange(port, request_bytes)[0] == status


def test_a_client_that_leaves_in_the_middle_harms_nobody(port):
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.sendall(head(HOST, JSON, "Content-Length: 1000") + b'{"features":[')
    assert exchange(port, head(HOST, method="GET", path="/health"))[0] == 200


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_schemathesis_finds_no_server_error(port, mode):
    schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{port}/openapi.json")
    for operation in schema.get_all_operations():
        if mode is GenerationMode.NEGATIVE and operation.ok().path != "/predict":
            continue

        @settings(
            max_examples=50,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
            database=None,
        )
        @given(case=operation.ok().as_strategy(generation_mode=mode))
        def run(case):
            case.call_and_validate(
                checks=[
                    not_a_server_error,
                    checks.status_code_conformance,
                    checks.content_type_conformance,
                    checks.response_schema_conformance,
                ]
            )

        run()
