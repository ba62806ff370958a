"""``shipway bench`` against real servers: its numbers agree with theirs. No test looks at speed."""

import json
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest
from tests.system.live import ROW, SERVE, model, put, started, until

BENCH = (sys.executable, "-m", "shipway", "bench", "--duration", "300ms")


@pytest.fixture
def folder(tmp_path):
    """A folder with a model."""
    put(tmp_path / "model.pkl", model(0))
    return tmp_path


def bench(folder, *arguments, wrk=False, code=0):
    """Run it to its end, and give its result and what it said."""
    done = subprocess.run(
        [*BENCH, *arguments, "--json"],
        cwd=folder,
        env=environ(folder, wrk=wrk),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return json.loads(done.stdout) if done.stdout else None, done.stderr


def environ(folder, *, wrk):
    return dict(os.environ) if wrk else os.environ | {"PATH": str(folder)}


def ordered(latency):
    return 0 < latency["p50"] <= latency["p90"] <= latency["p99"]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_it_counts_what_the_server_counts(folder, workers):
    with started((*SERVE, "model.pkl", "--workers", workers), folder) as live:
        live.wait_ready()
        found, said = bench(folder, live.url)
        assert said == ""
        assert (found["complete"], found["broken"], found["error"]) == (True, 0, None)
        assert set(found["answered"]) == {"200"}
        # One more than the loads: the row was tried before.
        counted = live.sample("shipway_requests_total", route="/predict", status="200")
        assert counted == found["answered"]["200"] + 1
        assert live.sample("shipway_requests_total", route="/predict") == counted
        assert ordered(found["saturation"]["latency_ms"])
        for tried in found["p99"]["tried"]:
            assert ordered(tried["latency_ms"])
            assert tried["asked"] <= found["saturation"]["rate"]
        assert found["memory"]["kind"] == "PSS"
        assert 1 <= found["memory"]["workers"] <= int(workers)
        whole = found["memory"]["per_worker"] * found["memory"]["workers"]
        assert 20e6 < whole < 2e9
        assert live.stop() == 0


@pytest.mark.wrk
def test_wrk_is_used_where_there_is_one(folder):
    with started((*SERVE, "model.pkl"), folder) as live:
        live.wait_ready()
        found, _ = bench(folder, live.url, wrk=True)
        assert found["saturation"]["generator"] == "wrk"
        assert ordered(found["saturation"]["latency_ms"])
        counted = live.sample("shipway_requests_total", route="/predict", status="200")
        # wrk does not wait for what is under way when its time is over.
        under_way = counted - 1 - found["answered"]["200"]
        assert 0 <= under_way <= found["connections"]


def test_what_is_refused_is_counted_by_its_status(folder):
    crowded = {"SHIPWAY_BATCHING_MODE": "thread", "SHIPWAY_BATCHING_MAX_WAITING": "1"}
    with started((*SERVE, "model.pkl"), folder, crowded) as live:
        live.wait_ready()
        found, _ = bench(folder, live.url, wrk=shutil.which("wrk") is not None)
        refused = found["answered"]["503"]
        assert refused >= found["saturation"]["errors"]["503"] > 0
        assert found["saturation"]["generator"] == "shipway"
        # wrk's own try, which was thrown away for its errors, is on the server's count as well.
        assert live.sample("shipway_requests_total", route="/predict", status="503") >= refused


def test_a_model_is_served_for_the_time_of_the_test(folder):
    found, said = bench(folder, "model.pkl", "--workers", "2")
    assert said == ""
    assert set(found["answered"]) == {"200"}
    assert found["suggestion"]["why"]
    assert not servers_of(folder)


def servers_of(folder):
    found = []
    for process in psutil.process_iter():
        try:
            if "serve" in process.cmdline() and Path(process.cwd()) == folder:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def test_a_model_that_does_not_load_is_told_in_the_servers_words(folder):
    (folder / "bad.pkl").write_bytes(pickle.dumps({"no": "model"}))
    found, said = bench(folder, "bad.pkl", code=10)
    assert found is None
    assert said.startswith("error: The server could not start: ")
    assert not servers_of(folder)


def test_an_unsafe_model_is_refused_as_everywhere(folder):
    (folder / "bad.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    found, said = bench(folder, "bad.pkl", code=4)
    assert found is None
    assert "system" in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_tells_what_it_has_and_ends_its_server(folder, number):
    command = [*BENCH, "model.pkl", "--json", "--duration", "60s"]
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environ(folder, wrk=False),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            # It has a connection of each client: the warm-up runs, or what comes after it.
            until(lambda: connections(process.pid) >= 32, "load")
            process.send_signal(number)
            out, said = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    found = json.loads(out)
    assert found["complete"] is False
    assert found["answered"]["200"] > 0
    assert "ended early" in said
    assert not servers_of(folder)


DROPS_ONE_EXCEPTION = """
import os, signal, sys

class Dropping:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):
            pass

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "shipway.loadtest.started":
            sys.meta_path.remove(self)
            Dropping()

sys.meta_path.insert(0, Finder())
"""


def test_an_interrupt_whose_exception_is_swallowed_is_still_one(folder):
    """As it happens when the signal falls into a callback of the HTTP parser."""
    (folder / "sitecustomize.py").write_text(DROPS_ONE_EXCEPTION)
    done = subprocess.run(
        [*BENCH, "model.pkl", "--json", "--duration", "60s"],
        cwd=folder,
        env=environ(folder, wrk=False) | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "ignored in" in done.stderr
    assert done.returncode == 130
    assert not servers_of(folder)


def connections(pid):
    try:
        return len(psutil.Process(pid).net_connections())
    except psutil.NoSuchProcess:
        return 0


def test_a_server_that_dies_in_mid_run_is_told(folder):
    with started((*SERVE, "model.pkl"), folder) as live:
        live.wait_ready()
        command = [*BENCH, live.url, "--json", "--duration", "60s"]
        with subprocess.Popen(
            command,
            cwd=folder,
            env=environ(folder, wrk=False),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                until(lambda: connections(process.pid) >= 32, "load")
                live.process.kill()
                out, said = process.communicate(timeout=60)
            finally:
                process.kill()
        assert process.returncode == 10
        found = json.loads(out)
        assert found["complete"] is False
        assert found["answered"]["200"] > 0
        assert f"The server at {live.url} went away while it was measured" in said


def test_rows_of_a_file_are_asked_in_turn_and_wrong_ones_are_refused_first(folder):
    (folder / "rows.csv").write_text("5.1,3.5,1.4,0.2\n6.7,3.1,4.4,1.4\n")
    (folder / "short.json").write_text(json.dumps({"features": ROW[:2]}))
    with started((*SERVE, "model.pkl"), folder) as live:
        live.wait_ready()
        found, _ = bench(folder, live.url, "--rows", "rows.csv")
        assert found["requests"] == 2
        assert set(found["answered"]) == {"200"}
        found, said = bench(folder, live.url, "--body", "short.json", code=10)
        assert found is None
        assert "refuses the row (422)" in said
        assert "The model expects 4 features" in said
        assert "hint: Give a row that it takes" in said


class Other(BaseHTTPRequestHandler):
    """Somebody else's server: no example, no /metrics, and a connection for each request."""

    ready = True

    def do_GET(self):
        self.answer(200 if self.ready and self.path == "/health" else 503)

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(200)

    def answer(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *arguments):
        pass


class Loading(Other):
    ready = False


@pytest.fixture
def other(request):
    with ThreadingHTTPServer(("127.0.0.1", 0), request.param) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("other", [Other], indirect=True)
def test_a_server_of_another_kind_is_measured_too(other, folder):
    (folder / "body.json").write_text(json.dumps({"features": ROW}))
    found, _ = bench(folder, other, "--body", "body.json", "--connections", "2")
    assert found["answered"]["200"] > 0
    assert found["broken"] == 0
    _, said = bench(folder, other, code=10)
    assert "has no example of a request" in said


@pytest.mark.parametrize("other", [Loading], indirect=True)
def test_a_server_that_is_not_ready_is_not_measured(other, folder):
    _, said = bench(folder, other, code=10)
    assert re.match(r"error: The server at \S+ is not ready", said)
