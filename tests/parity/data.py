"""Small data sets: numbers, numbers with holes, and a frame with texts."""

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

WINE = load_wine(return_X_y=True)
CANCER = load_breast_cancer(return_X_y=True)
DIABETES = load_diabetes(return_X_y=True)


def holes(rows):
    """One value in seven is missing."""
    rows = rows.copy()
    rows[np.random.default_rng(0).random(rows.shape) < 0.15] = np.nan
    return rows


def people(count=400):
    """Ages, cities, jobs and incomes; whether somebody buys, and for how much."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": rng.normal(40, 10, count).round(1),
            "city": rng.choice(["Oslo", "Rome", "Kyiv", "Lima"], count).astype(object),
            "job": rng.choice(["clerk", "nurse", "smith"], count).astype(object),
            "income": rng.lognormal(10, 1, count),
        }
    )
    north = frame.city.isin(["Oslo", "Lima"])
    buys = ((frame.age > 40).astype(int) + north + (rng.random(count) < 0.1) >= 1.5).astype(int)
    return frame, buys, frame.age * 2 + (frame.city == "Rome") * 30 + rng.normal(size=count)


def people_with_holes():
    """The same, with cities and incomes missing."""
    frame, buys, spends = people()
    frame.loc[::7, "city"] = np.nan
    frame.loc[::5, "income"] = np.nan
    return frame, buys, spends


def people_in_categories():
    """The same, with cities and jobs as pandas categoricals."""
    frame, buys, spends = people()
    return frame.astype({"city": "category", "job": "category"}), buys, spends
