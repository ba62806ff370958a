"""A server as a process tree of its own, pinned to one core, that leaves nothing behind."""

from __future__ import annotations

import contextlib
import ctypes
import http.client
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil
from bench import models
from bench.table import PEERS, Server

SERVER_CORE, OUR_CORE = 0, 1
PR_SET_CHILD_SUBREAPER = 36
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class FailedError(Exception):
    """A server that does not start, or answers wrongly; the message has its last words."""


@dataclass(frozen=True)
class Running:
    """A server that gave the right answer once."""

    server: Server
    body: str
    start: float
    """Seconds from the start of the process to the first right answer."""


def take_our_core() -> None:
    """Run on the second core, and become the parent of whatever a server leaves behind."""
    # So that the server of the moment is ended too.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    os.sched_setaffinity(0, {OUR_CORE})
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


@contextlib.contextmanager
def serving(
    server: Server,
    kind: str,
    model: Path | None,
    bin_folder: Path,
    *,
    cores: str = str(SERVER_CORE),
) -> Iterator[Running]:
    """Start a server, wait for its first right answer, and end all its processes afterwards.

    ``cores`` is where it runs.

    Raises:
        FailedError: it ends, or gives another answer, or none in time.
    """
    work = Path(tempfile.mkdtemp(prefix="bench"))
    known = {"port": str(server.port), "model": str(model or ""), "work": str(work)}
    known |= {"bin": str(bin_folder), "python": str(bin_folder / "python"), "peers": str(PEERS)}
    for name, text in server.files.items():
        (work / name).write_text(_fill(text, known))
    command = ["taskset", "-c", cores]
    command += [_fill(part, known) for part in server.command]
    environ = os.environ | ONE_THREAD
    environ |= {name: _fill(value, known) for name, value in server.variables.items()}
    environ |= {"BENCH_MODEL": known["model"], "BENCH_PORT": known["port"], "TMPDIR": str(work)}
    environ |= {"BENCH_WORK": str(work), "PYTHONPATH": str(PEERS)}
    environ["PATH"] = f"{bin_folder}:{environ['PATH']}:/usr/sbin"
    log = work / "log.txt"
    others = set(psutil.Process().children(recursive=True))
    try:
        with log.open("wb") as output:
            begun = time.perf_counter()
            process = subprocess.Popen(
                command,
                cwd=work,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        try:
            yield _first_answer(server, kind, process, log, begun)
        finally:
            _end(process, others)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _fill(text: str, known: Mapping[str, str]) -> str:
    for name, value in known.items():
        text = text.replace("{" + name + "}", value)
    return text


def _first_answer(
    server: Server, kind: str, process: subprocess.Popen[bytes], log: Path, begun: float
) -> Running:
    body = server.request(models.row())
    last = "no answer"
    while time.perf_counter() - begun < server.patience and process.poll() is None:
        try:
            status, answer = ask(server, body)
        except (OSError, http.client.HTTPException) as exc:
            last = repr(exc)
        else:
            start = time.perf_counter() - begun
            if status == 200:
                _judge(server, kind, answer)
                return Running(server, body, start)
            last = f"{status} {answer[:500]!r}"
        time.sleep(0.02)
    words = log.read_text(errors="replace")[-1500:]
    raise FailedError(f"{server.title} does not answer: {last}\n{words}")


def ask(server: Server, body: str) -> tuple[int, bytes]:
    """Send one request."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    with contextlib.closing(connection):
        connection.request("POST", server.path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()


def _judge(server: Server, kind: str, answer: bytes) -> None:
    if not server.model:
        return
    label, confidence = server.understand(answer)
    right, sure = models.answer(kind)
    wrong = label is not None and float(label) != right
    if wrong or confidence is None or abs(confidence - sure) > models.TOLERANCE:
        raise FailedError(f"{server.title} answers {answer[:300]!r}, not {right:g} at {sure}")


def memory() -> int:
    """Bytes (PSS) of all processes of the server: ours is the only other one."""
    return sum(_pss(process.pid) for process in psutil.Process().children(recursive=True))


def _pss(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def _end(process: subprocess.Popen[bytes], others: set[psutil.Process]) -> None:
    """First politely, then all that has come to descend from us: so does a server's daemon."""
    process.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(10)
    left = [one for one in psutil.Process().children(recursive=True) if one not in others]
    for one in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()
    psutil.wait_procs(left, 10)
    process.wait(10)
