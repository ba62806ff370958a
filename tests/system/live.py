"""Real server processes on real sockets, real models, and a client that counts what is lost."""

import asyncio
import contextlib
import json
import os
import pickle
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
import psutil
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

PATIENCE = 90.0
"""Seconds; a busy machine may take half a minute to import scikit-learn."""

SERVE = (sys.executable, "-m", "shipway", "serve", "--port", "0")
UVICORN = (sys.executable, "-m", "uvicorn", "src.serve:app", "--port", "0")
PROJECT = "from shipway import create_app\n\napp = create_app()\n"
ROW = [5.1, 3.5, 1.4, 0.2]


def model(version: int, *, features: int = 4) -> bytes:
    """A pickled pipeline whose every answer names its version."""
    rng = np.random.default_rng(version)
    rows = rng.normal(size=(20, features))
    labels = np.array([f"v{version}-a", f"v{version}-b"] * 10)
    return pickle.dumps(make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, labels))


def put(path: Path, data: bytes) -> None:
    """Replace a file by renaming, so that nobody sees a part of it."""
    aside = path.with_name(f".{path.name}.new")
    aside.write_bytes(data)
    aside.replace(path)


def until(condition: Callable[[], object], what: str, patience: float = PATIENCE) -> None:
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, f"waited {patience:g} s for {what}"
        time.sleep(0.05)


@dataclass
class Live:
    """A server process; what it says goes to ``log``."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def text(self) -> str:
        return self.log.read_text(errors="replace")

    @property
    def port(self) -> int:
        found = re.search(r" on http://[^ /:]+:(\d+)", self.text)
        assert found, self.text
        return int(found[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait_for(self, text: str, count: int = 1, patience: float = PATIENCE) -> None:
        def there() -> bool:
            assert self.process.poll() is None or self.text.count(text) >= count, self.text[-3000:]
            return self.text.count(text) >= count

        until(there, f"{text!r} in\n{self.text[-3000:]}", patience)

    def wait_ready(self) -> None:
        self.wait_for(" on http://")
        until(lambda: self.status("/health/ready") == 200, "readiness")

    def status(self, path: str) -> int | None:
        try:
            return httpx.get(self.url + path, timeout=30).status_code
        except httpx.TransportError:
            return None

    def predict(self, row: Sequence[float] = ROW) -> str:
        answer = httpx.post(f"{self.url}/predict", json={"features": row}, timeout=30)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["prediction"])

    def sample(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that carry these labels."""
        lines = httpx.get(f"{self.url}/metrics", timeout=30).text.splitlines()
        total = 0.0
        for line in lines:
            series, _, value = line.rpartition(" ")
            if re.match(rf"{name}(\{{|$)", series) and all(
                f'{key}="{label}"' in series for key, label in labels.items()
            ):
                total += float(value)
        return total

    def digest(self) -> str:
        """The model's, as /metrics tell it."""
        found = re.search(r'digest="([^"]+)"', httpx.get(f"{self.url}/metrics", timeout=30).text)
        assert found
        return found[1]

    def workers(self) -> list[int]:
        """The process ids of what was forked or spawned to answer."""
        with contextlib.suppress(psutil.NoSuchProcess):
            children = psutil.Process(self.process.pid).children()
            return [
                child.pid
                for child in children
                if child.status() != psutil.STATUS_ZOMBIE and not _is_trial(child)
            ]
        return []

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=PATIENCE)


def _is_trial(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        words = process.cmdline()
        return "check" in words or "--inside" in words or "resource_tracker" in str(words)
    return True


@contextlib.contextmanager
def started(
    command: Sequence[str], cwd: Path, environ: Mapping[str, str] | None = None
) -> Iterator[Live]:
    """Start a server in ``cwd``; whatever becomes of the test, nothing of it stays."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SHIPWAY_", "MODEL_", "PROMETHEUS_"))
    }
    settings = {
        "SHIPWAY_RELOAD_INTERVAL": "0.2",
        "SHIPWAY_CONVERT_MODE": "off",
        "PYTHONUNBUFFERED": "1",
    }
    log = cwd / f"server-{time.monotonic_ns()}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**clean, **settings, **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        yield Live(process, log)
    finally:
        for child in _family(process.pid):
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        process.wait(timeout=30)


def _family(pid: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        return [*parent.children(recursive=True), parent]
    return []


@dataclass
class Tally:
    """What became of the requests of one load."""

    answers: list[tuple[float, float, int, bytes]] = field(default_factory=list)
    """When it was sent and answered (monotonic seconds), status, body."""
    lost: list[str] = field(default_factory=list)
    """Requests on an established connection that got no whole answer."""
    refused: int = 0
    """Connections that were not established."""

    def statuses(self) -> set[int]:
        return {status for _, _, status, _ in self.answers}


async def load(
    port: int,
    *,
    connections: int,
    stop: Callable[[Tally], bool],
    pause: float = 0.0,
    keep: bool = True,
    bodies: Sequence[bytes] = (json.dumps({"features": ROW}).encode(),),
    path: str = "/predict",
) -> Tally:
    """Send requests over ``connections`` connections at a time until ``stop`` says so.

    ``keep`` reuses a connection until the server says that it closes it.
    """
    tally = Tally()

    async def one(index: int) -> None:
        stream = None
        turn = index
        while not stop(tally):
            if stream is None:
                try:
                    stream = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    tally.refused += 1
                    await asyncio.sleep(0.05)
                    continue
            turn += 1
            sent = time.monotonic()
            try:
                status, closes, body = await exchange(stream, bodies[turn % len(bodies)], path)
            except (OSError, EOFError, ValueError) as exc:
                tally.lost.append(f"{sent:.3f}: {exc!r}")
                closes = True
            else:
                tally.answers.append((sent, time.monotonic(), status, body))
            if closes or not keep:
                stream[1].close()
                stream = None
            if pause:
                await asyncio.sleep(pause)
        if stream is not None:
            stream[1].close()

    await asyncio.gather(*(one(index) for index in range(connections)))
    return tally


async def exchange(
    stream: tuple[asyncio.StreamReader, asyncio.StreamWriter], body: bytes, path: str
) -> tuple[int, bool, bytes]:
    """One request and its answer: status, whether the server closes, body."""
    reader, writer = stream
    head = f"POST {path} HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    answer = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = re.search(r"content-length: (\d+)", answer)
    if not length:
        raise ValueError(f"no length in {answer!r}")
    content = await reader.readexactly(int(length[1]))
    return int(answer.split()[1]), "connection: close" in answer, content
