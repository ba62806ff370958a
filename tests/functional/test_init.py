"""``shipway init`` as a user meets it."""

import json
import os
import pickle
import pty
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from shipway.cli import run
from shipway.version import __version__

FILES = [
    ".dockerignore",
    ".gitignore",
    "Dockerfile",
    "README.md",
    "config/production.env",
    "models/model.pkl",
    "requirements.txt",
    "shipway.toml",
    "src/__init__.py",
    "src/serve.py",
    f"wheels/shipway-{__version__}-py3-none-any.whl",
]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    rows, labels = load_iris(return_X_y=True, as_frame=True)
    path = tmp_path_factory.mktemp("trained") / "iris.pickle"
    path.write_bytes(pickle.dumps(LogisticRegression(max_iter=500).fit(rows, labels)))
    return path


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def shipway(capsys, here):
    def call(*arguments):
        code = run([str(one) for one in arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return call


def written(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_project_is_written_and_the_next_step_told(shipway, here, trained):
    code, out, err = shipway("init", "churn", "--model", trained)
    assert (code, out) == (0, "".join(f"create  {path}\n" for path in FILES))
    assert err == (
        "Next: cd churn && docker build -t churn:v1 . && docker run -p 8000:8000 churn:v1\n"
    )
    assert written(here / "churn") == FILES
    assert (here / "churn/models/model.pkl").read_bytes() == trained.read_bytes()
    pins = (here / "churn/requirements.txt").read_text()
    assert f"\n./wheels/shipway-{__version__}-py3-none-any.whl\n" in pins
    assert "\nscikit-learn==" in pins
    assert "pytest" not in pins


def test_the_same_again_changes_nothing(shipway, here, trained):
    shipway("init", "churn", "--model", trained)
    code, out, _ = shipway("init", "churn", "--model", trained)
    assert (code, out) == (0, "".join(f"keep    {path}\n" for path in FILES))


def test_the_current_folder_is_the_default(shipway, here, trained):
    code, _, err = shipway("init", "--model", trained)
    assert code == 0
    assert written(here) == FILES
    assert err.startswith("Next: docker build -t ")


def test_the_model_may_lie_where_it_will_stay(shipway, here, trained):
    (here / "models").mkdir()
    (here / "models/model.pkl").write_bytes(trained.read_bytes())
    code, out, _ = shipway("init", "--model", "models/model.pkl")
    assert code == 0
    assert "keep    models/model.pkl\n" in out


def test_dry_run_writes_nothing(shipway, here, trained):
    code, out, err = shipway("init", "churn", "--model", trained, "--dry-run")
    assert (code, out) == (0, "".join(f"create  {path}\n" for path in FILES))
    assert err == "Nothing was written (--dry-run).\n"
    assert written(here) == []


@pytest.mark.parametrize("dry", [False, True])
def test_json_is_one_document(shipway, here, trained, dry):
    code, out, err = shipway(
        "init", "churn", "--model", trained, "--json", *(["--dry-run"] if dry else [])
    )
    document = json.loads(out)
    assert (code, err) == (0, "")
    assert (document["name"], document["model_path"]) == ("churn", "models/model.pkl")
    assert document["directory"] == str(here / "churn")
    assert document["written"] is not dry
    assert [file["path"] for file in document["files"]] == FILES
    assert {(file["mode"], file["action"]) for file in document["files"]} == {("0644", "create")}
    assert document["files"][5]["size"] == trained.stat().st_size


def test_other_content_is_refused_by_name_where_nobody_can_be_asked(shipway, here, trained):
    (here / "Dockerfile").write_text("FROM mine\n")
    (here / "README.md").write_text("# mine\n")
    code, out, err = shipway("init", "--model", trained)
    assert (code, out) == (7, "")
    assert err == (
        "error: . already has Dockerfile, README.md, with other content\n"
        "hint: Choose another folder, or replace them with --force.\n"
    )
    assert written(here) == ["Dockerfile", "README.md"]
    assert (here / "Dockerfile").read_text() == "FROM mine\n"


def test_force_replaces(shipway, here, trained):
    (here / "Dockerfile").write_text("FROM mine\n")
    (here / "notes.txt").write_text("mine\n")
    code, out, _ = shipway("init", "--model", trained, "--force")
    assert code == 0
    assert "replace Dockerfile\n" in out
    assert "FROM ${BASE_IMAGE} AS builder" in (here / "Dockerfile").read_text()
    assert (here / "notes.txt").read_text() == "mine\n"


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 130), ("", 130)])
def test_on_a_terminal_it_asks_with_the_list(here, trained, answer, code):
    (here / "Dockerfile").write_text("FROM mine\n")
    ours, theirs = pty.openpty()
    asked = subprocess.Popen(
        [sys.executable, "-m", "shipway", "init", "--model", trained],
        stdin=theirs,
        stderr=theirs,
        stdout=subprocess.DEVNULL,
    )
    os.close(theirs)
    seen = b""
    while b"[y/N]" not in seen:
        seen += os.read(ours, 4096)
    os.write(ours, answer.encode() + b"\n")
    assert asked.wait(60) == code
    os.close(ours)
    text = seen.decode().replace("\r\n", "\n")
    assert ". already has these files, with other content:\n  Dockerfile\nReplace them?" in text
    mine = (here / "Dockerfile").read_text() == "FROM mine\n"
    assert mine is (code != 0)
    assert written(here) == (FILES if code == 0 else ["Dockerfile"])


