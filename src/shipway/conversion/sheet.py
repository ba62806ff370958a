"""A computation written down as ONNX nodes, from the inputs on.

Numbers are float64 throughout: what the original computes in double precision is computed in
double precision here. Operators are those of the ONNX standard (``ai.onnx`` 21, ``ai.onnx.ml``
5 with its one ``TreeEnsemble``), so that the file is portable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["BEYOND", "ML", "OPSETS", "Sheet", "Value"]

OPSETS = {"": 21, "ai.onnx.ml": 5}
IR_VERSION = 10
ML = "ai.onnx.ml"
BEYOND = 1_000_000_000
"""No table has so many rows: to look there is an error, which refuses a row."""

Value = str | float | int | npt.NDArray[Any] | np.float32
"""The name of a tensor, or a constant."""


class Sheet:
    """Nodes and constants in the order in which they were written."""

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self.nodes: list[Any] = []
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self.tensors: list[Any] = []
        self._written: dict[bytes, list[str]] = {}
        self._count = 0
        self._refused: list[str] = []

    def fresh(self, stem: str = "t") -> str:
        """A name that is not in use."""
        self._count += 1
        return f"{self._prefix}{stem}{self._count}"

    def const(self, value: float | npt.NDArray[Any] | Sequence[Any] | np.float32) -> str:
        """The name of a constant tensor; equal constants are kept once."""
        from onnx import numpy_helper

        array = np.asarray(value)
        if array.dtype.kind in "UO":
            array = array.astype(object)
            content = repr(array.tolist()).encode()
        else:
            content = array.tobytes()
        key = (str(array.dtype), array.shape, content)
        if key not in self._constants:
            name = self.fresh("c")
            self.tensors.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
            if array.ndim == 0:  # ascontiguousarray makes a scalar one-dimensional
                del self.tensors[-1].dims[:]
            self._constants[key] = name
        return self._constants[key]

    def op(self, kind: str, *inputs: Value | None, domain: str = "", **attributes: Any) -> str:
        """Write one node with one output; its name."""
        return self.ops(kind, *inputs, outputs=1, domain=domain, **attributes)[0]

    def ops(
        self, kind: str, *inputs: Value | None, outputs: int, domain: str = "", **attributes: Any
    ) -> list[str]:
        """Write one node with several outputs; their names. A node is written only once."""
        from onnx import helper

        given = [
            "" if value is None else value if isinstance(value, str) else self.const(value)
            for value in inputs
        ]
        node = helper.make_node(kind, given, [], domain=domain, **attributes)
        key = node.SerializeToString(deterministic=True)
        if key not in self._written:
            self._written[key] = [self.fresh() for _ in range(outputs)]
            node.output.extend(self._written[key])
            self.nodes.append(node)
        return self._written[key]

    def refuse(self, rows: str) -> None:
        """Let the model fail on rows marked with 1 in a tensor (n,) of int64."""
        if rows not in self._refused:
            self._refused.append(rows)

    def with_refusals(self, index: str | None) -> str:
        """Indices (n,) into a table, far beyond it for refused rows: a Gather fails on them.

        None stands for zeros.
        """
        for rows in self._refused:
            far = self.op("Mul", rows, BEYOND)
            index = far if index is None else self.op("Add", index, far)
        return index if index is not None else self.const(np.zeros(1, np.int64))

    @property
    def refuses(self) -> bool:
        """Whether some rows are refused."""
        return bool(self._refused)

    def cast(self, value: Value, kind: str) -> str:
        """The value as "DOUBLE", "FLOAT", "INT64", "BOOL" …."""
        from onnx import TensorProto

        return self.op("Cast", value, to=TensorProto.DataType.Value(kind))

    def reduce(self, kind: str, value: Value, axis: int, *, keep: bool = False) -> str:
        """ReduceSum, ReduceMean, ReduceMax … along one axis."""
        return self.op(kind, value, np.array([axis], np.int64), keepdims=int(keep))

    def argmax(self, value: Value) -> str:
        """The index of the first largest value of each row, shape (n,), int64."""
        return self.op("ArgMax", value, axis=1, keepdims=0)

    def columns(self, value: Value, indices: Sequence[int] | npt.NDArray[Any]) -> str:
        """Some columns of a matrix, as a matrix."""
        return self.op("Gather", value, np.asarray(indices, np.int64), axis=1)

    def concat(self, values: Sequence[str]) -> str:
        """Matrices side by side."""
        return values[0] if len(values) == 1 else self.op("Concat", *values, axis=1)

    def flat(self, value: Value) -> str:
        """Shape (n,)."""
        return self.op("Reshape", value, np.array([-1], np.int64))

    def inline(self, model: Any, feeds: Mapping[str, str]) -> list[str]:
        """Write another ONNX model's graph here; the names of its outputs in their order."""
        from onnx import compose, numpy_helper

        prefix = self.fresh("m") + "_"
        graph = compose.add_prefix(model, prefix).graph
        rename = {prefix + name: value for name, value in feeds.items()}
        for tensor in graph.initializer:
            rename[tensor.name] = self.const(numpy_helper.to_array(tensor))
        for node in graph.node:
            for index, name in enumerate(node.input):
                node.input[index] = rename.get(name, name)
            self.nodes.append(node)
        return [rename.get(output.name, output.name) for output in graph.output]

    def model(
        self,
        inputs: Sequence[tuple[str, str, int]],
        outputs: Mapping[str, tuple[str, str, int | None]],
        metadata: Mapping[str, str],
    ) -> bytes:
        """The finished file.

        ``inputs`` are (name, type, columns); ``outputs`` name → (tensor, type, columns), where
        None columns stands for shape (n,). Nodes that no output needs are left out.
        """
        from onnx import TensorProto, helper

        def value(name: str, kind: str, width: int | None) -> Any:
            shape: list[str | int | None] = ["rows"] if width is None else ["rows", width]
            return helper.make_tensor_value_info(name, TensorProto.DataType.Value(kind), shape)

        nodes = [*self.nodes]
        for name, (tensor, _, _) in outputs.items():
            nodes.append(helper.make_node("Identity", [tensor], [name]))
        nodes, used = _needed(nodes, set(outputs))
        graph = helper.make_graph(
            nodes,
            "shipway",
            [value(*item) for item in inputs],
            [value(name, kind, width) for name, (_, kind, width) in outputs.items()],
            [tensor for tensor in self.tensors if tensor.name in used],
        )
        domains = {node.domain for node in nodes}
        model = helper.make_model(
            graph,
            producer_name="shipway",
            ir_version=IR_VERSION,
            opset_imports=[
                helper.make_opsetid(domain, OPSETS.get(domain, 1))
                for domain in sorted(domains | {""})
            ],
        )
        helper.set_model_props(model, dict(metadata))
        return bytes(model.SerializeToString(deterministic=True))


def _needed(nodes: Sequence[Any], outputs: set[str]) -> tuple[list[Any], set[str]]:
    used = set(outputs)
    kept = []
    for node in reversed(nodes):
        if used.intersection(node.output):
            kept.append(node)
            used.update(node.input)
            for attribute in node.attribute:  # the body of a Loop or Scan sees outer names
                for inner in attribute.g.node:
                    used.update(inner.input)
    return kept[::-1], used
