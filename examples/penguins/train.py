"""Train a classifier that names a penguin's species: numbers, strings and missing values."""

from __future__ import annotations

import pickle
from pathlib import Path

import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

HERE = Path(__file__).resolve().parent
MODEL = HERE / "models" / "model.pkl"
STRINGS = ["island", "sex"]
NUMBERS = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]


def split() -> tuple[pd.DataFrame, pd.DataFrame, pd.Series[str], pd.Series[str]]:
    """The rows to train on and the rows held out, then the species of both."""
    table = pd.read_csv(HERE / "data" / "penguins.csv")
    rows, species = table[["island", *NUMBERS, "sex"]], table["species"]
    parts = train_test_split(rows, species, test_size=0.25, stratify=species, random_state=0)
    return tuple(parts)


def train(rows: pd.DataFrame, species: pd.Series[str]) -> Pipeline:
    """A fitted model; it fills gaps by itself and keeps the names of the columns."""
    columns = make_column_transformer(
        (SimpleImputer(strategy="median"), NUMBERS),
        (
            make_pipeline(
                SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")
            ),
            STRINGS,
        ),
    )
    forest = RandomForestClassifier(n_estimators=50, min_samples_leaf=3, random_state=0)
    return make_pipeline(columns, forest).fit(rows, species)


def save(model: Pipeline, path: Path) -> None:
    """Write aside and rename, so that a server never reads half a file."""
    path.parent.mkdir(exist_ok=True)
    aside = path.with_suffix(".part")
    aside.write_bytes(pickle.dumps(model))
    aside.replace(path)


def main() -> None:
    """Train, say how good the model is on rows that it has not seen, and write it."""
    rows, unseen, species, truth = split()
    model = train(rows, species)
    predicted = model.predict(unseen)
    print(f"trained on {len(rows)} rows, tried on {len(unseen)} others:")
    print(f"  accuracy            {accuracy_score(truth, predicted):.3f}")
    print(f"  balanced accuracy   {balanced_accuracy_score(truth, predicted):.3f}")
    print(f"  always Adelie       {(truth == 'Adelie').mean():.3f}")
    save(model, MODEL)
    print("wrote models/model.pkl")


if __name__ == "__main__":
    main()
