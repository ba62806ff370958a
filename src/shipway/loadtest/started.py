"""A server of our own for the time of a test: on a free port, and ended whatever happens."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import IO

from shipway.errors import LoadTestError
from shipway.loadtest.target import Target, parse_url

__all__ = ["serving"]

_GREETING = re.compile(r"^Serving .* on (http://\S+)$", re.MULTILINE)
_START = 300.0
"""Seconds for a model to load."""
_STOP = 20.0
_LOOK = 0.05
# A line for each request would measure the disk; docs/benchmarks.md leaves them out as well.
_QUIET = ("--log-level", "warning", "--host", "127.0.0.1", "--port", "0")


@contextlib.contextmanager
def serving(
    arguments: Sequence[str],
    *,
    environ: Mapping[str, str] | None = None,
    program: Sequence[str] = (sys.executable, "-m", "shipway", "serve"),
) -> Iterator[Target]:
    """Run ``shipway serve`` with these arguments until the block ends.

    Raises:
        shipway.errors.LoadTestError: it ends at its start, or does not answer in time; with the
            server's own words.
    """
    with tempfile.TemporaryFile() as said:
        # In a session of its own: Ctrl-C is for us, and we end it when we have our numbers.
        process = subprocess.Popen(  # noqa: S603 - our own program, no shell
            [*program, *_QUIET, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            env=environ,
            start_new_session=True,
        )
        try:
            yield _greeted(process, said)
        finally:
            _end(process)


def _greeted(process: subprocess.Popen[bytes], said: IO[bytes]) -> Target:
    deadline = time.monotonic() + _START
    while True:
        ended = process.poll() is not None
        text = _text(said)
        if found := _GREETING.search(text):
            return parse_url(found[1])
        if ended:
            raise _failed(text, process.returncode)
        if time.monotonic() > deadline:
            raise LoadTestError(f"The model did not answer within {_START:g} s")
        time.sleep(_LOOK)


def _text(said: IO[bytes]) -> str:
    # pread leaves the place alone at which the server goes on writing.
    size = os.fstat(said.fileno()).st_size
    return os.pread(said.fileno(), size, 0).decode("utf-8", "replace")


def _failed(text: str, code: int) -> LoadTestError:
    told = re.search(r"^error: (.*)$", text, re.MULTILINE)
    hint = re.search(r"^hint: (.*)$", text, re.MULTILINE)
    last = text.strip().splitlines() or [f"exit code {code}"]
    return LoadTestError(
        f"The server could not start: {told[1] if told else last[-1]}", hint[1] if hint else ""
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_STOP)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
