"""Load by wrk: one thread, 32 connections, from the core that the server does not have."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

from bench.process import OUR_CORE
from bench.table import Server

from shipway.loadtest import wrk

CONNECTIONS = 32
LATE = 0.0005
"""Seconds; wrk's timers tick in whole milliseconds."""
CALM = 0.3
"""Cores that others may use; more, and the bench waits a while, and says so."""


@dataclass(frozen=True)
class Load:
    """What wrk counted."""

    rate: float
    """Right answers a second."""
    refused: float
    """Answers a second with a status of 400 or more."""
    broken: int
    """Connections that failed, and answers that took longer than wrk waits."""
    p50: float
    p99: float
    mean: float
    """Milliseconds from a request to its answer."""


def press(
    server: Server, body: str, seconds: int, *, pause: float = 0.0, cores: str = str(OUR_CORE)
) -> Load:
    """Keep 32 requests under way, each connection waiting ``pause`` seconds on average between.

    ``cores`` is where wrk runs.
    """
    counted = wrk.press(
        f"http://127.0.0.1:{server.port}{server.path}",
        [body.encode()],
        connections=CONNECTIONS,
        seconds=seconds,
        pause=pause,
        prefix=("taskset", "-c", cores),
    )
    if counted.cut:
        raise KeyboardInterrupt
    return Load(
        rate=(counted.requests - counted.refused) / counted.seconds,
        refused=counted.refused / counted.seconds,
        broken=counted.broken,
        p50=counted.p50 * 1000,
        p99=counted.p99 * 1000,
        mean=counted.mean * 1000,
    )


def press_at(server: Server, body: str, seconds: int, rate: float) -> Load:
    """Requests of independent clients, about ``rate`` a second in all.

    By Little's law a connection's answer and pause take ``CONNECTIONS / rate`` together; how long
    the answer takes is found out in a second's trial.
    """
    cycle = CONNECTIONS / rate
    trial = press(server, body, 1, pause=cycle)
    pause = cycle - trial.mean / 1000 - LATE
    return press(server, body, seconds, pause=max(pause, cycle / 10))


def lone(server: Server, body: str, count: int = 100) -> float:
    """Milliseconds of a request that comes alone to an idle server: the median of some."""
    took = []
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    with contextlib.closing(connection):
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        head = f"POST {server.path} HTTP/1.1\r\nHost: bench.test\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        for _ in range(count):
            begun = time.perf_counter()
            connection.sock.sendall((head + body).encode())
            response = http.client.HTTPResponse(connection.sock)
            response.begin()
            response.read()
            took.append(time.perf_counter() - begun)
            time.sleep(0.005)
    return statistics.median(took) * 1000


def others_busy(seconds: float = 0.5) -> float:
    """Cores that are busy while we wait: how much of the machine others use."""
    before, begun = _busy(), time.perf_counter()
    time.sleep(seconds)
    return (_busy() - before) / (time.perf_counter() - begun)


def _busy() -> float:
    first = Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
    user, nice, system, _idle, _wait, irq, soft, steal = map(int, first)
    return (user + nice + system + irq + soft + steal) / os.sysconf("SC_CLK_TCK")
