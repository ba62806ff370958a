"""ONNX files that ``shipway convert`` wrote: they carry their signature, nothing is guessed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from shipway.errors import CorruptModelError
from shipway.model.signature import Outputs, Rows, Signature
from shipway.runtimes.draft import Answer, Draft, Loaded
from shipway.runtimes.outputs import as_outputs
from shipway.runtimes.packages import installed

__all__ = ["KEY", "is_signed", "read_signed"]

KEY = "shipway.signature"


def is_signed(metadata: Mapping[str, str]) -> bool:
    """Whether a file's metadata has a signature in it."""
    return KEY in metadata


def read_signed(session: Any, metadata: Mapping[str, str]) -> Loaded:
    """The model behind an inference session, by the signature in the file's metadata.

    Raises:
        shipway.errors.CorruptModelError: the signature cannot be read, or the inputs and outputs
            are not those that it tells of.
    """
    try:
        signature = msgspec.json.decode(metadata[KEY], type=Signature)
    except msgspec.DecodeError as exc:
        raise CorruptModelError(
            f"The signature in the ONNX file cannot be read: {exc}", "Convert the model again."
        ) from exc
    _check(session, signature)
    draft = Draft(
        task=signature.task,
        features=signature.features,
        named=signature.named,
        classes=signature.classes,
        confidence=signature.confidence,
        missing="no",
    )
    answer = _answer(session, signature, metadata)
    return Loaded(
        framework="onnxruntime",
        installed=installed("onnxruntime"),
        draft=draft,
        bind=lambda _signature: answer,
    )


def _check(session: Any, signature: Signature) -> None:
    names = [tensor.name for tensor in session.get_inputs()]
    wanted = ["features"] if signature.numeric else list(signature.names)
    outputs = {tensor.name for tensor in session.get_outputs()}
    needed = {"label"} if signature.task == "classifier" else {"variable"}
    if signature.confidence:
        needed.add("probabilities")
    if names != wanted or not needed <= outputs:
        raise CorruptModelError(
            f"The ONNX file takes {names} and gives {sorted(outputs)}, "
            f"but its signature tells of {wanted} and {sorted(needed)}",
            "Convert the model again.",
        )


def _answer(session: Any, signature: Signature, metadata: Mapping[str, str]) -> Answer:
    from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument

    feed = _feeder(signature, metadata)
    if signature.task == "regressor":
        wanted = ["variable"]
    else:
        wanted = ["label", "probabilities"] if signature.confidence else ["label"]

    def answer(rows: Rows) -> Outputs:
        try:
            found = session.run(wanted, feed(rows))
        except InvalidArgument as exc:
            # A table in the file has no row for this value: the original refuses it as well.
            raise ValueError("The model does not know one of the values") from exc
        return as_outputs(*found)

    return answer


def _feeder(
    signature: Signature, metadata: Mapping[str, str]
) -> Callable[[Rows], dict[str, npt.NDArray[Any]]]:
    if signature.numeric:
        return lambda rows: {"features": np.ascontiguousarray(rows, dtype=np.float64)}
    nothing = metadata.get("shipway.missing_text", "")
    texts = [feature.kind == "string" for feature in signature.features]

    def columns(rows: Rows) -> dict[str, npt.NDArray[Any]]:
        tensors: dict[str, npt.NDArray[Any]] = {}
        for index, name in enumerate(signature.names):
            column = rows[:, index : index + 1]
            if texts[index]:
                column = np.array([[nothing if value is None else value] for (value,) in column])
                tensors[name] = column.astype(object)
            else:
                tensors[name] = np.ascontiguousarray(column, dtype=np.float64)  # None becomes NaN
        return tensors

    return columns
