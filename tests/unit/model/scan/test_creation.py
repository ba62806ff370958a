"""How listed classes may be created: empty, or with what an honest pickler writes."""

import importlib
import pickle

import pytest

from shipway.model.scan import scan
from shipway.model.spec import Artifact, TrustPolicy, sha256

BIG = 10**9


class Forged:
    """Pickles as a call of ``name`` with ``args``."""

    def __init__(self, name, *args):
        self.name, self.args = name, args

    def __reduce__(self):
        return resolve(self.name), self.args


def resolve(name):
    module, _, qualname = name.partition(":")
    return getattr(importlib.import_module(module), qualname)


def offenders(value):
    stored = pickle.dumps(value)
    return [f.name for f in scan(Artifact("m", stored, sha256(stored)), TrustPolicy()).findings]


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("scipy.sparse._csr:csr_matrix", ((BIG, 2),)),
        ("sklearn.cluster._birch:_CFNode", (0.5, BIG, True, 4)),
        ("sklearn.model_selection._split:PredefinedSplit", (range(1_000_000),)),
        ("xgboost.core:Booster", ({}, (), "/etc/passwd")),
        ("lightgbm.basic:Booster", (None, None, "/etc/passwd")),
        ("sklearn.tree._tree:Tree", (4, [3], BIG)),
        ("pandas.core.indexes.base:_new_Index", (dict, {})),
        ("pandas:RangeIndex", (BIG,)),
        ("sklearn.metrics._dist_metrics:newObj", (object,)),
    ],
)
def test_arguments_that_no_pickler_writes_are_refused(name, args):
    called = resolve(name)
    assert offenders(Forged(name, *args))[:1] == [f"{name.partition(':')[0]}.{called.__name__}"]


def test_an_index_over_a_range_is_refused():
    """Thirty bytes of a file would become a hundred megabytes of numbers."""
    index = resolve("pandas:Index")
    fields = {"data": range(5_000_000), "dtype": "object"}
    assert offenders(Forged("pandas.core.indexes.base:_new_Index", index, fields)) == [
        "pandas.core.indexes.base._new_Index"
    ]


def test_the_same_classes_pass_when_created_empty():
    csr = resolve("scipy.sparse._csr:csr_matrix")
    assert offenders([csr([[1.0, 0.0]]), resolve("sklearn.linear_model:Ridge")()]) == []