@pytest.mark.parametrize(
    ("content", "code"), [(None, 3), (b"", 3), (b"just text", 3), (pickle.dumps(print), 4)]
)
def test_a_model_that_cannot_be_served_makes_no_project(shipway, here, content, code):
    path = here / "model.bin"
    if content is not None:
        path.write_bytes(content)
    assert shipway("init", "churn", "--model", path)[0] == code
    assert not (here / "churn").exists()


def test_the_model_must_be_named(shipway):
    assert shipway("init") == (
        2,
        "",
        "error: Missing option '--model'.\nhint: shipway init --help shows how it is called\n",
    )


def test_a_folder_that_cannot_be_made_is_told(shipway, here, trained):
    (here / "file").write_text("x")
    code, _, err = shipway("init", "file/churn", "--model", trained)
    assert code in (2, 7)
    assert "file" in err
    assert "Traceback" not in err


def test_what_was_declared_is_carried_over(shipway, here, trained):
    (here / "churn").mkdir()
    (here / "churn/shipway.toml").write_text('[signature]\ntask = "classifier"\n')
    code, _, _ = shipway("init", "churn", "--model", trained, "--force")
    assert code == 0
    document = tomllib.loads((here / "churn/shipway.toml").read_text())
    assert document["signature"] == {"task": "classifier"}


def test_hadolint_has_nothing_to_say_about_the_dockerfile(shipway, here, trained):
    shipway("init", "--model", trained)
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# LightGBM says so of any parameter given along with a saved model.
@pytest.mark.filterwarnings("ignore:Ignoring params argument")
def test_a_lightgbm_project_brings_openmp_and_passes_hadolint_too(shipway, here):
    import lightgbm
    import numpy as np

    rows = np.arange(80.0).reshape(40, 2)
    data = lightgbm.Dataset(rows, label=rows[:, 0], params={"verbose": -1})
    booster = lightgbm.train({"verbose": -1, "num_threads": 1}, data, num_boost_round=2)
    booster.save_model("booster.txt")
    code, out, _ = shipway("init", "l", "--model", "booster.txt")
    assert code == 0
    assert "create  models/model.txt\n" in out
    assert 'path = "models/model.txt"' in (here / "l/shipway.toml").read_text()
    assert "libgomp1" in (here / "l/Dockerfile").read_text()
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, "l/Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_hooks_shown_in_the_service_work_when_uncommented(shipway, here, trained):
    shipway("init", "--model", trained)
    lines = (here / "src/serve.py").read_text().splitlines()
    start = lines.index("# from dataclasses import dataclass")
    end = lines.index("# app = create_app(before=before, after=after)")
    code = "\n".join(line.removeprefix("# ").removeprefix("#") for line in lines[start:end])
    names = {"__name__": "serve"}
    exec(code, names)
    from shipway.serving.hooks import Hooks, compile_hooks

    request, response, schemas = compile_hooks(Hooks(names["before"], names["after"])).schemas()
    assert schemas | {"Request": request, "Answer": response}
    row = names["before"](names["Request"]([1.0, 2.0]))
    assert row == [1.0, 2.0]


def test_an_own_module_that_the_image_will_lack_is_said(shipway, here, monkeypatch):
    code = (
        "class Twice:\n    n_features_in_ = 1\n    def predict(self, rows): return 2 * rows[:, 0]\n"
    )
    (here / "own_estimator.py").write_text(code)
    monkeypatch.syspath_prepend(here)
    import own_estimator

    (here / "twice.pkl").write_bytes(pickle.dumps(own_estimator.Twice()))
    code, _, err = shipway("init", "x", "--model", "twice.pkl", "--allow", "own_estimator.Twice")
    assert code == 0
    assert err.startswith(
        "warning: The image cannot load the model without own_estimator: "
        "put a wheel of it into wheels/ and a line into requirements.txt.\nNext: "
    )
