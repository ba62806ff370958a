"""One server process: the model comes up in the background, newer ones follow, signals drain.

``application`` behaves the same under the plain uvicorn command and under ``run``: all of it
hangs on the ASGI lifespan.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import multiprocessing
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn

from shipway.errors import Error, PortInUseError, SettingError, UnsupportedModelError
from shipway.model.spec import Artifact, ModelSpec
from shipway.ports import Clock, Feed, ModelSource, Runtime, Trial
from shipway.serving import shortcut
from shipway.serving.drain import Drain, running_server
from shipway.serving.metrics import Metrics
from shipway.serving.options import ReloadOptions, ServerOptions
from shipway.serving.reload import Refusals, Taker, Watcher, follow, warm
from shipway.serving.slot import ModelSlot, require_same_features
from shipway.serving.slow import send_away

__all__ = [
    "Lifespan",
    "Parts",
    "application",
    "bind",
    "configure",
    "feeds",
    "lifespan",
    "run",
    "taker",
]

logger = logging.getLogger(__name__)

Lifespan = Callable[[Any], AbstractAsyncContextManager[None]]
BACKLOG = 2048
KEEP_ALIVE = 75
"""Seconds; longer than the 60 s of common load balancers, so that they close first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a serving process is made of; ``wiring`` fills it.

    ``app`` makes the ASGI application around a slot; ``load`` makes bytes a runtime; ``try_out``
    begins a trial of the file at the source's place; ``improve``, where there is one, makes what
    brings the model in service again once a converted file can answer for it; ``version`` is what
    the metrics say of a model that came as a file; ``end`` ends this process at once with an exit
    code, whatever its threads are doing; ``swapped`` is told once of each newer model, however
    many workers take it.
    """

    source: ModelSource
    load: Callable[[Artifact], Runtime]
    try_out: Callable[[], Trial]
    app: Callable[[ModelSlot, Lifespan], Any]
    metrics: Metrics
    version: str
    server: ServerOptions
    reload: ReloadOptions
    clock: Clock
    end: Callable[[int], None]
    improve: Callable[[Callable[[], ModelSpec]], Feed] | None = None
    swapped: Callable[[ModelSpec], None] = lambda _: None


def feeds(parts: Parts, seen: str | None, current: Callable[[], ModelSpec]) -> list[Feed]:
    """What brings models while one is in service; ``current`` says which that is."""
    found: list[Feed] = []
    if parts.reload.enabled:
        found.append(_watcher(parts, seen, current))
    if parts.improve is not None:
        found.append(parts.improve(current))
    return found


def _watcher(parts: Parts, seen: str | None, current: Callable[[], ModelSpec]) -> Watcher:
    return Watcher(
        parts.source,
        parts.try_out,
        current=lambda: current().identity,
        fits=lambda new: require_same_features(current().signature, new),
        refused=Refusals(parts.metrics.refused),
        clock=parts.clock,
        interval=parts.reload.interval,
        seen=seen,
    )


def taker(
    parts: Parts, slot: ModelSlot, *, swapped: Callable[[ModelSpec], None] = lambda _: None
) -> Taker:
    """What puts a newer model into the slot of this process; ``swapped`` is told afterwards."""

    def tell(spec: ModelSpec) -> None:
        parts.metrics.swapped(spec, parts.version)
        swapped(spec)

    return Taker(
        slot=slot,
        load=parts.load,
        swapped=tell,
        converted=lambda spec: parts.metrics.serving(spec, parts.version),
        refused=Refusals(parts.metrics.refused),
    )


def application(
    parts: Parts,
    *,
    failed: Callable[[Error], None],
    ready: Callable[[ModelSpec], None] = lambda _: None,
) -> Any:
    """The ASGI application of one process that loads its model itself and watches the file.

    ``failed`` is told when the first model cannot be loaded (readiness stays 503: it should end
    the process), ``ready`` when it answers. Both are called from a thread.
    """
    slot = ModelSlot()

    def bring_models(stop: threading.Event, _: Callable[[], None]) -> None:
        try:
            seen = parts.source.fingerprint()
            slot.swap(warm(parts.load(parts.source.read())))
        except Error as error:
            failed(error)
            return
        except (Exception, MemoryError) as exc:
            logger.exception("The model could not be loaded")
            failed(UnsupportedModelError(f"The model could not be loaded: {exc!r}"))
            return
        parts.metrics.serving(slot.current.spec, parts.version)
        if slot.state == "draining":  # somebody gave up on it: nothing to announce
            return
        ready(slot.current.spec)
        take = taker(parts, slot, swapped=parts.swapped)
        follow(feeds(parts, seen, lambda: slot.current.spec), take, stop)

    sole = multiprocessing.parent_process() is None
    return parts.app(slot, lifespan(parts, slot, bring_models, sole=sole))


def lifespan(
    parts: Parts,
    slot: ModelSlot,
    work: Callable[[threading.Event, Callable[[], None]], None],
    *,
    sole: bool,
) -> Lifespan:
    """An ASGI lifespan that runs ``work(stop, leave)`` in a thread and drains on a signal.

    ``stop`` is set when the server ends; ``leave()`` asks it to drain and end.
    """

    @asynccontextmanager
    async def manage(app: Any) -> AsyncIterator[None]:
        stop = threading.Event()
        parts.metrics.start()
        server = running_server()
        leave: Callable[[], None] = slot.drain
        watch: asyncio.Task[None] | None = None
        if server is not None:
            drain = Drain(server, parts.server, begin=slot.drain, end=parts.end, sole=sole)
            drain.install()
            leave = drain.request
            shortcut.install(server, app)
            connections = server.server_state.connections
            watch = asyncio.create_task(
                send_away(connections, parts.server.arrival, time.monotonic)
            )
        # A daemon: a model that takes minutes to load must not keep a stopped server alive.
        thread = threading.Thread(target=work, args=(stop, leave), name="models", daemon=True)
        thread.start()
        try:
            yield
        finally:
            slot.drain()
            stop.set()
            if watch is not None:
                watch.cancel()
            # Lets a trial that is under way be ended; it is not waited for longer than that.
            await asyncio.to_thread(thread.join, 0.5)

    return manage


def configure(app: Any, options: ServerOptions) -> uvicorn.Config:
    """How uvicorn runs ``app``; logging is set up by ours alone."""
    return uvicorn.Config(
        app,
        host=options.host,
        port=options.port,
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        # Its lines about starting and stopping say what ours say, four times over.
        log_level="warning",
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE,
    )


def run(parts: Parts, listener: socket.socket, ready: Callable[[ModelSpec], None]) -> None:
    """Serve in this process until a signal ends it.

    Raises:
        shipway.errors.ModelError: the first model cannot be loaded.
    """
    failures: list[Error] = []

    def failed(error: Error) -> None:
        failures.append(error)
        server.should_exit = True

    server = uvicorn.Server(configure(application(parts, failed=failed, ready=ready), parts.server))
    server.run(sockets=[listener])
    if failures:
        raise failures[0]


def bind(options: ServerOptions) -> socket.socket:
    """A bound socket at the address that the options name; port 0 takes a free one.

    Raises:
        shipway.errors.PortInUseError: another program listens there.
        shipway.errors.SettingError: no such address, or no right to take the port.
    """
    host, port = options.host, options.port
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, UnicodeError, OverflowError) as exc:
        raise SettingError(
            f"There is no address {host!r} to listen on: {exc}",
            "--host 127.0.0.1 serves this machine only, --host 0.0.0.0 every network.",
        ) from exc
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as exc:
        listener.close()
        raise _cannot_listen(exc, host, port) from exc
    return listener


def _cannot_listen(exc: OSError, host: str, port: int) -> Error:
    if exc.errno == errno.EADDRINUSE:
        return PortInUseError(
            f"Port {port} on {host} is in use by another program",
            f"End that program (ss -ltnp 'sport = :{port}' names it), or choose another port: "
            "--port 0 takes any free one.",
        )
    if exc.errno == errno.EACCES:
        return SettingError(
            f"Port {port} needs the rights of the administrator",
            "Choose a port of 1024 or above: --port 8000",
        )
    return SettingError(
        f"Cannot listen on {host}, port {port}: {exc.strerror}",
        "--host 127.0.0.1 serves this machine only, --host 0.0.0.0 every network.",
    )
