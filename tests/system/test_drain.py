"""A server ends without losing a request that it accepted; needs nothing but the machine."""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import psutil
import pytest
from tests.system.live import PROJECT, SERVE, UVICORN, Live, load, model, put, started, until

SLOW = """
import asyncio
from dataclasses import dataclass

from shipway import create_app


@dataclass
class Asked:
    wait: float


async def before(asked: Asked) -> list:
    await asyncio.sleep(asked.wait)
    return [1.0, 2.0, 3.0, 4.0]


app = create_app(before=before)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for folder in ("src", "models"):
        (tmp_path / folder).mkdir()
    (tmp_path / "src" / "serve.py").write_text(PROJECT)
    put(tmp_path / "models" / "model.pkl", model(0))
    return tmp_path


class Load(threading.Thread):
    """Requests from many connections until the server is gone."""

    def __init__(self, port: int, *, keep: bool, body: bytes) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.keep = keep
        self.body = body
        self.readiness: list[int | None] = []

    def run(self) -> None:
        self.tally = asyncio.run(
            load(
                self.port,
                connections=16,
                keep=self.keep,
                pause=0.002,
                bodies=(self.body,),
                # Refused more often than there are connections: the socket is closed for good.
                stop=lambda tally: tally.refused > 20,
            )
        )


PLAIN = json.dumps({"features": [1, 2, 3, 4]}).encode()


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("keep", [True, False], ids=["keep-alive", "new connections"])
@pytest.mark.parametrize(
    "command",
    [SERVE, (*SERVE, "--workers", "2"), UVICORN],
    ids=["serve", "serve --workers 2", "uvicorn"],
)
def test_sigterm_under_load_loses_nothing(project, command, keep):
    with started(command, project) as live:
        live.wait_ready()
        client = Load(live.port, keep=keep, body=PLAIN)
        client.start()
        until(lambda: live.sample("shipway_requests_total", route="/predict") > 200, "load")
        seen = []
        live.process.send_signal(signal.SIGTERM)
        while (status := live.status("/health/ready")) is not None:
            seen.append(status)
        client.join(timeout=60)
        assert live.process.wait(timeout=30) == 0
    assert 503 in seen, "readiness said nothing before the socket closed"
    assert seen == sorted(seen), "readiness came back"
    assert client.tally.lost == []
    assert client.tally.statuses() == {200}
    assert "0 cut off" in live.text
    assert "Traceback" not in live.text


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_requests_under_way_are_finished(project):
    """Eight requests of two seconds, the last sent a moment before the signal."""
    (project / "src" / "serve.py").write_text(SLOW)
    with started(UVICORN, project) as live:
        live.wait_ready()
        answers = asyncio.run(_slow(live, [2.0] * 8))
        assert live.process.wait(timeout=30) == 0
        assert answers == [200] * 8
        assert "8 of them while draining, 0 cut off" in live.text


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_what_takes_longer_than_the_grace_is_cut_off_and_said(project):
    (project / "src" / "serve.py").write_text(SLOW)
    with started(UVICORN, project, {"SHIPWAY_SERVE_GRACE": "1"}) as live:
        live.wait_ready()
        began = time.monotonic()
        answers = asyncio.run(_slow(live, [0.5, 0.5, 60.0]))
        assert live.process.wait(timeout=30) == 0
        assert time.monotonic() - began < 20
        assert sorted(map(str, answers)) == ["200", "200", "None"]
        assert "1 cut off" in live.text
        assert "Traceback" not in live.text


async def _slow(live: Live, waits: list[float]) -> list[int | None]:
    """Send requests that take so long, then SIGTERM; their statuses."""

    async def one(wait: float) -> int | None:
        body = json.dumps({"wait": wait}).encode()
        tally = await load(
            live.port, connections=1, bodies=(body,), stop=lambda t: bool(t.answers or t.lost)
        )
        return tally.answers[0][2] if tally.answers else None

    tasks = [asyncio.create_task(one(wait)) for wait in waits]
    await asyncio.sleep(0.4)
    live.process.send_signal(signal.SIGTERM)
    return await asyncio.gather(*tasks)


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_connections_that_the_kernel_completed_are_answered(project):
    """A stopped process accepts nothing; what clients wrote meanwhile is answered all the same."""
    with started((*SERVE, "--no-reload"), project, {"SHIPWAY_SERVE_DRAIN": "0"}) as live:
        live.wait_ready()
        port = live.port
        live.process.send_signal(signal.SIGSTOP)
        clients = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(40)]
        head = b"POST /predict HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n"
        for client in clients:
            client.sendall(head + b"Content-Length: %d\r\n\r\n" % len(PLAIN) + PLAIN)
        live.process.send_signal(signal.SIGTERM)
        live.process.send_signal(signal.SIGCONT)
        answers = []
        for client in clients:
            with client:
                answers.append(client.recv(65536))
        assert live.process.wait(timeout=30) == 0
    assert {answer[:15] for answer in answers} == {b"HTTP/1.1 200 OK"}
    assert all(b"connection: close" in answer for answer in answers)


@pytest.mark.slow
@pytest.mark.timeout(200)
@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_drains_and_a_second_one_ends_at_once(project, workers):
    environ = {"SHIPWAY_SERVE_DRAIN": "60", "SHIPWAY_SERVE_GRACE": "60"}
    with started((*SERVE, "--workers", workers), project, environ) as live:
        live.wait_ready()
        children = live.workers()
        live.process.send_signal(signal.SIGINT)
        live.wait_for("Draining")
        assert live.status("/health/ready") == 503
        assert live.stop(signal.SIGINT) == 130
        until(lambda: not any(psutil.pid_exists(pid) for pid in children), "the workers' end")
        assert "Traceback" not in live.text


@pytest.mark.slow
@pytest.mark.timeout(200)
@pytest.mark.skipif(os.getuid() != 0 or not shutil.which("unshare"), reason="needs root, unshare")
@pytest.mark.parametrize(
    "command", [SERVE, (*SERVE, "--workers", "2"), UVICORN], ids=["serve", "workers", "uvicorn"]
)
def test_process_1_of_a_container_stops_gracefully(project, command):
    """Process 1 has no default handlers: a signal that it does not handle is ignored."""
    if subprocess.run(["unshare", "-fp", "true"], check=False, capture_output=True).returncode:
        pytest.skip("no right to make a process namespace")
    with started(("unshare", "--fork", "--pid", "--kill-child", *command), project) as live:
        live.wait_ready()
        (first,) = psutil.Process(live.process.pid).children()
        first.send_signal(signal.SIGTERM)
        assert live.process.wait(timeout=30) == 0
        assert "0 cut off" in live.text
        assert "Traceback" not in live.text


@pytest.mark.slow
@pytest.mark.timeout(200)
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_stop_while_the_model_loads_is_clean(project, workers):
    with started((*SERVE, "--workers", workers), project) as live:
        until(lambda: _handles_sigterm(live.process.pid), "the handler")
        assert live.stop() == 0
        assert "Traceback" not in live.text


def _handles_sigterm(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) & 1 << (signal.SIGTERM - 1))


DROPS_ONE_EXCEPTION = """
import os, signal, sys

class Dropping:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(1000):
            pass

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "sklearn" and callable(signal.getsignal(signal.SIGTERM)):
            sys.meta_path.remove(self)
            Dropping()

sys.meta_path.insert(0, Finder())
"""


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_a_stop_whose_exception_python_drops_is_still_a_stop(project):
    """As it happens when the signal falls into a weak reference's callback during an import."""
    (project / "sitecustomize.py").write_text(DROPS_ONE_EXCEPTION)
    environ = {"PYTHONPATH": str(project), "SHIPWAY_SERVE_DRAIN": "0"}
    with started((*SERVE, "--workers", "2"), project, environ) as live:
        assert live.process.wait(timeout=60) == 0
        assert "ignored in" in live.text
        assert "Serving" not in live.text
