"""A model is loaded and tried in one process and answers in its children, for every library.

Each library runs in a fresh process: this one has trained models, and thread pools of a training
would be started already.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from tests.contract.models import BUILDERS, artifact_of

LIBRARIES = ("scikit-learn", "ONNX", "XGBoost", "LightGBM", "CatBoost", "PyTorch")

SCRIPT = """
import os, pickle, signal, sys
from shipway.model.spec import TrustPolicy
from shipway.runtimes import load

with open(sys.argv[1], "rb") as file:
    cases = pickle.load(file)
for name, artifact, rows in cases:
    runtime = load(artifact, policy=TrustPolicy(), threads=1)
    alone = runtime.predict(rows).predictions.tolist()
    for turn in range(2):
        child = os.fork()
        if not child:
            signal.alarm(30)
            same = runtime.predict(rows).predictions.tolist() == alone
            os._exit(0 if same else 3)
        status = os.waitpid(child, 0)[1]
        if status:
            sys.exit(f"{name}: the child ended with status {status} (14: it hung)")
    assert runtime.predict(rows).predictions.tolist() == alone
"""


@pytest.mark.parametrize(
    "library",
    [
        pytest.param(library, marks=pytest.mark.torch if library == "PyTorch" else ())
        for library in LIBRARIES
    ],
)
def test_a_model_loaded_before_a_fork_answers_after_it(library: str, tmp_path: Path) -> None:
    if library == "PyTorch":
        pytest.importorskip("torch", reason="PyTorch is not installed")
    cases = []
    for number, name in enumerate(name for name in BUILDERS if name.startswith(library)):
        (tmp_path / str(number)).mkdir()
        case = BUILDERS[name](tmp_path / str(number))
        cases.append((name, artifact_of(case), case.rows))
    (tmp_path / "cases").write_bytes(pickle.dumps(cases))

    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "cases")],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
