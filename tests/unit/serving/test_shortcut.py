"""The hot path must not be there when anything but our own route would have had a say."""

import logging

import pytest
import uvicorn
from fastapi import Depends, FastAPI
from starlette.middleware.cors import CORSMiddleware
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from shipway.serving.app import build_app
from shipway.serving.hooks import Hooks
from shipway.serving.metrics import Metrics
from shipway.serving.options import ApiOptions
from shipway.serving.shortcut import install
from shipway.serving.slot import ModelSlot
from shipway.serving.slow import WatchedProtocol
from shipway.testing import FixedRuntime, numbers


def make(**options):
    slot = ModelSlot(FixedRuntime(numbers(2), lambda rows: rows[:, 0]))
    return build_app(slot, ApiOptions(), metrics=Metrics(), **options)


def installed(app, *, outer=None, **config):
    config = {"http": "httptools", "ws": "none", "log_config": None} | config
    server = uvicorn.Server(uvicorn.Config(outer or app, **config))
    server.config.load()
    install(server, app)
    return server.config.http_protocol_class


@pytest.mark.parametrize("config", [{}, {"proxy_headers": False}])
def test_our_own_application_takes_it(config):
    kind = installed(make(), **config)
    assert issubclass(kind, HttpToolsProtocol)
    assert kind is not WatchedProtocol


def test_each_application_has_its_own():
    assert installed(make()) is not installed(make())


def with_middleware():
    app = make()
    app.add_middleware(CORSMiddleware, allow_origins=["*"])
    return app, None


def with_a_dependency():
    app = make()
    app.router.dependencies.append(Depends(lambda: None))
    return app, None


def with_a_route_before():
    app = make()
    app.add_api_route("/{name}", lambda name: name, methods=["POST"])
    app.router.routes.insert(0, app.router.routes.pop())
    return app, None


def wrapped():
    app = make()

    async def guard(scope, receive, send):
        await app(scope, receive, send)

    return app, guard


def mounted():
    app, outer = make(), FastAPI()
    outer.mount("/", app)
    return app, outer


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (with_middleware, "the project adds middleware"),
        (with_a_dependency, "the project adds dependencies"),
        (with_a_route_before, "the project answers /predict itself"),
        (wrapped, "the application is wrapped in another one"),
        (mounted, "the application is wrapped in another one"),
    ],
)
def test_a_project_that_changes_the_way_keeps_its_say(change, why, caplog):
    caplog.set_level(logging.INFO)
    app, outer = change()
    assert installed(app, outer=outer) is WatchedProtocol
    assert f"Every request takes the full way: {why}" in caplog.text


@pytest.mark.parametrize("config", [{"limit_concurrency": 5}, {"root_path": "/models/one"}])
def test_what_uvicorn_is_told_keeps_its_say(config):
    assert installed(make(), **config) is WatchedProtocol


def test_hooks_keep_their_say():
    assert installed(make(hooks=Hooks(after=lambda prediction: prediction))) is WatchedProtocol


def test_another_parser_stays():
    assert installed(make(), http="h11") is H11Protocol


def test_an_application_that_offers_nothing_stays():
    assert installed(FastAPI()) is WatchedProtocol
