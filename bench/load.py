"""Load by wrk: one thread, 32 connections, from the core that the server does not have."""

from __future__ import annotations

import os
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


def press(server: Server, body: str, seconds: int, *, pause: float = 0.0) -> Load:
    """Keep 32 requests under way, each connection waiting ``pause`` seconds on average between."""
    counted = wrk.press(
        f"http://127.0.0.1:{server.port}{server.path}",
        [body.encode()],
        connections=CONNECTIONS,
        seconds=seconds,
        pause=pause,
        prefix=("taskset", "-c", str(OUR_CORE)),
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


def others_busy(seconds: float = 0.5) -> float:
    """Cores that are busy while we wait: how much of the machine others use."""
    before, begun = _busy(), time.perf_counter()
    time.sleep(seconds)
    return (_busy() - before) / (time.perf_counter() - begun)


def _busy() -> float:
    first = Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
    user, nice, system, _idle, _wait, irq, soft, steal = map(int, first)
    return (user + nice + system + irq + soft + steal) / os.sysconf("SC_CLK_TCK")
