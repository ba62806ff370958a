"""One suite for the port Runtime: on the fake, and on a real model of every format."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from tests.contract.models import BUILDERS, Case

from shipway.model.signature import Outputs
from shipway.ports import Runtime
from shipway.testing import FixedRuntime, numbers

FAKE = "fake"
PARAMETERS = [
    pytest.param(name, marks=pytest.mark.torch if name.startswith("PyTorch") else ())
    for name in BUILDERS
]


@pytest.fixture
def subject(request: pytest.FixtureRequest, built: Any) -> Runtime:
    if request.param != FAKE:
        return built(request.param)[1]
    signature = numbers(2, classes=("no", "yes"))

    def function(rows: np.ndarray) -> Outputs:
        yes = rows.sum(axis=1) > 0
        return Outputs(np.where(yes, "yes", "no").astype(object), np.full(len(rows), 0.75))

    return FixedRuntime(signature, function)


on_fake_and_real = pytest.mark.parametrize("subject", [FAKE, *PARAMETERS], indirect=True)


def close(left: Any, right: Any, case: Case) -> None:
    if right.dtype.kind in "fiu":
        tolerance = 1e-12 if case.exact else 1e-4
        np.testing.assert_allclose(left.astype(float), right.astype(float), rtol=tolerance)
    else:
        assert left.tolist() == right.tolist()


@on_fake_and_real
def test_the_answer_has_the_shapes_that_the_signature_says(subject):
    signature = subject.spec.signature

    for count in (1, 3):
        outputs = subject.predict(signature.example_rows(count))
        shape = (count,) if signature.outputs == 1 else (count, signature.outputs)
        assert outputs.predictions.shape == shape
        assert outputs.predictions.dtype.kind in "biufO"
        assert (outputs.confidences is not None) == signature.confidence
        if outputs.confidences is not None:
            assert outputs.confidences.shape == (count,)
            assert outputs.confidences.dtype == np.float64
            assert ((outputs.confidences > 0) & (outputs.confidences <= 1 + 1e-6)).all()
        if signature.classes is not None:
            assert set(outputs.predictions.tolist()) <= set(signature.classes)


@on_fake_and_real
def test_rows_are_answered_one_by_one_as_together(subject):
    rows = subject.spec.signature.example_rows(3)
    together = subject.predict(rows).predictions
    alone = [subject.predict(rows[index : index + 1]).predictions for index in range(3)]
    assert np.concatenate(alone).tolist() == together.tolist()


@on_fake_and_real
def test_the_rows_are_not_changed(subject):
    rows = subject.spec.signature.example_rows(2)
    before = rows.copy()
    subject.predict(rows)
    assert rows.tolist() == before.tolist()


@on_fake_and_real
def test_a_missing_value_is_answered_where_the_signature_allows_it(subject):
    signature = subject.spec.signature
    for index, feature in enumerate(signature.features[:4]):
        if feature.missing:
            rows = signature.example_rows()
            rows[0, index] = None if rows.dtype == object else np.nan
            assert len(subject.predict(rows).predictions) == 1


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_format_is_recognised_though_the_name_lies(name, built):
    case, runtime = built(name)
    assert runtime.spec.format == case.format
    assert runtime.spec.framework == case.framework
    assert runtime.spec.installed_version


@pytest.mark.parametrize("name", PARAMETERS)
def test_predictions_and_confidences_are_the_librarys_own(name, built):
    case, runtime = built(name)

    outputs = runtime.predict(case.rows)

    close(outputs.predictions, case.predictions, case)
    if case.confidences is None:
        assert outputs.confidences is None
    else:
        close(outputs.confidences, np.asarray(case.confidences, dtype=float), case)


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_signature_is_the_models_own(name, built):
    case, runtime = built(name)
    signature = runtime.spec.signature

    assert len(signature.features) == case.rows.shape[1]
    assert signature.task == ("classifier" if case.classes else "regressor")
    assert signature.classes == case.classes
    if case.names is not None:
        assert signature.names == case.names
        assert signature.named
    words = [index for index, value in enumerate(case.rows[1]) if isinstance(value, str)]
    kinds = [index for index, feature in enumerate(signature.features) if feature.kind == "string"]
    assert kinds == words


@pytest.mark.parametrize("name", PARAMETERS)
def test_many_threads_get_the_answers_of_one(name, built):
    case, runtime = built(name)
    alone = runtime.predict(case.rows).predictions.tolist()

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(runtime.predict, [case.rows] * 12))

    assert all(answer.predictions.tolist() == alone for answer in answers)
