"""Small data, bundled with scikit-learn or made up here, the same in every run."""

import numpy as np
import pandas as pd
import scipy.sparse
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine

IRIS = load_iris().data[::2]
SPECIES = load_iris().target[::2]
NAMED_SPECIES = load_iris().target_names[SPECIES]
CANCER = load_breast_cancer().data[:80, :6]
BENIGN = load_breast_cancer().target[:80]
WINE = load_wine().data[::2]
CULTIVAR = load_wine().target[::2]
BODY = load_diabetes().data[:80, :5]
PROGRESS = load_diabetes().target[:80]

BODY_FRAME = pd.DataFrame(BODY, columns=["age", "sex", "bmi", "bp", "s1"])
BODY_HOLES = BODY.copy()
BODY_HOLES[::7, 1] = np.nan
BODY_HOLES[3::9, 3] = np.nan
TWO_TARGETS = np.column_stack([PROGRESS, PROGRESS[::-1]])
TWO_LABELS = np.column_stack([BENIGN, (CANCER[:, 0] > 14).astype(int)])
COUNTS = np.floor(PROGRESS / 40)
CODES = (IRIS * 2).astype(int)
SPARSE = scipy.sparse.csr_matrix(np.where(CANCER > 20, CANCER, 0))
QUERIES = np.repeat(np.arange(8), 10)
RELEVANCE = (COUNTS % 4).astype(int)

TEXTS = [
    f"{a} {b} {c}"
    for a in ("the model", "a server", "one container", "no image")
    for b in ("runs", "fails", "stops")
    for c in ("today", "in a test", "Ünïcode wörds")
]
TOPICS = np.array(["good" if "runs" in text else "bad" for text in TEXTS])

MIXED = pd.DataFrame(
    {
        "age": [21.0, 35.0, np.nan, 44.0, 51.0, 29.0, 38.0, 60.0] * 6,
        "income": [1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 8.5] * 6,
        "city": ["Bern", "Oslo", "Bern", "Rome", "Oslo", "Rome", "Bern", "Oslo"] * 6,
        "plan": ["free", "pro", "pro", "free", "team", "team", "free", "pro"] * 6,
    }
)
CHURNED = np.array([0, 1, 0, 1, 1, 0, 0, 1] * 6)
SPENT = np.array([3.0, 1.0, 4.0, 1.5, 9.0, 2.0, 6.0, 5.0] * 6)
CATEGORIES = MIXED.astype({"city": "category", "plan": "category"})
OBJECTS = MIXED.astype({"city": object, "plan": object})
