"""ONNX models, by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from shipway.errors import CorruptModelError, UnsupportedModelError
from shipway.model.signature import Declared, Feature, Label, Outputs, Rows, Signature
from shipway.model.spec import Artifact, TrustPolicy
from shipway.runtimes.draft import Answer, Draft, Loaded, plain_features
from shipway.runtimes.onnx_graph import Graph, read_graph
from shipway.runtimes.outputs import as_outputs
from shipway.runtimes.packages import installed, require
from shipway.runtimes.signed import is_signed, read_signed
from shipway.runtimes.tensors import in_batches, interpret, narrow, trial_rows

__all__ = ["read"]

TYPES: dict[str, Any] = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
    "tensor(string)": object,
}
LABEL_TYPES = ("tensor(int64)", "tensor(string)", "tensor(int32)")
SCORE_TYPES = ("tensor(float)", "tensor(double)")
VALUE_MAKERS = ("skl2onnx", "onnxmltools", "OnnxMLTools")
"""Converters that give a classifier's label as an output of its own: bare numbers are values."""


@dataclass(frozen=True, slots=True)
class _Input:
    """One input tensor and the columns of a row that go into it."""

    name: str
    dtype: Any
    rank: int
    start: int
    stop: int


def read(artifact: Artifact, _policy: TrustPolicy, threads: int, declared: Declared) -> Loaded:
    """An inference session over the bytes, with its labels and probabilities understood."""
    runtime = require("onnxruntime", "An ONNX model")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # errors come as exceptions
    # Left to itself, ONNX Runtime also recognises its own format, which nobody looked at.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    try:
        graph = read_graph(artifact.data)
        session = runtime.InferenceSession(
            artifact.data, options, providers=["CPUExecutionProvider"]
        )
    except Exception as exc:
        raise CorruptModelError(
            f"ONNX Runtime cannot load the file: {exc}",
            f"It was read by ONNX Runtime {installed('onnxruntime')}; does the model use a newer "
            "operator set, or files beside it? Save the weights inside the model.",
        ) from exc
    metadata = session.get_modelmeta().custom_metadata_map
    if is_signed(metadata):
        return read_signed(session, metadata)
    features, inputs, batch = _inputs(session, declared)
    feed = _feeder(inputs)
    draft, bind = _interpreted(session, graph, feed, features, declared, batch)
    return Loaded(
        framework="onnxruntime", installed=installed("onnxruntime"), draft=draft, bind=bind
    )


def _inputs(
    session: Any, declared: Declared
) -> tuple[tuple[Feature, ...] | None, list[_Input], int | None]:
    """The features, where each goes, and the batch size if it is fixed."""
    given = session.get_inputs()
    features: list[Feature] = []
    inputs = []
    for tensor in given:
        if tensor.type not in TYPES or not 1 <= len(tensor.shape) <= 2:
            raise UnsupportedModelError(
                f"The ONNX model's input {tensor.name} is {tensor.type} of shape {tensor.shape}; "
                "a row of numbers and strings cannot fill it"
            )
        width = tensor.shape[1] if len(tensor.shape) == 2 else 1
        if not isinstance(width, int):
            width = len(declared.features) if len(given) == 1 else 1
        start = len(features)
        features.extend(_columns(tensor, width, several=len(given) > 1))
        inputs.append(
            _Input(tensor.name, TYPES[tensor.type], len(tensor.shape), start, start + width)
        )
    sizes = {tensor.shape[0] for tensor in given if isinstance(tensor.shape[0], int)}
    batch = max(sizes) if sizes and max(sizes) > 0 else None
    return tuple(features) or None, inputs, batch


def _columns(tensor: Any, width: int, *, several: bool) -> list[Feature]:
    if not several:
        names = [f"x{index}" for index in range(width)]
    elif width == 1:
        names = [tensor.name]
    else:
        names = [f"{tensor.name}_{index}" for index in range(width)]
    kind: Any = "string" if TYPES[tensor.type] is object else "number"
    return [Feature(feature.name, kind) for feature in plain_features(width, names)]


def _feeder(inputs: list[_Input]) -> Callable[[Rows], dict[str, npt.NDArray[Any]]]:
    def feed(rows: Rows) -> dict[str, npt.NDArray[Any]]:
        tensors = {}
        for tensor in inputs:
            part = rows[:, tensor.start : tensor.stop]
            if tensor.rank == 1:
                part = part[:, 0]
            if tensor.dtype is object:
                if any(value is None for value in part.flat):
                    raise ValueError(f"{tensor.name} must be a string: ONNX has no missing one")
            else:
                part = narrow(part.astype(np.float64, copy=False), tensor.dtype)
            tensors[tensor.name] = part
        return tensors

    return feed


