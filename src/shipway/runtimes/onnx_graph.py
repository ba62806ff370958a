"""What ONNX Runtime does not tell of a graph: its operators and the class labels inside.

Read from the bytes by field number (onnx/onnx.proto in github.com/onnx/onnx), so that serving
needs no package ``onnx``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from shipway.model.protobuf import fields

__all__ = ["Graph", "read_graph"]

LABELS = {"classlabels_strings", "classlabels_int64s", "classlabels_ints"}
TRACKS = "nodes_missing_value_tracks_true"
REPLACING = {"Imputer", "IsNaN"}
STRING, INT64, INT32 = 8, 7, 6  # TensorProto.DataType


@dataclass(frozen=True, slots=True)
class Graph:
    """``labels`` are the lists that may be class labels; ``missing`` tells of a plan for NaN."""

    operators: frozenset[str]
    labels: tuple[tuple[str | int, ...], ...]
    missing: bool


def read_graph(data: bytes) -> Graph:
    """The facts of the main graph.

    Raises:
        ValueError: the bytes are no ONNX model.
    """
    operators: set[str] = set()
    labels: list[tuple[str | int, ...]] = []
    missing = False
    for graph in _messages(data, 7):
        for node in _messages(graph, 1):
            operators.update(bytes(name).decode() for name in _messages(node, 4))
            for attribute in _messages(node, 5):
                name = bytes(next(_messages(attribute, 1), b"")).decode("utf-8", "replace")
                if name in LABELS:
                    labels.append(_attribute(attribute))
                elif name == TRACKS:
                    missing = missing or any(_integers(attribute, 8))
        labels.extend(filter(None, map(_tensor, _messages(graph, 5))))
    return Graph(frozenset(operators), tuple(labels), missing or bool(REPLACING & operators))


def _messages(data: bytes | memoryview, number: int) -> Iterator[memoryview]:
    return (
        value for found, value in fields(data) if found == number and isinstance(value, memoryview)
    )


def _integers(data: bytes | memoryview, number: int) -> Iterator[int]:
    """A repeated int64, packed or not."""
    for found, value in fields(data):
        if found != number:
            continue
        if isinstance(value, int):
            yield _signed(value)
        else:
            yield from map(_signed, _varints(value))


def _varints(packed: memoryview) -> Iterator[int]:
    value = shift = 0
    for byte in packed:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            yield value
            value = shift = 0


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def _attribute(attribute: memoryview) -> tuple[str | int, ...]:
    texts = tuple(bytes(text).decode("utf-8", "replace") for text in _messages(attribute, 9))
    return texts or tuple(_integers(attribute, 8))


def _tensor(tensor: memoryview) -> tuple[str | int, ...]:
    """The values of a short vector of strings or whole numbers; empty for any other tensor."""
    dims = list(_integers(tensor, 1))
    size = dims[0] if len(dims) == 1 else 0
    kind = next(_integers(tensor, 2), 0)
    if not 2 <= size <= 10_000 or kind not in (STRING, INT64, INT32):
        return ()
    if kind == STRING:
        return tuple(bytes(text).decode("utf-8", "replace") for text in _messages(tensor, 6))
    raw = next(_messages(tensor, 9), None)
    if raw is None:
        return tuple(_integers(tensor, 7 if kind == INT64 else 5))
    width = 8 if kind == INT64 else 4
    return tuple(
        int.from_bytes(raw[place : place + width], "little", signed=True)
        for place in range(0, len(raw), width)
    )
