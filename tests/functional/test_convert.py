"""``shipway convert``: what it leaves, what it prints, and what it ends with."""

import json
import pickle
import sys
import time
import warnings

import numpy as np
import pytest
from sklearn.datasets import load_wine
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from shipway.cli import run
from shipway.conversion.apart import Conversion, convert_apart
from shipway.errors import ConversionError, UnsafeModelError
from shipway.model.spec import sha256

pytestmark = pytest.mark.timeout(300)
ROWS, WINES = load_wine(return_X_y=True, as_frame=True)


@pytest.fixture
def shipway(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        code = run(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture
def forest(tmp_path):
    path = tmp_path / "model.pkl"
    model = RandomForestClassifier(10, random_state=0).fit(ROWS, WINES)
    path.write_bytes(pickle.dumps(model))
    return path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_forest_becomes_a_proven_file(shipway, forest, tmp_path):
    ROWS.assign(wine=WINES).to_csv("sample.csv", index=False)
    code, out, err = shipway("convert", "model.pkl", "--sample", "sample.csv")
    assert (code, err) == (0, "")
    lines = dict(line.split("  ", 1) for line in out.splitlines())
    assert lines["model"].strip() == "RandomForestClassifier (scikit-learn)"
    assert lines["original"].strip() == sha256(forest.read_bytes())
    assert lines["sample"].strip() == "178 rows, equal, largest difference 0.0e+00"
    assert "split thresholds" in lines
    assert lines["verdict"].strip().startswith("equal (")
    assert names(tmp_path) == ["model.onnx", "model.onnx.parity.json", "model.pkl", "sample.csv"]
    report = json.loads((tmp_path / "model.onnx.parity.json").read_bytes())
    assert report["digest"] == sha256((tmp_path / "model.onnx").read_bytes())
    assert (report["equal"], report["largest"], report["sample"]) == (True, 0.0, "sample.csv")
    assert {"onnx", "onnxruntime", "scikit-learn", "shipway"} <= report["versions"].keys()


def test_the_converted_model_has_the_signature_of_the_original(shipway, forest):
    assert shipway("convert", "model.pkl", "--json")[0] == 0
    _, original, _ = shipway("check", "model.pkl", "--json")
    code, converted, _ = shipway("check", "model.onnx", "--json")
    assert code == 0
    assert json.loads(converted)["signature"] == json.loads(original)["signature"]
    assert json.loads(converted)["framework"] == "onnxruntime"


def test_the_same_model_becomes_the_same_file(shipway, forest, tmp_path):
    shipway("convert", "model.pkl", "-o", "a.onnx")
    shipway("convert", "model.pkl", "-o", "b.onnx")
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_the_report_for_programs_is_the_report_that_is_kept(shipway, forest, tmp_path):
    code, out, err = shipway("convert", "model.pkl", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == json.loads((tmp_path / "model.onnx.parity.json").read_bytes())


def test_a_changed_file_does_not_verify(shipway, forest, tmp_path):
    shipway("convert", "model.pkl")
    code, _, err = shipway("convert", "--verify", "model.onnx")
    assert (code, err) == (0, "model.onnx is the file that its parity report proves\n")
    with (tmp_path / "model.onnx").open("ab") as file:
        file.write(b"\n")
    code, _, err = shipway("convert", "--verify", "model.onnx")
    assert code == 9
    assert err.startswith("error: model.onnx is not the file that its parity report proves")


def test_models_that_differ_leave_only_the_report(shipway, tmp_path):
    # A tolerance below the last bit of float64: sums of products cannot keep it.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = LogisticRegression(max_iter=50).fit(ROWS, WINES)
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(model))
    assert shipway("convert", "model.pkl")[0] == 0
    code, out, err = shipway("convert", "model.pkl", "--tolerance", "1e-300")
    assert code == 9
    assert "verdict" in out
    assert "different (" in out
    assert err.startswith("error: The converted model answers ")
    assert "the probabilities differ for [" in err
    assert "hint: Nothing was converted; model.onnx.parity.json lists the rows." in err
    assert names(tmp_path) == ["model.onnx.parity.json", "model.pkl"]
    report = json.loads((tmp_path / "model.onnx.parity.json").read_bytes())
    assert report["equal"] is False
    assert any(group["differences"] for group in report["groups"])


def test_a_model_without_a_converter(shipway, tmp_path):
    model = make_pipeline(TfidfVectorizer(), LogisticRegression())
    model.fit(["good wine", "bad wine", "good", "bad"], [1, 0, 1, 0])
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(model))
    code, out, err = shipway("convert", "model.pkl")
    assert (code, out) == (8, "")
    assert err.startswith(
        "error: There is no converter for sklearn.TfidfVectorizer: it takes text columns\n"
    )
    assert "hint: The model can be served as it is: shipway serve MODEL" in err
    assert names(tmp_path) == ["model.pkl"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "The sample sample.csv cannot be read: No such file or directory"),
        ("a,b\n1,2\n", "The sample sample.csv has no column 'alcohol' (and 12 more are missing)"),
    ],
)
def test_a_sample_that_does_not_fit(shipway, forest, tmp_path, content, message):
    if content is not None:
        (tmp_path / "sample.csv").write_text(content)
    code, out, err = shipway("convert", "model.pkl", "--sample", "sample.csv")
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {message}\n")
    assert not (tmp_path / "model.onnx").exists()


