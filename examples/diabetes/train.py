"""Train a regressor that predicts how far diabetes progresses within a year."""

from __future__ import annotations

import pickle
from pathlib import Path

import pandas as pd
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error, r2_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

MODEL = Path(__file__).resolve().parent / "models" / "model.pkl"


def split() -> tuple[pd.DataFrame, pd.DataFrame, pd.Series[float], pd.Series[float]]:
    """The rows to train on and the rows held out, then the targets of both."""
    rows, targets = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    return tuple(train_test_split(rows, targets, test_size=0.25, random_state=0))


def train(rows: pd.DataFrame, targets: pd.Series[float]) -> Pipeline:
    """A fitted model; it keeps the names of the columns."""
    return make_pipeline(StandardScaler(), Ridge(alpha=10)).fit(rows, targets)


def save(model: Pipeline, path: Path) -> None:
    """Write aside and rename, so that a server never reads half a file."""
    path.parent.mkdir(exist_ok=True)
    aside = path.with_suffix(".part")
    aside.write_bytes(pickle.dumps(model))
    aside.replace(path)


def main() -> None:
    """Train, say how good the model is on rows that it has not seen, and write it."""
    rows, unseen, targets, truth = split()
    model = train(rows, targets)
    predicted = model.predict(unseen)
    print(f"trained on {len(rows)} rows, tried on {len(unseen)} others:")
    print(f"  mean absolute error   {mean_absolute_error(truth, predicted):.1f}")
    print(f"  always the mean       {(truth - targets.mean()).abs().mean():.1f}")
    print(f"  R²                    {r2_score(truth, predicted):.3f}")
    save(model, MODEL)
    print("wrote models/model.pkl")


if __name__ == "__main__":
    main()