def _interpreted(
    session: Any,
    graph: Graph,
    feed: Callable[[Rows], dict[str, npt.NDArray[Any]]],
    features: tuple[Feature, ...] | None,
    declared: Declared,
    batch: int | None,
) -> tuple[Draft, Callable[[Signature], Answer]]:
    outputs = session.get_outputs()
    named = len(session.get_inputs()) > 1
    missing: Any = "by column" if graph.missing else "no"
    pair = _label_and_scores(outputs)
    if pair is not None and batch is None and features is not None:
        wanted = [output.name for output in pair]

        def both(rows: Rows) -> tuple[Any, Any]:
            label, scores = session.run(wanted, feed(rows))
            return np.asarray(label).reshape(len(rows), -1)[:, 0], scores

        return _classifier(both, graph, features, named=named, missing=missing)
    if pair is None and len(outputs) > 1 and outputs[0].type not in SCORE_TYPES:
        outputs = [output for output in outputs if output.type in LABEL_TYPES] or outputs

    def numbers(rows: Rows) -> npt.NDArray[Any]:
        values = np.asarray(session.run([outputs[0].name], feed(rows))[0])
        return values.reshape(len(rows), -1) if values.ndim == 2 else values

    numeric = features is None or all(feature.kind == "number" for feature in features)
    values_only = session.get_modelmeta().producer_name in VALUE_MAKERS
    if not numeric or (values_only and declared.task != "classifier"):
        draft = Draft(task="regressor", features=features, named=named, missing=missing)
        return draft, lambda _signature: lambda rows: as_outputs(numbers(rows))
    return interpret(
        numbers if batch is None else in_batches(numbers, batch), features, declared, named=named
    )


def _label_and_scores(outputs: list[Any]) -> tuple[Any, Any] | None:
    """The two outputs of a classifier as converters write it; None for anything else."""
    label = next((output for output in outputs if output.type in LABEL_TYPES), None)
    scores = next(
        (output for output in outputs if output.type.startswith("seq(map(")),
        next((output for output in outputs if output.type in SCORE_TYPES), None),
    )
    if label is None or scores is None:
        return None
    single = scores.type in SCORE_TYPES and (len(scores.shape) != 2 or scores.shape[1] == 1)
    return None if single else (label, scores)


def _classifier(
    both: Callable[[Rows], tuple[Any, Any]],
    graph: Graph,
    features: tuple[Feature, ...],
    *,
    named: bool,
    missing: Any,
) -> tuple[Draft, Callable[[Signature], Answer]]:
    signature = Signature("classifier", features)
    rows = trial_rows(len(features)) if signature.numeric else signature.example_rows()
    seen, scores = both(rows)
    table, keys = _table(scores)
    classes = keys or _labels(graph, np.asarray(seen), table)
    total = table.sum(axis=1)
    probable = bool((table >= -1e-6).all() and np.allclose(total, 1, atol=1e-3))

    def answer(rows: Rows) -> Outputs:
        label, scores = both(rows)
        return as_outputs(label, _table(scores)[0] if probable else None)

    draft = Draft(
        task="classifier",
        features=features,
        named=named,
        classes=classes,
        confidence=probable,
        missing=missing,
    )
    return draft, lambda _signature: answer


def _table(scores: Any) -> tuple[npt.NDArray[Any], tuple[Label, ...]]:
    """Scores of shape (n, classes), and the labels when each row is a map from them (ZipMap)."""
    if isinstance(scores, np.ndarray):
        return scores, ()
    keys = tuple(scores[0])
    return np.array([[row[key] for key in keys] for row in scores]), keys


def _labels(
    graph: Graph, seen: npt.NDArray[Any], table: npt.NDArray[Any]
) -> tuple[Label, ...] | None:
    """The list inside the graph that agrees with the answers; else numbers from zero."""
    count = table.shape[1]
    best = table.argmax(axis=1)
    for labels in (*graph.labels, tuple(range(count))):
        if len(labels) == count and all(
            labels[index] == label for index, label in zip(best, seen.tolist(), strict=True)
        ):
            return labels
    return None
