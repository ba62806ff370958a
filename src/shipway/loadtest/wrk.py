"""Load by wrk, where it is installed: it needs less of the machine than any Python.

wrk (https://github.com/wg/wrk) keeps every connection busy: a closed loop, which is what a server's
saturation is measured with. It does not tell statuses apart.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shipway.errors import LoadTestError

__all__ = ["Counted", "installed", "press"]

_SCRIPT = Path(__file__).with_name("load.lua")
_PATIENCE = 20
"""Seconds after which wrk counts an answer as lost."""
_TICK = 0.1
_LAST_WORDS = 30.0


@dataclass(frozen=True, slots=True)
class Counted:
    """What wrk counted; times in seconds."""

    seconds: float
    requests: int
    """Whole answers, of any status."""
    refused: int
    """Answers with a status of 400 or more."""
    broken: int
    """Connections that failed, and answers that took longer than wrk waits."""
    p50: float
    p90: float
    p99: float
    mean: float
    busy: float
    """Share of one core that wrk used."""
    cut: bool
    """Ended early by Ctrl-C."""


def installed() -> bool:
    """Whether there is a wrk to be called."""
    return shutil.which("wrk") is not None


def press(
    url: str,
    bodies: Sequence[bytes],
    *,
    connections: int,
    seconds: int,
    pause: float = 0.0,
    prefix: Sequence[str] = (),
    tick: Callable[[float], None] = lambda _: None,
) -> Counted:
    """Ask with one thread; each connection waits ``pause`` seconds on average between requests.

    ``bodies`` are single lines, sent in turn; ``prefix`` is a command that runs wrk (taskset);
    ``tick`` hears of the time.

    Raises:
        shipway.errors.LoadTestError: wrk failed.
    """
    command = [*prefix, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s"]
    command += ["--timeout", f"{_PATIENCE}s", "-s", str(_SCRIPT), url]
    with tempfile.NamedTemporaryFile(prefix="shipway-load-") as file:
        file.write(b"\n".join(bodies) + b"\n")
        file.flush()
        environ = os.environ | {"LOAD_BODIES": file.name, "LOAD_PAUSE_MS": str(pause * 1000)}
        before, begun = _used(), time.monotonic()
        text, cut = _run(command, environ, tick)
        busy = (_used() - before) / (time.monotonic() - begun)
    told = [line for line in text.splitlines() if line.startswith("RESULT ")]
    if not told:
        last = text.strip().splitlines() or ["it said nothing"]
        raise LoadTestError(f"wrk failed: {last[-1]}")
    return _counted(json.loads(told[-1].removeprefix("RESULT ")), busy=busy, cut=cut)


def _counted(found: dict[str, Any], *, busy: float, cut: bool) -> Counted:
    seconds = {name: found[name] / 1e6 for name in ("p50", "p90", "p99", "mean")}
    counts = {name: found[name] for name in ("requests", "refused", "broken")}
    return Counted(seconds=found["microseconds"] / 1e6, busy=busy, cut=cut, **counts, **seconds)


def _run(
    command: Sequence[str], environ: dict[str, str], tick: Callable[[float], None]
) -> tuple[str, bool]:
    """What it printed, and whether Ctrl-C ended it; wrk then tells what it has."""
    begun = time.monotonic()
    with subprocess.Popen(  # noqa: S603 - no shell, and the URL was parsed
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environ
    ) as process:
        try:
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    return process.communicate(timeout=_TICK)[0], False
                tick(time.monotonic() - begun)
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.communicate(timeout=_LAST_WORDS)[0], True
            return "", True
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()


def _used() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime
