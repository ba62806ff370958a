"""The two models that every server answers with, in the forms they take, and the row."""

from __future__ import annotations

import os
import pickle
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from bench.table import SCRATCH
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

KINDS = {
    "forest": "RandomForestClassifier(100)",
    "linear": "StandardScaler + LogisticRegression",
}
FOLDER = SCRATCH / "models"
ROW = 22
"""Of breast cancer: one that the forest is not wholly sure of."""
TOLERANCE = 1e-5
"""Between a converted model's float32 and the original's float64."""

TO_MLFLOW = """
import pickle, shutil, sys, mlflow.sklearn
source, target = sys.argv[1:]
shutil.rmtree(target, ignore_errors=True)
model = pickle.load(open(source, "rb"))
mlflow.sklearn.save_model(model, target, pyfunc_predict_fn="predict_proba", pip_requirements=[],
                          serialization_format="cloudpickle")
"""


def row() -> list[float]:
    """The 30 numbers of every request."""
    return [float(value) for value in load_breast_cancer().data[ROW]]


def train(kind: str) -> Path:
    """The pickle of a fitted model; made once."""
    path = FOLDER / f"{kind}.pkl"
    if not path.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        rows, labels = load_breast_cancer(return_X_y=True)
        path.write_bytes(pickle.dumps(_estimator(kind).fit(rows, labels)))
    return path


def _estimator(kind: str) -> Any:
    if kind == "forest":
        return RandomForestClassifier(100, random_state=0)
    return make_pipeline(StandardScaler(), LogisticRegression())


def answer(kind: str) -> tuple[float, float]:
    """The label and the confidence that every server has to give for the row."""
    probabilities = pickle.loads(train(kind).read_bytes()).predict_proba([row()])[0]
    return float(probabilities.argmax()), float(probabilities.max())


def model(kind: str, form: str, bin_folder: Path) -> Path:
    """The model in the form that a server loads; made once."""
    source = train(kind)
    if form == "onnx":
        return _to_onnx(source)
    if form == "mlflow":
        target = source.with_name(f"{kind}-mlflow")
        if not (target / "MLmodel").exists():
            python = str(bin_folder / "python")
            environ = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"}
            subprocess.run(
                [python, "-c", TO_MLFLOW, str(source), str(target)], check=True, env=environ
            )
        return target
    return source


def _to_onnx(source: Path) -> Path:
    path = source.with_name(f"{source.stem}-converted.onnx")
    if not path.exists():
        command = [sys.executable, "-m", "shipway", "convert", str(source), "-o", str(path)]
        subprocess.run(command, check=True)
    return path


def own_time(kind: str, calls: int = 200) -> float:
    """Milliseconds that the fitted model takes for the row by itself: the median of some calls."""
    fitted, rows = pickle.loads(train(kind).read_bytes()), np.array([row()])
    took = []
    for _ in range(calls):
        begun = time.perf_counter()
        fitted.predict_proba(rows)
        took.append(time.perf_counter() - begun)
    return statistics.median(took) * 1000


if __name__ == "__main__":
    print(*(model(kind, "onnx", Path(sys.executable).parent) for kind in KINDS))
