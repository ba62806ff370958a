"""Several processes answer for one model; needs nothing but the machine."""

import asyncio
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from sklearn.neighbors import KNeighborsRegressor
from tests.system.live import PROJECT, SERVE, UVICORN, load, model, put, started, until

MEGABYTE = 1_000_000


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for folder in ("src", "models"):
        (tmp_path / folder).mkdir()
    (tmp_path / "src" / "serve.py").write_text(PROJECT)
    put(tmp_path / "models" / "model.pkl", model(0))
    return tmp_path


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    "command",
    [(*SERVE, "--workers", "4"), (*UVICORN, "--workers", "4")],
    ids=["shipway", "uvicorn"],
)
def test_metrics_of_four_workers_add_up_exactly(project, command):
    good = json.dumps({"features": [1, 2, 3, 4]}).encode()
    batch = json.dumps({"instances": [[1, 2, 3, 4]] * 3}).encode()
    wrong = json.dumps({"features": [1, 2]}).encode()
    with started(command, project) as live:
        live.wait_ready()
        if command[: len(UVICORN)] == UVICORN:
            # Its workers load the model each for itself: readiness of one is not that of all.
            live.wait_for("The model answers", 4)
        sent = 600
        turns = iter(range(sent))
        tally = asyncio.run(
            load(
                live.port,
                connections=12,
                keep=False,
                bodies=(good, batch, wrong),
                stop=lambda _: next(turns, None) is None,
            )
        )
        assert (tally.lost, tally.refused) == ([], 0)
        assert len(tally.answers) == sent
        answered = [(status, body) for _, _, status, body in tally.answers]
        batches = sum(b"predictions" in body for _, body in answered)
        good_ones = sum(status == 200 for status, _ in answered)
        ok = {"route": "/predict", "status": "200"}
        for _ in range(8):  # whoever answers the scrape speaks for all
            assert live.sample("shipway_requests_total", **ok) == good_ones
            refused = live.sample("shipway_requests_total", route="/predict", status="422")
            assert refused == sent - good_ones
            assert live.sample("shipway_request_duration_seconds_count", **ok) == good_ones
            assert live.sample("shipway_rows_total") == good_ones + 2 * batches
            assert live.sample("shipway_predictions_total") == good_ones + 2 * batches
        assert live.stop() == 0


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_killed_worker_is_replaced_under_load_and_the_service_goes_on(project):
    with started((*SERVE, "--workers", "3"), project) as live:
        live.wait_ready()
        until(lambda: len(live.workers()) == 3, "three workers")
        done = threading.Event()
        tallies = []

        def client() -> None:
            stop = load(live.port, connections=12, pause=0.01, stop=lambda _: done.is_set())
            tallies.append(asyncio.run(stop))

        thread = threading.Thread(target=client)
        thread.start()
        before = set(live.workers())
        killed = []
        for _ in range(2):
            victim = min(before & set(live.workers()))
            os.kill(victim, signal.SIGKILL)
            killed.append(victim)
            live.wait_for(f"Worker {victim} died (SIGKILL) and is replaced")
            until(lambda: len(live.workers()) == 3, "the replacement")
        at = time.monotonic()
        until(lambda: time.monotonic() > at + 1, "a second of load on the new workers")
        done.set()
        thread.join()
        (tally,) = tallies
        assert not set(killed) & set(live.workers())
        # A killed process takes along what it was answering, and nothing else.
        assert len(tally.lost) <= 12 * 2
        assert tally.refused == 0
        assert tally.statuses() == {200}
        assert [got for _, got, _, _ in tally.answers if got > at]
        assert live.stop() == 0


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_worker_forked_after_a_reload_has_the_newest_model(project):
    path = project / "models" / "model.pkl"
    with started((*SERVE, "--workers", "2"), project) as live:
        live.wait_ready()
        put(path, model(1))
        live.wait_for("A new model is in service", 2)
        put(path, b"broken")
        live.wait_for("is refused, the model in service stays")
        old = live.workers()
        for pid in old:
            os.kill(pid, signal.SIGKILL)
        until(lambda: len(set(live.workers()) - set(old)) == 2, "two new workers")
        assert {live.predict().split("-")[0] for _ in range(10)} == {"v1"}
        assert live.stop() == 0


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("state", ["serving", "trying a file out"])
def test_workers_end_when_the_supervisor_is_killed(project, state):
    with started((*SERVE, "--workers", "3"), project) as live:
        live.wait_ready()
        workers = live.workers()
        if state != "serving":
            put(project / "models" / "model.pkl", model(1))
            live.wait_for("is being tried out")
        live.process.kill()
        live.process.wait()
        until(lambda: not any(map(_alive, workers)), "the end of the orphans", 20)
        assert live.status("/health/ready") is None
        assert "Traceback" not in live.text


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_four_workers_share_the_memory_of_one_model(tmp_path):
    """PSS counts a page that n processes share as 1/n for each (proc_pid_smaps(5))."""
    rows = np.random.default_rng(0).normal(size=(400_000, 32))
    nearest = KNeighborsRegressor(1, algorithm="brute").fit(rows, np.arange(len(rows)))
    (tmp_path / "big.pkl").write_bytes(pickle.dumps(nearest, protocol=5))
    size = (tmp_path / "big.pkl").stat().st_size
    assert size >= 100 * MEGABYTE
    with started((*SERVE, "big.pkl", "--workers", "4"), tmp_path) as live:
        live.wait_ready()
        until(lambda: len(live.workers()) == 4, "four workers")
        for index in range(12):
            assert float(live.predict(rows[index].tolist())) == index
        everyone = [live.process.pid, *live.workers()]
        shared = sum(psutil.Process(pid).memory_full_info().pss for pid in everyone)
        alone = max(psutil.Process(pid).memory_info().rss for pid in everyone)
        assert alone > size
        # Without sharing, the models alone would be five times its size.
        assert shared < 2.5 * size + 4 * 60 * MEGABYTE, f"{shared / MEGABYTE:.0f} MB"
        assert live.stop() == 0


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_a_model_that_cannot_answer_ends_the_start_with_its_reason(tmp_path):
    """It loads in the supervisor and fails in each worker's warm-up: no endless replacing."""
    source = "class Broken:\n    n_features_in_ = 2\n\n    def predict(self, rows):\n"
    (tmp_path / "broken.py").write_text(source + "        raise RuntimeError('no answer')\n")
    (tmp_path / "make.py").write_text(
        "import broken, pickle; pickle.dump(broken.Broken(), open('model.pkl', 'wb'))"
    )
    subprocess.run([sys.executable, "make.py"], cwd=tmp_path, check=True)
    command = (*SERVE, "model.pkl", "--workers", "2", "--allow", "broken.Broken")
    with started(command, tmp_path, {"PYTHONPATH": str(tmp_path)}) as live:
        assert live.process.wait(timeout=90) == 3
        assert "Traceback" not in live.text
        assert "error: " in live.text
