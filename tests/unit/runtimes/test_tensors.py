"""What bare numbers mean: the rules of runtimes.tensors, on ONNX graphs of one matrix product."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from shipway.errors import InputError, SettingError
from shipway.model.signature import Declared
from shipway.model.spec import Artifact, TrustPolicy, sha256
from shipway.runtimes import load

WEIGHTS = np.array([[1.0, -1.0], [0.5, 2.0], [0.0, 1.0]], dtype=np.float32)
ROWS = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]])


def product(weights, *, last=None, batch="n", width=3):
    """An ONNX model that multiplies its rows by ``weights``, then applies the operator ``last``."""
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    if last is not None:
        nodes = [
            helper.make_node("MatMul", ["x", "w"], ["h"]),
            helper.make_node(last, ["h"], ["y"]),
        ]
    graph = helper.make_graph(
        nodes,
        "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, width])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, weights.shape[1]])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(
        graph, producer_name="test", opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    return model.SerializeToString()


def loaded(data, declared=None):
    artifact = Artifact("model", data, sha256(data))
    return load(artifact, policy=TrustPolicy(), threads=1, declared=declared)


def softmax(scores):
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def test_several_columns_are_scores_of_classes():
    runtime = loaded(product(WEIGHTS))
    outputs = runtime.predict(ROWS)
    assert runtime.spec.signature.classes == (0, 1)
    assert outputs.predictions.tolist() == [0, 1]
    expected = softmax(ROWS @ WEIGHTS.astype(float)).max(axis=1)
    assert outputs.confidences == pytest.approx(expected.tolist(), rel=1e-5)


def test_probabilities_are_taken_as_they_are():
    outputs = loaded(product(WEIGHTS, last="Softmax")).predict(ROWS)
    expected = softmax(ROWS @ WEIGHTS.astype(float)).max(axis=1)
    assert outputs.confidences == pytest.approx(expected.tolist(), rel=1e-5)


def test_one_column_is_a_number():
    runtime = loaded(product(WEIGHTS[:, :1]))
    assert runtime.spec.signature.task == "regressor"
    assert runtime.predict(ROWS).predictions.tolist() == [1.0, 0.5]


def test_several_columns_may_be_declared_numbers():
    runtime = loaded(product(WEIGHTS), Declared(task="regressor"))
    assert runtime.spec.signature.outputs == 2
    assert runtime.predict(ROWS).predictions.tolist() == [[1.0, -1.0], [0.5, 3.0]]


def test_one_column_may_be_declared_a_classifier_with_names():
    runtime = loaded(product(WEIGHTS[:, 1:], last="Sigmoid"), Declared(classes=("no", "yes")))
    outputs = runtime.predict(ROWS)
    assert outputs.predictions.tolist() == ["no", "yes"]
    assert outputs.confidences == pytest.approx([1 / (1 + np.exp(-1)), 1 / (1 + np.exp(-3))])


def test_classes_must_be_as_many_as_there_are_scores():
    with pytest.raises(SettingError, match="lists 3 labels, but the model gives scores for 2"):
        loaded(product(WEIGHTS), Declared(classes=("a", "b", "c")))


def test_a_fixed_batch_is_filled_up():
    runtime = loaded(product(WEIGHTS, batch=4))
    rows = np.concatenate([ROWS] * 3)
    assert runtime.predict(rows).predictions.tolist() == [0, 1] * 3


def test_an_open_width_is_declared():
    runtime = loaded(product(WEIGHTS, width="k"), Declared(features=("a", "b", "c")))
    assert runtime.spec.signature.names == ("a", "b", "c")
    assert runtime.predict(ROWS).predictions.tolist() == [0, 1]


def test_a_number_too_large_for_the_model_is_refused():
    runtime = loaded(product(WEIGHTS))
    with pytest.raises(InputError, match="A number is too large for float32"):
        runtime.predict(np.array([[1e300, 0.0, 0.0]]))
