"""Formats that hold no Python objects: what they record, and what they reach for.

Their loaders run no Python; hostile bytes can still crash a C++ parser, which is why a new model
is tried in a process of its own before it serves.
"""

from __future__ import annotations

import re
import zipfile

from shipway.errors import CorruptModelError
from shipway.model import containers
from shipway.model.protobuf import fields
from shipway.model.scan.machine import Machine
from shipway.model.scan.report import Gathered
from shipway.model.scan.stream import Stream
from shipway.model.scan.values import Call, Global, Value
from shipway.model.scan.versions import is_version

__all__ = ["scan_onnx", "scan_torchscript", "scan_xgboost"]

_DEEP = 32
_XGBOOST_JSON = re.compile(rb'"version"\s*:\s*\[\s*(\d{1,4})\s*,\s*(\d{1,4})\s*,\s*(\d{1,4})\s*\]')
_XGBOOST_UBJ = re.compile(rb"(?s)version\[(?:#.{1,9})?i(.)i(.)i(.)")
_OPSETS = 8
_STANDARD = frozenset({"", "ai.onnx", "ai.onnx.ml", "ai.onnx.training", "com.microsoft"})


def scan_xgboost(data: bytes, gathered: Gathered) -> None:
    """The version that XGBoost writes at the end (or the beginning) of its model."""
    for part in (data[-4096:], data[:4096]):
        if found := _XGBOOST_JSON.search(part):
            gathered.version("xgboost", b".".join(found.groups()).decode())
        elif found := _XGBOOST_UBJ.search(part):
            gathered.version("xgboost", ".".join(str(item[0]) for item in found.groups()))


def scan_onnx(data: bytes, gathered: Gathered) -> None:
    """Producer and operator sets; refused are tensors in other files and foreign operators.

    Source: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto

    Raises:
        CorruptModelError: a part is no message.
    """
    try:
        _onnx(data, gathered)
    except ValueError as exc:
        raise CorruptModelError(
            f"The ONNX file is broken: {exc}.", "Export the model again."
        ) from exc


def _onnx(data: bytes, gathered: Gathered) -> None:
    texts: dict[int, str] = {}
    for number, value in fields(data):
        if isinstance(value, int):
            continue
        if number in (2, 3):
            texts[number] = bytes(value[:100]).decode("utf-8", "replace")
        elif number == _OPSETS:
            opset = dict(fields(value))
            domain = opset.get(1, b"")
            name = "" if isinstance(domain, int) else bytes(domain).decode("utf-8", "replace")
            gathered.version("onnx-opset" + (f"-{name}" if name else ""), str(opset.get(2, 0)))
            if name not in _STANDARD:
                gathered.find(name, "operators of a library that is not onnxruntime's", "the file")
        elif number in _MODEL:
            _walk(value, _INSIDE[_MODEL[number]], gathered, 0)
    if texts.get(2) and is_version(texts.get(3)):
        gathered.version(texts[2], texts[3])


_Parts = tuple[tuple[int, str], ...]
_NODE, _ATTRIBUTE, _TENSOR, _GRAPHS = "node", "attribute", "tensor", "graph"
_SPARSE, _FUNCTION, _TRAINING = "sparse tensor", "function", "training"
_MODEL = {7: _GRAPHS, 20: _TRAINING, 25: _FUNCTION}
_INSIDE: dict[str, _Parts] = {
    _NODE: ((5, _ATTRIBUTE),),
    _ATTRIBUTE: (
        (5, _TENSOR), (6, _GRAPHS), (10, _TENSOR), (11, _GRAPHS), (22, _SPARSE), (23, _SPARSE),
    ),
    _GRAPHS: ((1, _NODE), (5, _TENSOR), (15, _SPARSE)),
    _SPARSE: ((1, _TENSOR), (2, _TENSOR)),
    _FUNCTION: ((7, _NODE), (11, _ATTRIBUTE)),
    _TRAINING: ((1, _GRAPHS), (2, _GRAPHS)),
}  # fmt: skip
"""Every place of a model where a tensor may be, by field number."""


def _walk(view: memoryview, parts: _Parts, gathered: Gathered, depth: int) -> None:
    if depth > _DEEP:
        raise ValueError("graphs are nested too deeply")
    inside = dict(parts)
    for number, value in fields(view):
        kind = inside.get(number)
        if kind is None or isinstance(value, int):
            continue
        if kind == _TENSOR:
            _tensor(value, gathered)
        else:
            _walk(value, _INSIDE[kind], gathered, depth + 1)


def _tensor(view: memoryview, gathered: Gathered) -> None:
    for number, value in fields(view):
        if number == 13 or (number == 14 and value == 1):
            gathered.find("external data", "a tensor is read from another file", "the graph")


def scan_torchscript(archive: zipfile.ZipFile, gathered: Gathered) -> None:
    """The pickles of a TorchScript archive, whose names are of its own code, not of Python's.

    PyTorch reads them with a C++ unpickler of its own; a name outside of TorchScript is a lie.

    Raises:
        CorruptModelError: a part is no pickle.
    """
    for name in archive.namelist():
        if name.rpartition("/")[2] in ("data.pkl", "constants.pkl"):
            stream = Stream(containers.read_member(archive, name), 0, name)
            Machine(stream, gathered, persistent=_storage, resolve=_torch_name).run()


def _storage(_machine: Machine, _pid: Value) -> Value:
    return Call(Global("torch", "Storage", callable_=True, function=False), [])


def _torch_name(_machine: Machine, module: str, name: str) -> Global | None:
    own = module == "__torch__" or module.startswith("__torch__.")
    if own or (module == "torch.jit._pickle" and name.startswith(("build_", "restore_"))):
        return Global(module, name, callable_=True, function=False)
    return None
