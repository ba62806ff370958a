"""No honest model is refused: stored in many ways, scanned, loaded, and its answers unchanged."""

import bz2
import gzip
import io
import lzma
import pickle
import zlib
from collections.abc import Callable
from functools import partial

import cloudpickle
import joblib
import numpy as np
import pytest
import skops.io
from scipy.ndimage import gaussian_filter1d
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from tests.honest import (
    catboost_models,
    lightgbm_models,
    scikit_learn,
    scikit_learn_pipelines,
    xgboost_models,
)
from tests.honest.case import answers, assert_same, quiet

from shipway.model.scan import scan
from shipway.model.spec import Artifact, Format, TrustPolicy, sha256
from shipway.runtimes.unpickling import load_pickle

LIBRARIES = {
    "scikit-learn": [*scikit_learn.every_estimator(), *scikit_learn_pipelines.pipelines()],
    "xgboost": xgboost_models.cases(),
    "lightgbm": lightgbm_models.cases(),
    "catboost": catboost_models.cases(),
}
FEWEST = 60
FORMATS = (Format.PICKLE, Format.JOBLIB)
NO_SKOPS = {"Birch", "mixed-index-of-columns", "mixed-missing-words"}
"""skops itself cannot store these: a tree with cycles, a pandas index, pandas.NA."""


def joblib_dump(model, **options):
    file = io.BytesIO()
    joblib.dump(model, file, **options)
    return file.getvalue()


WAYS: dict[str, Callable[[object], bytes]] = {
    "pickle5": partial(pickle.dumps, protocol=5),
    "joblib": joblib_dump,
    "pickle4": partial(pickle.dumps, protocol=4),
    "joblib-zlib": partial(joblib_dump, compress=3),
    "pickle2": partial(pickle.dumps, protocol=2),
    "joblib-lzma": partial(joblib_dump, compress=("lzma", 1)),
    "pickle3": partial(pickle.dumps, protocol=3),
    "cloudpickle": cloudpickle.dumps,
    "joblib-gzip": partial(joblib_dump, compress=("gzip", 3)),
    "joblib-bz2": partial(joblib_dump, compress=("bz2", 3)),
    "pickle-gzip": lambda model: gzip.compress(pickle.dumps(model)),
    "joblib-xz": partial(joblib_dump, compress=("xz", 1)),
    "pickle-protocol-0": partial(pickle.dumps, protocol=0),
    "pickle-bz2": lambda model: bz2.compress(pickle.dumps(model)),
    "pickle-xz": lambda model: lzma.compress(pickle.dumps(model)),
    "joblib-protocol-2": partial(joblib_dump, protocol=2),
    "pickle-zlib": lambda model: zlib.compress(pickle.dumps(model)),
}


def honest():
    """Every model, each stored in one way: the ways take turns, in each library anew."""
    for library, cases in LIBRARIES.items():
        for place, case in enumerate(cases):
            way = list(WAYS)[place % len(WAYS)]
            yield pytest.param(case, way, id=f"{library}-{place + 1}-{case.id}-{way}")


def skopsable():
    for library, cases in LIBRARIES.items():
        for case in cases:
            if case.id not in NO_SKOPS:
                yield pytest.param(case, id=f"{library}-{case.id}")


def artifact(data, name="model"):
    return Artifact(name, data, sha256(data))


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_corpus_is_large_enough(library):
    names = [case.id for case in LIBRARIES[library]]
    assert len(names) == len(set(names))
    assert len(names) >= FEWEST
    assert len(set(names) - NO_SKOPS) >= FEWEST


@pytest.mark.parametrize(("case", "way"), list(honest()))
def test_an_honest_model_is_safe_and_answers_as_before(case, way):
    model, rows = case.build()
    stored = artifact(WAYS[way](model))
    said = answers(model, rows)
    report = scan(stored, TrustPolicy())
    assert report.findings == ()
    # joblib writes a plain pickle for a model that holds no array
    assert report.format in (FORMATS if way.startswith("joblib") else FORMATS[:1])
    assert report.names
    assert_same(answers(load_pickle(stored, TrustPolicy()), rows), said)


@pytest.mark.parametrize("case", list(skopsable()))
def test_an_honest_model_is_safe_as_skops_too(case):
    model, rows = case.build()
    with quiet():
        data = skops.io.dumps(model)
    said = answers(model, rows)
    report = scan(artifact(data), TrustPolicy())
    assert report.findings == ()
    assert report.format is Format.SKOPS
    with quiet():
        again = skops.io.loads(data, trusted=skops.io.get_untrusted_types(data=data))
    assert_same(answers(again, rows), said)


def test_a_model_that_needs_a_yes_is_refused_by_name_and_loads_once_allowed():
    rows = np.random.default_rng(0).normal(size=(20, 3))
    smooth = FunctionTransformer(gaussian_filter1d, kw_args={"sigma": 2.0})
    model = make_pipeline(smooth, LinearRegression()).fit(rows, rows[:, 0])
    stored = artifact(pickle.dumps(model))
    refused = scan(stored, TrustPolicy())
    (finding,) = refused.findings
    assert finding.name == f"{gaussian_filter1d.__module__}.gaussian_filter1d"
    allowed = TrustPolicy(names=frozenset({finding.name}))
    assert scan(stored, allowed).findings == ()
    assert_same(answers(load_pickle(stored, allowed), rows), answers(model, rows))
