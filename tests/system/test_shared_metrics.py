"""Several processes, one /metrics: forked by us, and spawned by ``uvicorn --workers``."""

import asyncio
import fcntl
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

FORKS = """
import os, sys, time
import prometheus_client
from pathlib import Path
from shipway.serving.metrics_directory import share

share(Path(sys.argv[1]))
from shipway.serving.metrics import Metrics
from shipway.testing import FixedRuntime, numbers

metrics = Metrics()
first, second = (FixedRuntime(numbers(1), len, name=name).spec for name in "12")
metrics.serving(first, "v1")
metrics.begin()
metrics.request("/predict", 200, 0.25)
for index in range(4):
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        metrics.start()
        for _ in range(1000 + index):
            metrics.begin()
            metrics.request("/predict", 200, 0.25)
        if index < 3:
            metrics.begin()
            os.write(theirs, b".")
            os._exit(0)
        metrics.swapped(second, "v2")
        os.write(theirs, b".")
        time.sleep(0.5)
        sys.stdout.write(metrics.render()[0].decode())
        sys.stdout.flush()
        os._exit(0)
    os.read(ours, 1)
    if index < 3:
        os.waitpid(pid, 0)
os.waitpid(pid, 0)
"""


def test_forked_processes_add_up_and_the_dead_are_forgotten(tmp_path):
    run = subprocess.run(
        [sys.executable, "-c", FORKS, str(tmp_path / "shared")],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    lines = dict(line.rsplit(" ", 1) for line in run.stdout.splitlines() if line[0] != "#")
    by_route = '{route="/predict",status="200"}'
    assert lines[f"shipway_requests_total{by_route}"] == "4007.0"
    assert lines[f"shipway_request_duration_seconds_count{by_route}"] == "4007.0"
    assert lines[f"shipway_request_duration_seconds_sum{by_route}"] == "1001.75"
    assert lines["shipway_requests_in_flight"] == "0.0", "three ended with a request under way"
    versions = [key for key in lines if key.startswith("shipway_model_info")]
    assert [re.findall('version="(.*?)"', key) for key in versions] == [["v2"]]


APP = """
from shipway.serving.metrics_directory import share_with_siblings
share_with_siblings()
from shipway.serving.app import build_app
from shipway.serving.metrics import Metrics
from shipway.serving.options import ApiOptions
from shipway.serving.slot import ModelSlot
from shipway.testing import FixedRuntime, numbers

runtime = FixedRuntime(numbers(1, classes=("no", "yes")), lambda rows: ["yes"] * len(rows))
metrics = Metrics()
metrics.serving(runtime.spec, "v1")
app = build_app(ModelSlot(runtime), ApiOptions(), metrics=metrics)
"""


HOLDS = """
import os, sys
from shipway.serving.metrics_directory import shared_with_children

with shared_with_children() as directory:
    pid = os.fork()
    if pid == 0:
        sys.stdin.read()
        os._exit(0)
    print(directory, flush=True)
    sys.stdin.read()
    os.waitpid(pid, 0)
"""


def holder():
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    return process, Path(process.stdout.readline().strip())


def test_a_directory_goes_with_its_processes_and_after_a_kill_at_the_next_start():
    killed, left = holder()
    killed.kill()
    killed.wait(30)
    living, kept = holder()
    assert left.is_dir(), "the child of the killed process lives on"
    killed.communicate()
    (left / "any.db").write_bytes(b"x")
    wait_until(lambda: unheld(left))
    another, third = holder()
    assert not left.exists()
    assert kept.is_dir()
    for process in (living, another):
        process.communicate(timeout=30)
        assert process.returncode == 0
    assert not kept.exists()
    assert not third.exists()


def unheld(directory):
    handle = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return True


def wait_until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def shared_directories(pid):
    found = [Path("/dev/shm"), Path("/tmp")]
    return [path for base in found for path in base.glob(f"shipway-metrics-*-{pid}-*")]


@pytest.fixture
def served(tmp_path):
    (tmp_path / "app.py").write_text(APP)
    port = free_port()
    environment = {k: v for k, v in os.environ.items() if k != "PROMETHEUS_MULTIPROC_DIR"}
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "app:app", "--workers", "4", "--port", str(port)],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/health", process)
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def wait_for(url, process):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    pytest.fail("the server did not come up")


async def send(url, count):
    async def some(client, number):
        for index in range(number):
            body = {"features": [1.0]} if index % 5 else {"features": []}
            # A connection each time: the four processes take turns in accepting.
            await client.post("/predict", json=body, headers={"connection": "close"})

    async with httpx.AsyncClient(base_url=url) as client:
        await asyncio.gather(*(some(client, count // 8) for _ in range(8)))


def test_four_uvicorn_workers_add_up(served):
    url, process = served
    asyncio.run(send(url, 400))
    for _ in range(4):
        text = httpx.get(f"{url}/metrics").text
        lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")
        counts = {k: v for k, v in lines.items() if k.startswith("shipway_requests_total")}
        assert counts['shipway_requests_total{route="/predict",status="200"}'] == "320.0"
        assert counts['shipway_requests_total{route="/predict",status="422"}'] == "80.0"
        assert lines["shipway_rows_total"] == "320.0"
        assert lines['shipway_predictions_total{class="yes"}'] == "320.0"
    assert len(shared_directories(process.pid)) == 1
    writers = {
        path.stem.rpartition("_")[2] for path in shared_directories(process.pid)[0].iterdir()
    }
    assert len(writers) == 4
