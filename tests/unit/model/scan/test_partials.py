"""functools.partial makes calls out of data: only over functions listed to be referred to."""

import os
import pickle
from functools import partial

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import FunctionTransformer

from shipway.model.scan import scan
from shipway.model.spec import Artifact, TrustPolicy, sha256


def findings(value, protocol=4):
    data = pickle.dumps(value, protocol=protocol)
    report = scan(Artifact("model.pkl", data, sha256(data)), TrustPolicy())
    return {finding.name for finding in report.findings}


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_over_a_listed_function_it_is_safe(protocol):
    assert not findings(FunctionTransformer(partial(np.clip, a_min=0, a_max=1)), protocol)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (partial(os.system, "touch executed"), "posix.system"),
        (partial(partial(os.system), "touch executed"), "posix.system"),
        (partial(eval, "1"), "builtins.eval"),
        (partial(LogisticRegression, C=1), "functools.partial"),
        (partial(bytearray, 10**12), "functools.partial"),
        (partial(getattr, "np", "load"), "builtins.getattr"),
    ],
)
@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_over_anything_else_it_is_refused(call, name, protocol, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert name in findings(FunctionTransformer(call), protocol)
    assert not list(tmp_path.iterdir())
