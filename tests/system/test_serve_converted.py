"""A proven ONNX file answers in the model's place; needs the converters."""

import asyncio
import contextlib
import json
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
import psutil
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tests.system.live import PROJECT, ROW, SERVE, UVICORN, load, put, started, until

AUTO = {"SHIPWAY_CONVERT_MODE": "auto"}
FOUND = {"SHIPWAY_CONVERT_MODE": "found"}
BEGUN = "is being converted in the background"
CONVERTED = "The converted model answers from now on"
MEASURED = "A call of the model takes"
AS_IT_IS = "The model is served as it is, not converted"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def forest(version: int, *, trees: int = 20) -> bytes:
    """A pickled pipeline whose every answer names its version."""
    rng = np.random.default_rng(version)
    rows = rng.normal(size=(60, 4))
    labels = np.array([f"v{version}-a", f"v{version}-b", f"v{version}-c"] * 20)
    made = make_pipeline(StandardScaler(), RandomForestClassifier(trees, random_state=version))
    return pickle.dumps(made.fit(rows, labels))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for folder in ("src", "models"):
        (tmp_path / folder).mkdir()
    (tmp_path / "src" / "serve.py").write_text(PROJECT)
    put(tmp_path / "models" / "model.pkl", forest(1))
    return tmp_path


def convert(project: Path) -> Path:
    command = [sys.executable, "-m", "shipway", "convert", "models/model.pkl"]
    subprocess.run(command, cwd=project, check=True, capture_output=True, timeout=200)
    return project / "models" / "model.onnx"


def has_sklearn(pid: int) -> bool:
    """Whether the process has scikit-learn's libraries in its memory."""
    return "/sklearn/" in Path(f"/proc/{pid}/maps").read_text()


def converters() -> list[int]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if "--inside" in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found


@pytest.mark.parametrize(
    ("command", "workers"),
    [
        (SERVE, 1),
        ((*SERVE, "--workers", "2"), 2),
        ((*UVICORN, "--workers", "2"), 2),
    ],
    ids=["serve", "serve --workers 2", "uvicorn --workers 2"],
)
def test_it_is_converted_while_it_serves_and_found_at_the_next_start(project, command, workers):
    body = json.dumps({"features": ROW}).encode()
    with started(command, project, AUTO) as live:
        live.wait_ready()
        live.wait_for(MEASURED, workers)
        digest = live.digest()
        before = live.predict()
        converted = threading.Event()
        waiting = threading.Thread(
            target=lambda: (live.wait_for(CONVERTED, workers), converted.set()), daemon=True
        )
        waiting.start()
        tally = asyncio.run(
            load(
                live.port,
                connections=8,
                pause=0.05,
                bodies=(body,),
                stop=lambda _: converted.is_set() or not waiting.is_alive(),
            )
        )
        assert converted.is_set(), live.text[-3000:]
        assert (tally.lost, tally.statuses()) == ([], {200})
        assert live.predict() == before
        assert live.digest() == digest
        assert live.sample("shipway_model_converted") == 1
        assert live.sample("shipway_model_reloads_total") == 0
        assert live.text.count(BEGUN) == 1, "one process converts for all"
        assert live.stop() == 0
        assert "Traceback" not in live.text
    with started(command, project, AUTO) as live:
        live.wait_ready()
        live.wait_for(MEASURED, workers)
        assert live.predict() == before
        assert live.digest() == digest
        assert live.sample("shipway_model_converted") == 1
        assert not any(has_sklearn(pid) for pid in (live.process.pid, *live.workers()))
        assert BEGUN not in live.text


def test_a_new_model_answers_at_once_and_converted_later(project):
    with started(SERVE, project, AUTO) as live:
        live.wait_ready()
        live.wait_for(CONVERTED)
        put(project / "models" / "model.pkl", forest(2))
        until(lambda: live.predict().startswith("v2-"), "the new model")
        live.wait_for(CONVERTED, 2)
        assert live.predict().startswith("v2-")
        assert live.sample("shipway_model_reloads_total", result="swapped") == 1
        assert live.sample("shipway_model_converted") == 1


