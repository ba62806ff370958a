"""Models that need a yes, as docs/limitations.md lists them: the refusal names what they hold."""

import pickle
from functools import partial

import joblib
import pandas as pd
import pytest
import scipy.stats
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import Ridge
from sklearn.model_selection import RandomizedSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from tests.honest import data
from tests.honest.case import answers, assert_same

from shipway.errors import UnsafeModelError
from shipway.model.scan import scan
from shipway.model.spec import Artifact, TrustPolicy, sha256
from shipway.runtimes.unpickling import load_pickle

BODY_OF_A_TABLE = pd.DataFrame({"a": [1.0, 2.0]})


def doubled(rows):
    return rows * 2


def words(text):
    return text.split()


MODELS = {
    "a scipy.stats distribution": (
        RandomizedSearchCV(Ridge(), {"alpha": scipy.stats.uniform(0, 1)}),
        "scipy.stats._distn_infrastructure.rv_continuous_frozen",
    ),
    "an own function": (FunctionTransformer(doubled), "doubled"),
    "an own analyzer": (CountVectorizer(analyzer=words), "words"),
    "an own metric": (KNeighborsClassifier(metric=doubled), "doubled"),
    "a partial of an own function": (FunctionTransformer(partial(doubled)), "doubled"),
    "a partial of a class": (FunctionTransformer(partial(Ridge)), "functools.partial"),
    "a cache": (make_pipeline(Ridge(), memory=joblib.Memory(None)), "joblib.memory.Memory"),
    "a table": (FunctionTransformer(kw_args={"prices": BODY_OF_A_TABLE}), "pandas.DataFrame"),
}


def artifact(model):
    stored = pickle.dumps(model)
    return Artifact("model.pkl", stored, sha256(stored))


@pytest.mark.parametrize("what", MODELS)
def test_what_needs_a_yes_is_named(what):
    model, name = MODELS[what]
    stored = artifact(model)
    refused = {finding.name for finding in scan(stored, TrustPolicy()).findings}
    assert any(found == name or found.endswith(f".{name}") for found in refused)
    with pytest.raises(UnsafeModelError) as error:
        load_pickle(stored, TrustPolicy())
    assert refused <= set(error.value.findings)
    assert all(found in error.value.message + error.value.hint for found in refused)


def test_an_own_function_loads_once_its_name_is_allowed():
    model = FunctionTransformer(doubled).fit(data.BODY)
    stored = artifact(model)
    (finding,) = scan(stored, TrustPolicy()).findings
    allowed = TrustPolicy(names=frozenset({finding.name}))
    assert_same(answers(load_pickle(stored, allowed), data.BODY), answers(model, data.BODY))
