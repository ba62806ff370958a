"""Every classifier and regressor of scikit-learn that fits with its defaults is served."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_wine
from sklearn.preprocessing import minmax_scale
from sklearn.utils import all_estimators

from shipway.model.spec import Artifact, TrustPolicy, sha256
from shipway.runtimes import load

WINE = load_wine(return_X_y=True)
DIABETES = load_diabetes(return_X_y=True)
# Half of the rows, scaled to [0, 1]: the naive Bayes and log-linked models take nothing negative.
DATA = {
    "classifier": (minmax_scale(WINE[0])[::2], np.array(["red", "rosé", "white"])[WINE[1]][::2]),
    "regressor": (minmax_scale(DIABETES[0])[::4], DIABETES[1][::4] + 1),
}
CASES = [
    pytest.param(kind, estimator, id=name)
    for kind in DATA
    for name, estimator in all_estimators(type_filter=kind)
]


# Deprecated by scikit-learn 1.8, which says so whenever one is made, unpickling included.
@pytest.mark.filterwarnings("ignore:Class PassiveAggressive:FutureWarning")
@pytest.mark.slow
@pytest.mark.parametrize(("kind", "estimator"), CASES)
def test_it_answers_as_it_does_itself(kind, estimator):
    rows, target = DATA[kind]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = estimator().fit(rows, target)
    except (TypeError, ValueError) as exc:
        pytest.skip(f"does not fit with its defaults: {str(exc).splitlines()[0]}")
    data = pickle.dumps(model)

    runtime = load(Artifact("m", data, sha256(data)), policy=TrustPolicy(), threads=1)
    outputs = runtime.predict(rows[:2])

    signature = runtime.spec.signature
    assert signature.task == kind
    assert len(signature.features) == rows.shape[1]
    assert outputs.predictions.tolist() == model.predict(rows[:2]).ravel().tolist()
    assert signature.confidence == hasattr(model, "predict_proba")
    if outputs.confidences is not None:
        expected = model.predict_proba(rows[:2]).max(axis=1)
        assert outputs.confidences.tolist() == expected.tolist()
