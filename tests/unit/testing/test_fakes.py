"""The public fakes obey their ports."""

import numpy as np
import pytest

from shipway.errors import InputError, ModelNotFoundError, NotReadyError, PredictionError
from shipway.model.signature import Outputs
from shipway.testing import FakeClock, FixedRuntime, MemorySource, numbers


def test_a_fixed_runtime_answers_with_its_function():
    runtime = FixedRuntime(numbers(2), lambda rows: rows.sum(axis=1))

    answer = runtime.predict(np.array([[1.0, 2.0], [3.0, 4.0]]))

    assert answer.predictions.tolist() == [3.0, 7.0]
    assert answer.confidences is None
    assert runtime.spec.signature.names == ("x0", "x1")


def test_a_fixed_runtime_may_give_labels_with_confidences():
    signature = numbers(1, classes=("no", "yes"))
    outputs = Outputs(np.array(["yes"], dtype=object), np.array([0.75]))

    runtime = FixedRuntime(signature, lambda _: outputs, name="a")

    assert runtime.predict(signature.example_rows()) is outputs
    assert signature.confidence
    assert runtime.spec.digest != FixedRuntime(signature, lambda rows: rows, name="b").spec.digest


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (ValueError("too large"), InputError),
        (ZeroDivisionError("oops"), PredictionError),
        (NotReadyError("wait"), NotReadyError),
    ],
)
def test_a_fixed_runtime_fails_as_a_real_one_does(raised, expected):
    def function(rows):
        raise raised

    with pytest.raises(expected, match=str(raised)):
        FixedRuntime(numbers(1), function).predict(np.zeros((1, 1)))


def test_a_clock_moves_only_when_told():
    clock = FakeClock(5.0)
    assert clock.monotonic() == 5.0
    clock.advance(1.5)
    assert clock.monotonic() == 6.5
    with pytest.raises(ValueError, match="go back"):
        clock.advance(-1)


def test_a_source_in_memory_changes_its_fingerprint_with_its_content():
    source = MemorySource(b"one")
    first = source.fingerprint()
    assert source.read().data == b"one"

    source.replace(b"two")

    assert source.fingerprint() not in (first, None)
    assert source.read().digest.startswith("sha256:3fc4ccfe7458")


def test_a_source_in_memory_may_be_empty():
    source = MemorySource(b"one")
    source.replace(None)
    assert source.fingerprint() is None
    with pytest.raises(ModelNotFoundError, match=r"no model model\.pkl"):
        source.read()