def test_a_converted_file_beside_the_model_answers_unless_somebody_changed_it(project):
    converted = convert(project)
    with started(SERVE, project, FOUND) as live:
        live.wait_ready()
        assert "(classifier, converted to ONNX)" in live.text
        assert live.predict().startswith("v1-")
    with converted.open("ab") as file:
        file.write(b"\0")
    with started(SERVE, project, FOUND) as live:
        live.wait_ready()
        assert "(classifier) on" in live.text
        assert "models/model.onnx is not the file that its parity report proves" in live.text
        assert live.sample("shipway_model_converted") == 0
        assert live.predict().startswith("v1-")
    with started(SERVE, project, {"SHIPWAY_CONVERT_MODE": "off"}) as live:
        live.wait_ready()
        assert "parity" not in live.text


def test_a_converted_file_of_another_model_is_left_alone(project):
    convert(project)
    put(project / "models" / "model.pkl", forest(2))
    with started((*SERVE, "--no-convert"), project, AUTO) as live:
        live.wait_ready()
        assert live.predict().startswith("v2-")
    with started(SERVE, project, FOUND) as live:
        live.wait_ready()
        assert live.predict().startswith("v2-")
        assert live.sample("shipway_model_converted") == 0


def test_what_cannot_be_converted_is_not_tried_twice(project):
    put(project / "models" / "model.pkl", several_outputs())
    with started(SERVE, project, AUTO) as live:
        live.wait_ready()
        live.wait_for(AS_IT_IS)
        assert live.text.count(BEGUN) == 1
        assert live.stop() == 0
    with started(SERVE, project, AUTO) as live:
        live.wait_ready()
        live.wait_for(AS_IT_IS)
        assert BEGUN not in live.text
        assert live.status("/health/ready") == 200


def several_outputs() -> bytes:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(30, 4))
    return pickle.dumps(RandomForestClassifier(5).fit(rows, rng.integers(0, 2, size=(30, 2))))


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"SHIPWAY_CONVERT_FOLDER": "/proc/shipway"}, "cannot be written"),
        ({"PYTHONPATH": "."}, "pip install 'shipway[convert]'"),
        ({"SHIPWAY_CONVERT_TIMEOUT": "0.01"}, "was not done within 0.01 s"),
    ],
    ids=["no place", "no converters", "no time"],
)
def test_what_prevents_the_conversion_is_said_and_the_model_serves(project, environ, said):
    (project / "sitecustomize.py").write_text("import sys; sys.modules['onnx'] = None\n")
    with started(SERVE, project, AUTO | environ) as live:
        live.wait_ready()
        live.wait_for(AS_IT_IS)
        assert said in live.text
        assert live.predict().startswith("v1-")
        assert live.stop() == 0
        assert "Traceback" not in live.text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_server_that_ends_leaves_no_converter_behind(project, number, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    put(project / "models" / "model.pkl", forest(1, trees=400))
    with started(SERVE, project, AUTO | {"TMPDIR": str(scratch)}) as live:
        live.wait_for(BEGUN)
        until(lambda: any(scratch.iterdir()) and ours(live.process.pid), "the converter")
        (converter,) = ours(live.process.pid)
        os.kill(live.process.pid, number)
        live.process.wait(timeout=60)
        until(lambda: converter not in converters(), "the converter's end")
    until(lambda: not any(scratch.iterdir()), "an empty folder of temporary files")
    kept = project / ".shipway" / "converted"
    assert [path.suffix for path in kept.iterdir()] == [".lock"]


def ours(pid: int) -> list[int]:
    return [child.pid for child in psutil.Process(pid).children() if child.pid in converters()]


def test_temporary_files_are_gone_after_a_conversion(project, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with started(SERVE, project, AUTO | {"TMPDIR": str(scratch)}) as live:
        live.wait_ready()
        live.wait_for(CONVERTED)
        assert [item for item in scratch.iterdir() if "convert" in item.name] == []
    assert tempfile.gettempdir() != str(scratch)
