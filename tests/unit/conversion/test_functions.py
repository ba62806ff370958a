"""Functions that ONNX lacks in float64, against Python's own."""

import math

import numpy as np
import onnxruntime
import pytest

from shipway.conversion.erf import erf
from shipway.conversion.sheet import Sheet
from shipway.conversion.sklearn_encoders import _log1p
from shipway.conversion.sklearn_targets import _expm1

VALUES = [
    *np.linspace(-30, 30, 601).tolist(),
    *(sign * 10.0**power for sign in (1, -1) for power in range(-300, 2, 7)),
    0.46875, 4.0, 5.9, 0.0,
]  # fmt: skip


def apply(function, values):
    sheet = Sheet()
    out = function(sheet, "x")
    model = sheet.model([("x", "DOUBLE", 1)], {"out": (out, "DOUBLE", 1)}, {})
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": np.array(values).reshape(-1, 1)})[0].ravel()


@pytest.mark.parametrize(
    ("ours", "theirs"), [(erf, math.erf), (_expm1, math.expm1)], ids=["erf", "expm1"]
)
def test_float64_functions_keep_their_digits(ours, theirs):
    expected = np.array([theirs(value) for value in VALUES])
    np.testing.assert_allclose(apply(ours, VALUES), expected, rtol=4e-15, atol=0)


def test_log1p_keeps_its_digits():
    values = [value for value in VALUES if value > -1]
    expected = np.array([math.log1p(value) for value in values])
    np.testing.assert_allclose(apply(_log1p, values), expected, rtol=4e-15, atol=0)


def test_expm1_of_numbers_too_large_and_too_small():
    assert apply(_expm1, [1e4, -1e4]).tolist() == [math.inf, -1.0]
