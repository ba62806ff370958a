"""The benchmark compares equals: what it asks of each server is answered alike."""

import socket
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from bench import models, process, table

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
