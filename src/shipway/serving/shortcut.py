"""Whether the hot path may be taken, and its installation in a server.

It answers ``/predict`` before the application sees the request, so it must not be there when
anything but our own route would have had a say: a middleware that a project added (authentication,
CORS), an application wrapped around ours, a route of the project's own at that path.
"""

from __future__ import annotations

import logging
from typing import Any

import uvicorn
from fastapi import FastAPI
from starlette.routing import Match
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from shipway.serving.protocol import protocol_class
from shipway.serving.slow import WatchedProtocol
from shipway.serving.turn import Turn

__all__ = ["install", "offer"]

logger = logging.getLogger(__name__)

PREDICT = {"type": "http", "method": "POST", "path": "/predict", "headers": [], "root_path": ""}


def offer(app: FastAPI, turn: Turn, endpoint: Any) -> None:
    """Say that ``turn`` answers what ``endpoint`` would; the application is ready but for this."""
    app.state.shortcut = turn, endpoint, list(app.user_middleware)


def install(server: uvicorn.Server, app: Any) -> None:
    """Let new connections of this server take the hot path, where ``app`` allows it."""
    offered = getattr(app.state, "shortcut", None)
    config = server.config
    if config.http_protocol_class is not HttpToolsProtocol:
        return
    config.http_protocol_class = WatchedProtocol
    if offered is None:
        return
    turn, endpoint, middleware = offered
    why = _server_wants(config) or _why_not(
        app, _outermost(config.loaded_app), endpoint, middleware
    )
    if why:
        logger.info("Every request takes the full way: %s", why)
        return
    config.http_protocol_class = protocol_class(turn)
    logger.debug("Plain predictions are answered below ASGI")


def _server_wants(config: uvicorn.Config) -> str:
    if config.limit_concurrency is not None:
        return "uvicorn limits the concurrency"
    return "uvicorn sets a root path" if config.root_path else ""


def _outermost(app: Any) -> Any:
    # uvicorn's own: it sets the client's address, which no answer depends on.
    return app.app if isinstance(app, ProxyHeadersMiddleware) else app


def _why_not(app: FastAPI, outermost: Any, endpoint: Any, middleware: list[Any]) -> str:
    if outermost is not app:
        return "the application is wrapped in another one"
    if app.user_middleware != middleware:
        return "the project adds middleware"
    if app.router.dependencies:
        return "the project adds dependencies"
    for route in app.routes:
        if route.matches(dict(PREDICT))[0] is Match.FULL:
            found = getattr(route, "endpoint", None)
            return "" if found is endpoint else "the project answers /predict itself"
    return "there is no /predict"
