"""Health, pages, ids and whatever else surrounds a prediction."""

import json

import pytest
from fastapi import Request

from shipway.model.signature import Feature, Signature
from shipway.serving.slot import ModelSlot
from shipway.testing import FixedRuntime

HTML = [(b"accept", b"text/html,*/*")]


def state(ask, app):
    replies = {path: ask(app, "GET", path) for path in ("/health", "/health/ready", "/health/live")}
    return {path: (reply.status, reply.body.decode()) for path, reply in replies.items()}


def test_health_says_healthy_once_the_model_answers(ask, make):
    slot = ModelSlot()
    app = make(slot=slot)
    loading = (503, '{"status":"loading"}')
    alive = (200, '{"status":"alive"}')
    assert state(ask, app) == {
        "/health": loading,
        "/health/ready": loading,
        "/health/live": alive,
    }
    slot.swap(FixedRuntime(Signature("regressor", (Feature("a"),)), len))
    assert state(ask, app) == {
        "/health": (200, '{"status":"healthy"}'),
        "/health/ready": (200, '{"status":"ready"}'),
        "/health/live": alive,
    }
    slot.drain()
    draining = (503, '{"status":"draining"}')
    assert state(ask, app) == {
        "/health": draining,
        "/health/ready": draining,
        "/health/live": alive,
    }


def test_while_draining_requests_are_answered_and_connections_closed(ask, make):
    slot = ModelSlot(FixedRuntime(Signature("regressor", (Feature("a"),)), lambda rows: rows[:, 0]))
    app = make(slot=slot)
    body = b'{"features":[5]}'
    assert "connection" not in ask(app, "POST", "/predict", body).headers
    slot.drain()
    reply = ask(app, "POST", "/predict", body)
    assert (reply.status, reply.headers["connection"]) == (200, "close")


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("GET", "/nothing", 404, '{"detail":"Not Found"}'),
        ("GET", "/predict", 405, '{"detail":"Method Not Allowed"}'),
        ("DELETE", "/health", 405, '{"detail":"Method Not Allowed"}'),
        ("TRACE", "/predict", 405, '{"detail":"Method Not Allowed"}'),
    ],
)
def test_other_paths_and_methods_have_fastapis_answers(ask, make, method, path, status, body):
    reply = ask(make(), method, path)
    assert (reply.status, reply.body.decode()) == (status, body)


@pytest.mark.parametrize("given", ["abc-123", "a" * 128, "0af7651916cd43dd8448eb211c80319c"])
def test_a_sane_request_id_is_echoed(ask, make, given):
    reply = ask(make(), "GET", "/health", headers=[(b"x-request-id", given.encode())])
    assert reply.headers["x-request-id"] == given


@pytest.mark.parametrize("given", [b"", b"a" * 129, b"a b", b"a\xff", b'a"b', b"a\x1b[31m", b"a\n"])
def test_any_other_is_replaced(ask, make, given):
    reply = ask(make(), "GET", "/health", headers=[(b"x-request-id", given)])
    assert len(reply.headers["x-request-id"]) == 32
    assert int(reply.headers["x-request-id"], 16)


def test_every_answer_has_its_own_id(ask, make):
    app = make(max_body=5)
    replies = [
        ask(app, "POST", "/predict", b"123456"),
        ask(app, "POST", "/predict", b"{"),
        ask(app, "GET", "/nothing"),
        ask(app, "GET", "/docs"),
        ask(app, "GET", "/metrics"),
    ]
    assert [reply.status for reply in replies] == [413, 422, 404, 200, 200]
    assert len({reply.headers["x-request-id"] for reply in replies}) == 5


def test_the_page_shows_the_model_and_a_command(ask, make):
    reply = ask(make("penguins"), "GET", "/", headers=HTML)
    page = reply.body.decode()
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    for shown in ("ML Model API", "v7", "sha256:", "Adelie, Gentoo", "bill_length_mm (number, may"):
        assert shown in page
    command = "curl http://model.test/predict -H &#x27;Content-Type: application/json&#x27; -d "
    assert command in page
    for outside in ("http://", "https://", "<script", "<link", "<img"):
        assert outside not in page.replace("http://model.test/", "")


def test_the_page_escapes_what_the_model_and_the_client_say(ask, make):
    evil = "<script>alert('x')</script>"
    signature = Signature("classifier", (Feature(evil, "string"),), named=True, classes=(evil,))
    app = make(runtime=FixedRuntime(signature, len))
    app_reply = ask(app, "GET", "/", headers=[*HTML, (b"x", b"y")])
    assert b"<script" not in app_reply.body
    assert b"&lt;script&gt;" in app_reply.body


@pytest.mark.parametrize("host", [b"[::1", b"a b", b"\xff", b"<script>", b"", b"a';rm -rf x"])
def test_a_strange_host_is_no_server_error(ask, make, host):
    app = make()

    async def with_host(scope, receive, send):
        await app({**scope, "headers": [*HTML, (b"host", host)]}, receive, send)

    reply = ask(with_host, "GET", "/")
    assert reply.status in (200, 400)
    assert b"<script" not in reply.body


def test_the_page_while_loading(ask, make):
    reply = ask(make(slot=ModelSlot()), "GET", "/", headers=HTML)
    assert reply.status == 200
    assert b"still loading" in reply.body


def test_other_clients_get_facts(ask, make):
    found = ask(make("penguins"), "GET", "/").json
    assert found.pop("links") == {
        "docs": "/docs",
        "openapi": "/openapi.json",
        "metrics": "/metrics",
    }
    digest = found["model"].pop("digest")
    assert digest.startswith("sha256:")
    assert found == {
        "title": "ML Model API",
        "model_version": "v7",
        "model": {
            "framework": "scikit-learn",
            "framework_version": "1.0",
            "format": "pickle",
            "task": "classifier",
            "features": ["island", "bill_length_mm", "sex"],
        },
    }


def test_a_projects_own_route_has_the_same_errors(ask, make):
    app = make(max_body=100)

    @app.post("/double")
    def double(numbers: list[float]) -> list[float]:
        return [2 * number for number in numbers]

    @app.post("/fail")
    async def fail(request: Request) -> None:
        raise RuntimeError("secret")

    assert ask(app, "POST", "/double", b"[1, 2]").json == [2, 4]
    assert ask(app, "POST", "/double", b" " * 101).status == 413
    wrong = ask(app, "POST", "/double", json.dumps(["x" * 90]).encode())
    assert (wrong.status, wrong.json["detail"][0]["loc"]) == (422, ["body", 0])
    broken = ask(app, "POST", "/fail")
    assert (broken.status, broken.json["detail"]) == (500, "Internal server error")
