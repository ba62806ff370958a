"""``shipway check``: what it prints, and what it ends with."""

import gzip
import hashlib
import json
import os
import pickle
import re
import warnings

import lightgbm
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.linear_model import LogisticRegression, Ridge

from shipway.cli import run


@pytest.fixture
def shipway(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        code = run(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture(scope="session")
def classifier():
    frame, target = load_breast_cancer(return_X_y=True, as_frame=True)
    return LogisticRegression().fit(frame.iloc[:, :3], target)


@pytest.fixture
def model(tmp_path, classifier):
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(classifier))
    return path


def test_a_good_model_is_described_to_a_person(shipway, model):
    data = model.read_bytes()
    code, out, err = shipway("check", "model.pkl")
    assert (code, err) == (0, "")
    out = re.sub(r"safe: \d+ names", "safe: N names", out)
    out = re.sub(r"\(made with [\d.]+, installed [\d.]+\)", "(made with V, installed V)", out)
    assert out == (
        "model         model.pkl\n"
        f"size          {len(data)} B\n"
        f"digest        sha256:{hashlib.sha256(data).hexdigest()}\n"
        "format        pickle\n"
        "framework     scikit-learn (made with V, installed V)\n"
        "task          classifier\n"
        "features (3)  mean radius (number)\n"
        "              mean texture (number)\n"
        "              mean perimeter (number)\n"
        "classes (2)   0, 1\n"
        "confidence    yes\n"
        "verdict       safe: N names referred to, all on the allow-list\n"
    )


def test_the_number_of_outputs_is_told_when_there_are_several(shipway, tmp_path):
    rows, target = load_diabetes(return_X_y=True)
    model = Ridge().fit(rows, [[value, -value] for value in target])
    (tmp_path / "two.pkl").write_bytes(pickle.dumps(model))
    code, out, _ = shipway("check", "two.pkl")
    assert code == 0
    assert "\noutputs        2 values for a row\nconfidence " in out


def test_a_good_model_is_described_to_a_program(shipway, model):
    code, out, err = shipway("check", "--json", "model.pkl")
    document = json.loads(out)
    assert (code, err) == (0, "")
    assert (document["verdict"], document["error"], document["findings"]) == ("safe", None, [])
    assert document["signature"]["classes"] == [0, 1]
    names = [feature["name"] for feature in document["signature"]["features"]]
    assert names == ["mean radius", "mean texture", "mean perimeter"]
    assert document["recorded_version"] == document["installed_version"]


def test_the_default_is_the_model_of_the_project(shipway, model, monkeypatch):
    monkeypatch.setenv("MODEL_PATH", str(model))
    code, out, _ = shipway("check")
    assert code == 0
    assert out.startswith(f"model         {model}\n")


def test_a_version_mismatch_is_said_loudly(shipway, tmp_path):
    features, target = load_diabetes(return_X_y=True)
    data = pickle.dumps(Ridge().fit(features, target))
    import sklearn

    installed = sklearn.__version__
    older = "1" + installed[1:-1] + ("0" if installed[-1] != "0" else "9")
    (tmp_path / "old.pkl").write_bytes(data.replace(installed.encode(), older.encode()))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        code, out, err = shipway("check", "old.pkl")
    assert code == 0
    assert f"made with {older}, installed {installed}" in out
    assert err == (
        f"warning: made with scikit-learn {older}, but {installed} is installed: it may answer "
        f"differently; install scikit-learn=={older}\n"
    )


class Runs:
    def __reduce__(self):
        return os.system, ("touch executed",)


@pytest.mark.parametrize("wrap", [bytes, gzip.compress])
def test_a_hostile_pickle_is_refused_by_name_and_not_run(shipway, tmp_path, wrap):
    (tmp_path / "model.pkl").write_bytes(wrap(pickle.dumps(Runs())))
    code, out, err = shipway("check", "model.pkl")
    assert code == 4
    assert "verdict  refused\n" in out
    assert f"{os.system.__module__}.system" in out
    assert f"{os.system.__module__}.system" in err
    assert "hint: " in err
    assert "Traceback" not in err
    assert not (tmp_path / "executed").exists()


def test_a_trusted_digest_loads_whatever_it_runs_and_says_so(shipway, tmp_path, classifier):
    data = pickle.dumps({"model": classifier, "ran": Runs()})
    (tmp_path / "model.pkl").write_bytes(data)
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    code, out, err = shipway("check", "model.pkl", "--trust", digest)
    assert "verdict  trusted\n" in out
    assert "warning: trusted by its digest: it may run anything while it loads\n" in err
    assert (tmp_path / "executed").exists()
    assert code == 3, "a dict is no model"


BAD = {
    "missing": (None, 3),
    "empty": (b"", 3),
    "text": (b"just some words\n", 3),
    "html": (b"<!DOCTYPE html><html></html>", 3),
    "csv": (b"a,b\n1,2\n", 3),
    "truncated": (pickle.dumps(Ridge())[:-20], 3),
    "no model": (pickle.dumps({"a": 1}), 3),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n", 3),
    "missing package": (b"\x80\x04cxgboost.nowhere\nX\n.", 4),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_model_gets_one_message_and_a_code(shipway, tmp_path, kind):
    data, expected = BAD[kind]
    if data is not None:
        (tmp_path / "model.pkl").write_bytes(data)
    code, out, err = shipway("check", "model.pkl")
    assert code == expected
    assert err.startswith("error: ")
    assert "Traceback" not in out + err
    code, out, err = shipway("check", "--json", "model.pkl")
    document = json.loads(out)
    assert (code, err) == (expected, "")
    assert document["error"]["message"]


def test_a_folder_is_no_model(shipway, tmp_path):
    (tmp_path / "models").mkdir()
    code, _, err = shipway("check", "models")
    assert code == 3
    assert "models" in err
    assert "Traceback" not in err


def test_what_a_library_prints_stays_out_of_the_document(tmp_path, capfd):
    # Two names for one parameter: LightGBM prints a warning to stdout at each prediction.
    model = lightgbm.LGBMRegressor(n_estimators=2, verbose=1, reg_alpha=0.2, lambda_l1=0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(*load_diabetes(return_X_y=True))
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(model))
    capfd.readouterr()
    assert run(["check", "--json", str(tmp_path / "model.pkl")]) == 0
    out, err = capfd.readouterr()
    assert json.loads(out)["framework"] == "lightgbm"
    assert err == ""
