"""A server ends without losing a request that it accepted.

On SIGTERM or SIGINT, in this order:

1. Readiness turns 503 and every answer carries ``Connection: close``; for ``drain`` seconds
   connections are accepted as before, so that load balancers can turn away first.
2. The kernel stops taking new connections (a filter drops SYN packets), those that it had
   completed are accepted, and only then the listening socket closes. Closing it right away
   would reset connections that clients already wrote a request into.
3. Requests under way are finished, for up to ``grace`` seconds. An idle connection is closed
   only when no byte is waiting on it.
4. The process ends with exit code 0.

Guaranteed: a request whose bytes reached this machine on a connection that the kernel completed
is answered, unless it takes longer than ``grace``. Not guaranteed, because HTTP/1.1 has no way to
(RFC 9112, section 9.5): a request on a connection idle for longer than ``drain`` that crosses our
closing on the wire; clients send such a request again. Where the filter is not available (no
Linux) the moment between emptying the queue and closing the socket, some microseconds, is open.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import ctypes
import logging
import os
import select
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import uvicorn

from shipway.serving.options import ServerOptions

__all__ = ["Drain", "refuse_new_connections", "running_server"]

logger = logging.getLogger(__name__)

TICK = 0.02
LINGER = 0.5
"""Seconds that a connection without any request yet gets to send one."""
SETTLE = 0.05
"""Seconds for handshakes that were half done when new ones were shut out."""

SO_ATTACH_FILTER = 26
# Classic BPF over the TCP header, see Linux' Documentation/networking/filter.rst: load the flags'
# byte, drop the packet if SYN is set, let everything else (ACK of a handshake, data) pass.
DROP_SYN = ((0x30, 0, 0, 13), (0x45, 0, 1, 0x02), (0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFFFFFF))


def refuse_new_connections(listener: int) -> bool:
    """Let the kernel ignore new connections to a listening socket, keeping those it completed.

    Works on the socket itself, so for every process that shares it. False: not possible here.
    """
    code = b"".join(struct.pack("=HBBI", *step) for step in DROP_SYN)
    program = ctypes.create_string_buffer(code)
    value = struct.pack("@HP", len(DROP_SYN), ctypes.addressof(program))
    try:
        with socket.socket(fileno=os.dup(listener)) as handle:
            handle.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, value)
    except OSError:
        return False
    return True


def running_server() -> uvicorn.Server | None:
    """The uvicorn server that owns this process's signals; None under any other server.

    The application is handed no reference to the server that runs it; its signal handler is one.
    """
    if threading.current_thread() is not threading.main_thread():
        return None
    owner = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return owner if isinstance(owner, uvicorn.Server) else None


class Drain:
    """Ends one uvicorn server, which runs in the current event loop.

    uvicorn's own handler closes idle connections and sockets at once and afterwards raises the
    signal again, so that the process dies of it; this one takes its place.

    ``begin`` is called first (readiness), ``end`` with an exit code when waiting has no use any
    more: it must end the process. ``sole`` tells that no other process accepts from the same
    socket, so that it may be shut to new connections.
    """

    def __init__(
        self,
        server: uvicorn.Server,
        options: ServerOptions,
        *,
        begin: Callable[[], None],
        end: Callable[[int], None],
        sole: bool,
    ) -> None:
        self._server = server
        self._options = options
        self._begin = begin
        self._end = end
        self._sole = sole
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None
        self._requested = False

    def install(self) -> None:
        """Take over SIGTERM and SIGINT."""
        signal.signal(signal.SIGTERM, lambda *_: self.request())
        signal.signal(signal.SIGINT, lambda *_: self._interrupt())

    def request(self) -> None:
        """Begin, once; from any thread or signal handler."""
        if not self._requested:
            self._requested = True
            with contextlib.suppress(RuntimeError):  # the loop has ended already
                # Not in the context of the request that the signal happened to interrupt.
                self._loop.call_soon_threadsafe(self._start, context=contextvars.Context())

    def _interrupt(self) -> None:
        if self._requested:
            self._end(128 + signal.SIGINT)
        self.request()

    def _start(self) -> None:
        self._task = self._loop.create_task(self._run())

    async def _run(self) -> None:
        options = self._options
        deadline = time.monotonic() + options.drain + options.grace
        # Should a model hold the event loop for good, this thread still ends the process.
        watchdog = threading.Timer(options.drain + options.grace + 1, self._end, (0,))
        watchdog.daemon = True
        watchdog.start()
        before = self._server.server_state.total_requests
        self._begin()
        logger.info(
            "Draining: readiness says 503, new connections for %g s more",
            options.drain,
        )
        # When several processes share the socket, the one that shuts it goes first.
        await asyncio.sleep(options.drain + (0 if self._sole else 2 * SETTLE))
        await self._stop_accepting(deadline)
        cut = await self._finish(deadline)
        answered = self._server.server_state.total_requests
        logger.info(
            "Stopped: %d requests answered, %d of them while draining, %d cut off",
            answered,
            answered - before,
            cut,
        )
        if cut:
            self._end(0)
        watchdog.cancel()
        self._server.should_exit = True

    async def _stop_accepting(self, deadline: float) -> None:
        listeners = [s.fileno() for server in self._server.servers for s in server.sockets]
        if self._sole:
            for listener in listeners:
                refuse_new_connections(listener)
            await asyncio.sleep(SETTLE)
            while _readable(listeners) and time.monotonic() < deadline:  # noqa: ASYNC110
                await asyncio.sleep(0)  # a queue in the kernel sets no event to wait for
        for server in self._server.servers:
            server.close()

    async def _finish(self, deadline: float) -> int:
        """Wait for the requests under way; how many had to be given up."""
        started = time.monotonic()
        connections = self._server.server_state.connections
        while connections:
            now = time.monotonic()
            if now >= deadline:
                return sum(not _idle(connection) for connection in connections)
            for connection in list(connections):
                fresh = getattr(connection, "cycle", None) is None
                if not (fresh and now - started < LINGER) and not _pending(connection):
                    connection.shutdown()
            await asyncio.sleep(TICK)
        return 0


def _readable(handles: Iterable[int]) -> bool:
    poll = select.poll()
    for handle in handles:
        poll.register(handle, select.POLLIN)
    return bool(poll.poll(0))


def _idle(connection: Any) -> bool:
    cycle = getattr(connection, "cycle", None)
    waiting = getattr(connection, "waiting", False)
    return not waiting and (cycle is None or bool(cycle.response_complete))


def _pending(connection: Any) -> bool:
    """Whether a request has begun to arrive on an idle connection."""
    if not _idle(connection):
        return False
    transport = connection.transport
    if transport is None or transport.is_closing():
        return False
    if getattr(connection, "busy", False):
        return True
    begun = getattr(connection, "scope", None)
    answered = getattr(connection.cycle, "scope", None)
    sock = transport.get_extra_info("socket")
    return begun is not answered or (sock is not None and _readable([sock.fileno()]))
