"""The ASGI application: routes, and the way of a request from bytes to bytes."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

from fastapi import FastAPI, Request
from fastapi.exception_handlers import http_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.exceptions import HTTPException

from shipway.errors import Error, InputError, MediaTypeError, RequestError
from shipway.model.signature import Outputs, Signature
from shipway.serving import pages
from shipway.serving.batching import Batcher
from shipway.serving.cache import ResponseCache
from shipway.serving.dialects.native import encode
from shipway.serving.hooks import CompiledHooks, Hooks, compile_hooks
from shipway.serving.metrics import Metrics
from shipway.serving.observe import Observe, log_problem
from shipway.serving.openapi import describe
from shipway.serving.options import ApiOptions, BatchingOptions, CacheOptions
from shipway.serving.problems import from_fastapi, render
from shipway.serving.shortcut import offer
from shipway.serving.slot import Loaded, ModelSlot
from shipway.serving.turn import Turn

__all__ = ["build_app"]

logger = logging.getLogger(__name__)

_LARGE = 256 * 1024
"""Bytes; reading a larger body takes milliseconds, which other requests need not wait for."""


def build_app(
    slot: ModelSlot,
    api: ApiOptions,
    *,
    metrics: Metrics,
    hooks: Hooks | None = None,
    lifespan: Callable[[FastAPI], Any] | None = None,
    model_version: str = "",
    batching: BatchingOptions | None = None,
    cache: CacheOptions | None = None,
) -> FastAPI:
    """The application that answers for the model in ``slot``, which may still be empty.

    Raises:
        SettingError: the hooks are not functions that can be called.
    """
    compiled = compile_hooks(hooks or Hooks())
    options = batching or BatchingOptions()
    kept = _cache(cache, metrics) if cache and cache.enabled else None
    batcher = Batcher(
        mode=options.mode,
        most_rows=options.max_rows,
        most_waiting=options.max_waiting,
        observe=metrics.called,
        around=kept.answer if kept is not None else None,
    )

    def told(loaded: Loaded) -> None:
        if kept is not None:
            kept.clear()
        _announce(loaded, batcher, metrics)

    slot.tell(told)
    app = FastAPI(title=api.title, version=api.version, lifespan=lifespan)
    app.add_middleware(Observe, slot=slot, metrics=metrics, max_body=api.max_body)
    app.add_exception_handler(Error, _on_error)
    app.add_exception_handler(RequestValidationError, _on_fastapi_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    answer = _predict_route(slot, api, batcher, options.timeout, compiled)
    app.add_api_route("/predict", answer, methods=["POST"], summary="Ask the model", tags=["model"])
    if compiled.plain:
        turn = Turn(slot, batcher, metrics, max_rows=api.max_rows, timeout=options.timeout)
        offer(app, turn, answer)
    _add_health(app, slot)
    _add_pages(app, slot, api, metrics, model_version)
    _set_openapi(app, slot, api, compiled)
    return app


def _cache(options: CacheOptions, metrics: Metrics) -> ResponseCache:
    def answered(loaded: Loaded, outputs: Outputs) -> None:
        metrics.said(loaded.signature, outputs)

    return ResponseCache(options, clock=time.monotonic, count=metrics.cached, answered=answered)


def _announce(loaded: Loaded, batcher: Batcher, metrics: Metrics) -> None:
    cost, inline = loaded.cost, batcher.inline(loaded, 1)
    metrics.measured(cost, inline=inline)
    logger.info(
        "A call of the model takes %.3f ms for 1 row, %.3f for 8, %.3f for 64: calls are made %s",
        cost.one * 1000,
        cost.few * 1000,
        cost.many * 1000,
        "on the event loop" if inline else "in a thread, together with what waits",
        extra={"event": "model_measured"},
    )


def _predict_route(
    slot: ModelSlot,
    api: ApiOptions,
    batcher: Batcher,
    timeout: float,
    hooks: CompiledHooks,
) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        _require_json(request)
        patience = _patience(request, timeout)
        body = await request.body()
        loaded = slot.loaded
        if hooks.reader is not None:
            decoded = await hooks.reader.decode(loaded.signature, body)
        elif len(body) > _LARGE:
            decoded = await asyncio.to_thread(loaded.decode, body, api.max_rows)
        else:
            decoded = loaded.decode(body, api.max_rows)
        request.state.rows = len(decoded.rows)
        try:
            came = await batcher.predict(loaded, decoded.rows, patience=patience)
        except InputError as exc:
            raise decoded.located(exc) from exc
        if hooks.writer is not None:
            content = await hooks.writer.encode(came.outputs, batch=decoded.batch)
        else:
            content = encode(came.outputs, batch=decoded.batch)
        return Response(content, media_type="application/json")

    return answer


def _patience(request: Request, most: float) -> float:
    """Seconds that the client waits: what it says in X-Request-Timeout, at most ours."""
    given = request.headers.get("x-request-timeout")
    if given is None:
        return most
    try:
        seconds = float(given)
    except ValueError:
        seconds = math.nan
    if not seconds > 0:
        raise RequestError(
            f"X-Request-Timeout is {given[:40]!r}, expected seconds greater than 0.",
            "Send a number such as 0.5, or leave the header out.",
        )
    return min(seconds, most)


def _add_health(app: FastAPI, slot: ModelSlot) -> None:
    def state(word: str) -> Response:
        now = slot.state
        if now == "ready":
            return JSONResponse({"status": word})
        return JSONResponse({"status": now}, 503, {"retry-after": "1"})

    @app.get("/health", summary="Whether the model answers", tags=["health"])
    async def health() -> Response:
        return state("healthy")

    @app.get("/health/ready", summary="Whether to send requests here", tags=["health"])
    async def ready() -> Response:
        return state("ready")

    @app.get("/health/live", summary="Whether the process runs", tags=["health"])
    async def live() -> Response:
        return JSONResponse({"status": "alive"})


def _add_pages(
    app: FastAPI, slot: ModelSlot, api: ApiOptions, metrics: Metrics, model_version: str
) -> None:
    @app.get("/metrics", summary="Numbers for Prometheus", tags=["operations"])
    async def scrape(request: Request) -> Response:
        content, content_type = metrics.render(request.headers.get("accept", ""))
        return Response(content, headers={"content-type": content_type})

    @app.get("/", include_in_schema=False)
    async def index(request: Request) -> Response:
        spec = None if slot.state == "loading" else slot.current.spec
        if "text/html" in request.headers.get("accept", ""):
            url = str(request.base_url)
            page = pages.index(api.title, model_version, spec, url=url)
            return HTMLResponse(page, headers={"content-security-policy": pages.POLICY})
        return JSONResponse(pages.facts(api.title, model_version, spec))


def _set_openapi(app: FastAPI, slot: ModelSlot, api: ApiOptions, hooks: CompiledHooks) -> None:
    request, response, schemas = hooks.schemas()
    kept: tuple[Signature | None, int, dict[str, Any]] | None = None

    def openapi() -> dict[str, Any]:
        nonlocal kept
        signature = None if slot.state == "loading" else slot.loaded.signature
        count = len(app.routes)
        if kept is None or kept[0] is not signature or kept[1] != count:
            document = get_openapi(title=api.title, version=api.version, routes=app.routes)
            describe(
                document,
                signature,
                max_rows=api.max_rows,
                request=request,
                response=response,
                schemas=schemas,
            )
            kept = (signature, count, document)
        return kept[2]

    app.openapi = openapi  # type: ignore[method-assign]


def _require_json(request: Request) -> None:
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise MediaTypeError(
            f"The body has the content encoding {encoding[:80]!r}, which is not read here.",
            "Send the JSON as it is, without Content-Encoding.",
        )
    given = request.headers.get("content-type", "")
    kind = given.partition(";")[0].strip().lower()
    if kind in ("", "application/json") or (
        kind.startswith("application/") and kind.endswith("+json")
    ):
        return
    raise MediaTypeError(
        f"The body is declared as {kind[:80]!r}, expected application/json.",
        "Set the header, with curl: -H 'Content-Type: application/json'.",
    )


async def _on_error(request: Request, exc: Exception) -> Response:
    error = cast("Error", exc)
    log_problem(error)
    problem = render(error, request.state.request_id)
    return Response(problem.body, problem.status, dict(problem.headers))


async def _on_fastapi_error(request: Request, exc: Exception) -> Response:
    found = cast("RequestValidationError", exc).errors()
    problem = render(from_fastapi(found), request.state.request_id)
    return Response(problem.body, problem.status, dict(problem.headers))


async def _on_http_exception(request: Request, exc: Exception) -> Response:
    # FastAPI says 400 for whatever goes wrong while it reads the body of a project's own route.
    if isinstance(exc.__cause__, Error):
        return await _on_error(request, exc.__cause__)
    return await http_exception_handler(request, cast("HTTPException", exc))
