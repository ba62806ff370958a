"""Train a classifier that tells benign (1) from malignant (0) tumours by 30 measurements.

With MLFLOW_TRACKING_URI set, the run is logged there too, and the model registered and promoted.
"""

from __future__ import annotations

import argparse
import os
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
NAME, ALIAS = "breast-cancer", "champion"


def split() -> tuple[pd.DataFrame, pd.DataFrame, pd.Series[int], pd.Series[int]]:
    """The rows to train on and the rows held out, then the labels of both."""
    rows, labels = load_breast_cancer(return_X_y=True, as_frame=True)
    parts = train_test_split(rows, labels, test_size=0.25, stratify=labels, random_state=0)
    return tuple(parts)


def train(rows: pd.DataFrame, labels: pd.Series[int], strength: float) -> Pipeline:
    """A fitted model; it keeps the names of the columns."""
    return make_pipeline(StandardScaler(), LogisticRegression(C=strength)).fit(rows, labels)


def save(model: Pipeline, path: Path) -> None:
    """Write aside and rename, so that a server never reads half a file."""
    path.parent.mkdir(exist_ok=True)
    aside = path.with_suffix(".part")
    aside.write_bytes(pickle.dumps(model))
    aside.replace(path)


def register(
    model: Pipeline, rows: pd.DataFrame, strength: float, metrics: dict[str, float]
) -> str:
    """Log the run to MLflow and let the alias stand for its model; the version's number."""
    import mlflow
    import sklearn
    import skops

    mlflow.set_experiment(NAME)
    with mlflow.start_run():
        mlflow.log_params({"C": strength, "rows": len(rows)})
        mlflow.log_metrics(metrics)
        logged = mlflow.sklearn.log_model(
            model,
            name="model",
            signature=mlflow.models.infer_signature(rows, model.predict(rows)),
            input_example=rows.head(1),
            # Data without code, unlike a pickle.
            serialization_format="skops",
            pip_requirements=[
                f"scikit-learn=={sklearn.__version__}",
                f"skops=={skops.__version__}",
            ],
            registered_model_name=NAME,
        )
    version = str(logged.registered_model_version)
    mlflow.MlflowClient().set_registered_model_alias(NAME, ALIAS, version)
    return version


def main() -> None:
    """Train, say how good the model is on rows that it has not seen, and write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strength", type=float, default=1.0, help="C: less is more regularised")
    strength = parser.parse_args().strength
    rows, unseen, labels, truth = split()
    model = train(rows, labels, strength)
    predicted = model.predict(unseen)
    metrics = {
        "accuracy": float(accuracy_score(truth, predicted)),
        "malignant_found": float(recall_score(truth, predicted, pos_label=0)),
    }
    print(f"trained on {len(rows)} rows, tried on {len(unseen)} others:")
    print(f"  accuracy          {metrics['accuracy']:.3f}")
    print(f"  always benign     {(truth == 1).mean():.3f}")
    print(f"  malignant found   {metrics['malignant_found']:.3f}")
    save(model, MODEL)
    print("wrote models/model.pkl")
    if os.environ.get("MLFLOW_TRACKING_URI"):
        version = register(model, rows, strength, metrics)
        print(f"registered {NAME} version {version}, promoted to {ALIAS}")


if __name__ == "__main__":
    main()
