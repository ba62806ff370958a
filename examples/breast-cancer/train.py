"""Train a classifier that tells benign (1) from malignant (0) tumours by 30 measurements."""

from __future__ import annotations

import pickle
from pathlib import Path

import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, recall_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

MODEL = Path(__file__).resolve().parent / "models" / "model.pkl"


def split() -> tuple[pd.DataFrame, pd.DataFrame, pd.Series[int], pd.Series[int]]:
    """The rows to train on and the rows held out, then the labels of both."""
    rows, labels = load_breast_cancer(return_X_y=True, as_frame=True)
    parts = train_test_split(rows, labels, test_size=0.25, stratify=labels, random_state=0)
    return tuple(parts)


def train(rows: pd.DataFrame, labels: pd.Series[int]) -> Pipeline:
    """A fitted model; it keeps the names of the columns."""
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, labels)


def save(model: Pipeline, path: Path) -> None:
    """Write aside and rename, so that a server never reads half a file."""
    path.parent.mkdir(exist_ok=True)
    aside = path.with_suffix(".part")
    aside.write_bytes(pickle.dumps(model))
    aside.replace(path)


def main() -> None:
    """Train, say how good the model is on rows that it has not seen, and write it."""
    rows, unseen, labels, truth = split()
    model = train(rows, labels)
    predicted = model.predict(unseen)
    print(f"trained on {len(rows)} rows, tried on {len(unseen)} others:")
    print(f"  accuracy          {accuracy_score(truth, predicted):.3f}")
    print(f"  always benign     {(truth == 1).mean():.3f}")
    print(f"  malignant found   {recall_score(truth, predicted, pos_label=0):.3f}")
    save(model, MODEL)
    print("wrote models/model.pkl")


if __name__ == "__main__":
    main()
