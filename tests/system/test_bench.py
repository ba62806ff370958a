"""The benchmark compares equals: what it asks of each server is answered alike."""

import socket
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from bench import goals, models, process, table

COMPARED = {"handwritten", "shipway", "shipway-onnx"}


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    """The models, made anew beside the tests."""
    kept, models.FOLDER = models.FOLDER, tmp_path_factory.mktemp("models")
    yield models.FOLDER
    models.FOLDER = kept


def test_the_hand_written_server_and_shipway_answer_the_bench_row_alike(scratch):
    programs = Path(sys.executable).parent
    found = [one for one in table.read()[0] if one.name in COMPARED]
    told = {}
    for listed in found:
        server = replace(listed, port=free_port())
        path = models.model("linear", server.model, programs)
        with process.serving(server, "linear", path, programs) as running:
            status, answer = process.ask(server, running.body)
            assert status == 200
            told[server.name] = server.understand(answer)
    assert set(told) == COMPARED
    label, confidence = told["handwritten"]
    for other in told.values():
        assert other == (label, pytest.approx(confidence, abs=models.TOLERANCE))


def run_of(server, rate, *, kind="forest", memory=100, start=2.0, lone=1.0):
    load = {"rate": rate, "refused": 0.0, "broken": 0, "p50": 1.0, "p99": 2.0, "mean": 1.0}
    half = load | {"rate": rate / 2, "p99": 4.0}
    told = {"round": 0, "kind": kind, "server": server, "others_busy": 0.0, "lone": lone}
    return told | {"full": load, "half": half, "start": start, "memory": memory}


def test_goals_are_ratios_within_the_run():
    names = {"handwritten": "pickle", "shipway": "pickle", "shipway-onnx": "onnx", "ray": "pickle"}
    results = {
        "servers": {name: {"title": name, "model": model} for name, model in names.items()}
        | {"bare": {"title": "bare", "model": ""}},
        "runs": [
            run_of("handwritten", 10, memory=200, start=4.0),
            run_of("shipway", 500, lone=5.25),
            run_of("shipway-onnx", 9000, start=1.0),
            run_of("ray", 100),
            run_of("bare", 10_000, lone=0.25),
        ],
        "own_time": {"forest": 4.75, "linear": 1.0},
        "scaling": [{"1": {"rate": 10, "memory": 100}, "2": {"rate": 19, "memory": 150}}],
        "environments": {"handwritten": {"size": 300}, "shipway-onnx": {"size": 150}},
    }
    found = {goal.what: (goal.reached, goal.verdict) for goal in goals.goals(results)}
    assert found["converted forest, to hand-written"] == (900, "met")
    assert found["converted forest, to the best peer"] == (90, "met")
    assert found["converted forest, to the bare ASGI server's `{}`"] == (0.9, "**missed**")
    assert found["pickled forest, to the best peer"] == (5, "met")
    assert found["converted linear model, to hand-written"] == (None, "")
    assert found["p99 at half load to p50, pickled forest"] == (4, "**missed**")
    assert found["memory, converted, one worker"] == (0.5, "met")
    assert found["start to the first right answer, converted"] == (0.25, "met")
    assert found["environment on disk, converted"] == (0.5, "met")
    assert found["two workers on two cores, throughput"] == (1.9, "met")
    assert found["two workers on two cores, memory (PSS)"] == (1.5, "**missed**")
    (lone,) = [reached for what, (reached, _) in found.items() if what.startswith("lone request, p")
               and "forest" in what]  # fmt: skip
    assert lone == pytest.approx(1.05)