def test_a_model_that_is_not_there(shipway, tmp_path):
    code, _, err = shipway("convert", "none.pkl")
    assert code == 3
    assert err.startswith("error: There is no model file at none.pkl\n")
    assert names(tmp_path) == []


def test_an_unsafe_model_is_refused_as_everywhere(shipway, tmp_path):
    class Evil:
        def __reduce__(self):
            return print, ("it ran",)

    (tmp_path / "model.pkl").write_bytes(pickle.dumps(Evil()))
    code, out, err = shipway("convert", "model.pkl")
    assert (code, out) == (4, "")
    assert "builtins.print" in err


def test_a_time_limit_ends_the_conversion(shipway, forest, tmp_path):
    start = time.monotonic()
    code, _, err = shipway("convert", "model.pkl", "--timeout", "0.05")
    assert code == 8
    assert err.startswith("error: The conversion was not done within 0.05 s and was ended\n")
    assert time.monotonic() - start < 20
    assert names(tmp_path) == ["model.pkl"]


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("import os; os.abort()", "The converter crashed (SIGABRT)"),
        (
            "import os; os.kill(os.getpid(), 11)",
            "The converter crashed (SIGSEGV)",
        ),
        ("import sys; sys.exit('no luck')", "The converter ended with exit code 1: no luck"),
        ("pass", "The converter ended with exit code 0: no message"),
        (
            (
                "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', "
                "'import time; time.sleep(60)']); time.sleep(60)"
            ),
            "The conversion was not done within 2 s and was ended",
        ),
    ],
    ids=["abort", "segfault", "exit", "nothing", "hang"],
)
def test_a_converter_that_fails_harms_nobody(program, message):
    with pytest.raises(ConversionError) as caught:
        convert_apart(Conversion([], timeout=2, program=[sys.executable, "-c", program]))
    assert caught.value.message == message


def test_the_error_of_the_other_process_is_raised_here():
    program = (
        "import sys; from pathlib import Path; from shipway.errors import UnsafeModelError; "
        "from shipway.conversion.apart import leave_error; "
        "leave_error(Path(sys.argv[2]), UnsafeModelError('not allowed', 'do not'))"
    )
    with pytest.raises(UnsafeModelError) as caught:
        convert_apart(Conversion([], timeout=60, program=[sys.executable, "-c", program]))
    assert (caught.value.message, caught.value.hint) == ("not allowed", "do not")


def test_boosting_keeps_its_decisions_where_float32_cannot_tell_rows_apart(shipway, tmp_path):
    rows = ROWS.to_numpy().copy()
    # Two groups that differ by less than float32 can hold.
    rows[:, 0] = np.where(WINES == 0, 1.0 + 1e-12, 1.0)
    model = HistGradientBoostingClassifier(max_iter=20).fit(rows[:, :1], WINES == 0)
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(model))
    assert shipway("convert", "model.pkl")[0] == 0
    import onnxruntime

    session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
    label = session.run(["label"], {"features": np.array([[1.0], [1.0 + 1e-12]])})[0]
    assert label.tolist() == [False, True]
