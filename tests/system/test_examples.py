"""Each example, trained and served for real: over HTTP it says what the model says itself."""

import importlib.util
import json
import os
import pickle
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
import tomllib
from pathlib import Path

import httpx
import numpy as np
import pytest
from tests.system.engine import PORT, wait_until_free

ROOT = Path(__file__).resolve().parents[2]
NAMES = ["breast-cancer", "diabetes", "penguins"]
URL = re.compile(r"http://[\w.]+:\d+")


class Server:
    """``shipway serve`` in a folder, from its first words to Ctrl-C."""

    def __init__(self, folder, *arguments):
        command = [sys.executable, "-m", "shipway", "serve", "--port", "0", *arguments]
        self.process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
        self.lines = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        for line in self.process.stderr:
            self.lines.append(line)

    def url(self):
        end = time.monotonic() + 60
        while time.monotonic() < end and self._reader.is_alive():
            for line in self.lines:
                if line.startswith("Serving") and (found := URL.search(line)):
                    return found[0]
            time.sleep(0.05)
        pytest.fail("no address printed:\n" + "".join(self.lines))

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(30)
        self._reader.join()
        self.process.stderr.close()
        return code


@pytest.fixture(scope="module", params=NAMES)
def trained(request, tmp_path_factory):
    """A copy of one example, trained: its folder and what the training said."""
    folder = tmp_path_factory.mktemp(request.param) / request.param
    ignore = shutil.ignore_patterns("models", "__pycache__")
    shutil.copytree(ROOT / "examples" / request.param, folder, ignore=ignore)
    done = subprocess.run(
        [sys.executable, "-W", "error", folder / "train.py"],
        cwd=tmp_path_factory.getbasetemp(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return folder, done.stdout


@pytest.fixture(scope="module")
def served(trained):
    """A client of the example's server; the server must end well afterwards."""
    server = Server(trained[0])
    try:
        with httpx.Client(base_url=server.url(), timeout=30) as client:
            yield client
    finally:
        code = server.stop()
    assert code == 0
    assert "Traceback" not in "".join(server.lines)


@pytest.fixture
def held_out(trained):
    """The rows that were not trained on, as a frame, and the model itself."""
    folder, _ = trained
    spec = importlib.util.spec_from_file_location("train", folder / "train.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.split()[1], pickle.loads((folder / "models" / "model.pkl").read_bytes())


def plain(frame):
    """The rows as JSON has them: missing values are null."""
    return json.loads(frame.to_json(orient="values", double_precision=15))


def expected(model, frame):
    if not hasattr(model, "predict_proba"):
        return [(value, None) for value in model.predict(frame).tolist()]
    confidences = model.predict_proba(frame).max(axis=1)
    return list(zip(model.predict(frame).tolist(), confidences.tolist(), strict=True))


def answers_to(batch):
    """A batch's answer as if its rows had been asked one by one."""
    document = batch.json()
    confidences = document["confidences"] or [None] * len(document["predictions"])
    return [
        {"prediction": prediction, "confidence": confidence}
        for prediction, confidence in zip(document["predictions"], confidences, strict=True)
    ]


def same(answers, truths):
    assert len(answers) == len(truths)
    for answer, (prediction, confidence) in zip(answers, truths, strict=True):
        if isinstance(prediction, str):
            assert answer["prediction"] == prediction
        else:
            assert answer["prediction"] == pytest.approx(prediction, rel=1e-9)
        if confidence is None:
            assert answer["confidence"] is None
        else:
            assert answer["confidence"] == pytest.approx(confidence, rel=1e-9)


def test_training_says_how_good_the_model_is(trained):
    folder, said = trained
    assert re.match(r"trained on \d+ rows, tried on \d+ others:\n", said)
    assert said.endswith("wrote models/model.pkl\n")
    figures = [float(figure) for figure in re.findall(r" (\d+\.\d+)\n", said)]
    assert len(figures) == 3
    assert [path.name for path in (folder / "models").iterdir()] == ["model.pkl"]


def test_training_again_gives_the_same_answers(trained, held_out, tmp_path):
    frame, model = held_out
    folder = tmp_path / "again"
    shutil.copytree(trained[0], folder)
    subprocess.run([sys.executable, folder / "train.py"], check=True, capture_output=True)
    again = pickle.loads((folder / "models" / "model.pkl").read_bytes())
    assert np.array_equal(again.predict(frame), model.predict(frame))


def test_check_finds_it_safe_and_knows_its_columns(trained, held_out):
    frame, model = held_out
    done = subprocess.run(
        [sys.executable, "-m", "shipway", "check", "--json"],
        cwd=trained[0],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["verdict"], report["error"], report["warnings"]) == ("safe", None, [])
    features = report["signature"]["features"]
    assert [feature["name"] for feature in features] == list(frame.columns)
    strings = {name for name in frame.columns if frame[name].dtype.kind not in "if"}
    assert {item["name"] for item in features if item["kind"] == "string"} == strings
    classes = model.classes_.tolist() if hasattr(model, "classes_") else None
    assert report["signature"]["classes"] == classes


def test_every_held_out_row_one_by_one(served, held_out):
    frame, model = held_out
    answers = []
    for row in plain(frame):
        response = served.post("/predict", json={"features": row})
        assert response.status_code == 200, response.text
        answers.append(response.json())
    same(answers, expected(model, frame))


def test_every_held_out_row_in_one_batch(served, held_out):
    frame, model = held_out
    response = served.post("/predict", json={"instances": plain(frame)})
    assert response.status_code == 200, response.text
    same(answers_to(response), expected(model, frame))


def test_objects_in_any_order(served, held_out):
    frame, model = held_out
    dice = random.Random(0)
    answers = []
    for row in plain(frame):
        items = list(zip(frame.columns, row, strict=True))
        dice.shuffle(items)
        answers.append(served.post("/predict", json={"features": dict(items)}).json())
    same(answers, expected(model, frame))


def test_the_request_beside_it_is_the_first_held_out_row(served, trained, held_out):
    frame, model = held_out
    content = (trained[0] / "request.json").read_bytes()
    headers = {"Content-Type": "application/json"}
    response = served.post("/predict", content=content, headers=headers)
    same([response.json()], expected(model, frame.iloc[:1]))


def test_the_page_carries_the_title_of_its_settings(served, trained):
    settings = tomllib.loads((trained[0] / "shipway.toml").read_text())
    assert served.get("/openapi.json").json()["info"]["title"] == settings["api"]["title"]


@pytest.mark.parametrize("trained", ["penguins"], indirect=True)
def test_gaps_and_unknown_strings_are_the_models_affair(served, held_out):
    frame, model = held_out
    gaps = frame.iloc[:2].copy()
    gaps["sex"] = float("nan")
    gaps["body_mass_g"] = float("nan")
    gaps["island"] = "Atlantis"
    response = served.post("/predict", json={"instances": plain(gaps)})
    assert response.status_code == 200, response.text
    same(answers_to(response), expected(model, gaps))


@pytest.mark.slow
def test_make_run_prints_a_line_that_works_and_ends_with_ctrl_c(tmp_path):
    """On a terminal, as a person does it: ``script`` gives it one."""
    wait_until_free(PORT)
    for name in ("Makefile", "pyproject.toml", "requirements", "examples"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, tmp_path / name)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    person = subprocess.Popen(
        ["script", "--quiet", "--return", "--command", "make run", "/dev/null"],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "NO_COLOR": "1", "SHELL": "/bin/sh"},
    )
    screen = b""
    try:
        while b"Ctrl-C" not in screen:
            seen = os.read(person.stdout.fileno(), 65536)
            assert seen, screen.decode()
            screen += seen
        assert b"http://localhost:8000" in screen or b"http://127.0.0.1:8000" in screen
        (line,) = re.findall(r"^ *(curl .*?)\r?$", screen.decode(), re.MULTILINE)
        assert len(json.loads(shlex.split(line)[-1])["features"]) == 30
        asked = subprocess.run(
            line, shell=True, capture_output=True, text=True, check=True, timeout=30
        )
        assert json.loads(asked.stdout)["prediction"] in (0, 1)
    finally:
        person.stdin.write(b"\x03")
        person.stdin.flush()
        rest, _ = person.communicate(timeout=30)
    assert person.returncode == 0, (screen + rest).decode()
    assert b"Traceback" not in screen + rest
    assert b"***" not in screen + rest
