"""What a PyTorch archive may do while it is loaded and called, decided before either.

``torch.export.load`` of PyTorch 2.13 unpickles without restriction whatever the archive marks
so (``use_pickle``, opaque objects), evaluates shape expressions with ``sympify``, which is
Python's ``eval``, and resolves operators by dotted name (torch/export/pt2_archive/_package.py,
torch/_export/serde/serialize.py). TorchScript has operators that write and map files. So only
archives of plain tensors, plain shapes and PyTorch's numeric operators pass.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from typing import Any

from shipway.errors import CorruptModelError, UnsafeModelError
from shipway.model import containers

__all__ = ["check_export", "check_script"]

MAX_DOCUMENT = 256 * 1024 * 1024
OPERATOR = re.compile(
    r"torch\.ops\.(aten|prims)\.\w+\.\w+|_operator\.(add|sub|mul|floordiv|mod|neg|getitem|"
    r"eq|ne|lt|le|gt|ge|and_|or_)|torch\.sym_(max|min|not|float|int|ite|sum)"
)
FILES = re.compile(r"torch\.ops\.aten\.(from_file|save|load|_?pin_memory)\b.*")
NAME = re.compile(r"[A-Za-z_]\w*")
SYMBOL = re.compile(r"[suz]\d+")
SHAPE_NAMES = {
    "Symbol", "Integer", "Add", "Mul", "Rational", "positive", "integer", "nonnegative", "True",
    "False", "Max", "Min", "Mod", "FloorDiv", "CeilDiv", "PythonMod", "CleanDiv",
}  # fmt: skip
SHAPE_CHARACTERS = re.compile(r"(?:[\w\s+\-/(),%<>=]|\*(?!\*)|'[suz]\d+')*")
MAX_SHAPE = 1000
SCRIPT_FILES = re.compile(
    rb"\b(?:save|from_file|_pin_memory|rpc_\w+|IgnoredPythonOp|PythonOp|data_ptr|c10d|symm_mem)\b"
    rb"|\btorch\s*\.\s*(?:load\b|classes\b(?!\.(?:quantized|rnn|sparse)\.))"
    rb"|(?<![.\w])ops\b(?!\.(?:prim|aten|prims|quantized)\.\w)[\s.\w]{0,40}"
)
"""Names that reach files, other machines or memory, however they are come by: an alias
(``t = torch``), blanks between the parts or ``getattr`` lead to the same operators."""
COMPUTED = re.compile(rb"\\|[\"']\s*[\"']")
"""Escapes and neighbouring texts, of which ``getattr`` could be given a name in pieces."""
COMMENT = re.compile(rb"#[^\n]*")
LEGACY = ("model.json", "attributes.pkl")
KEPT = re.compile(
    r"archive_(format|version)|byteorder|\.data/\w+|models/\w+\.json|data/weights/(weight_\d+|"
    r"\w+\.json)|data/constants/(tensor_\d+|\w+\.json)|(data/sample_inputs/\w+\.pt)"
)


def check_export(data: bytes) -> bytes:
    """The archive of ``torch.export.save`` as far as its loading runs nothing but PyTorch itself.

    The answer holds only what was looked at. The inputs that it was exported with are left out:
    ``torch.load`` unpickles them without restriction when its restricted way fails.

    Raises:
        shipway.errors.UnsafeModelError: it holds pickled objects, compiled code, foreign
            operators or expressions that are no shapes.
        shipway.errors.CorruptModelError: it is no such archive.
    """
    kept: dict[str, bytes] = {}
    with containers.open_zip(data) as archive:
        for name in archive.namelist():
            inner = name.partition("/")[2]
            _check_member(name, inner)
            found = KEPT.fullmatch(inner)
            if found or name.lower().endswith(".json"):
                content = b"" if found and found[4] else containers.read_member(archive, name)
                if name.lower().endswith(".json"):
                    for finding in _findings(_document(content, name)):
                        raise _unsafe(*finding)
                if found:
                    kept[name] = content
    return _stored(kept)


def _check_member(name: str, inner: str) -> None:
    base = inner.rpartition("/")[2]
    constant = inner.startswith("data/constants/") and not inner.endswith(".json")
    if constant and not base.startswith("tensor_"):
        raise _unsafe(base, "a pickled constant")
    if "aotinductor" in name.lower():
        raise _unsafe(name, "compiled code")
    if name.startswith("serialized_") and name.endswith(".pt"):
        raise _unsafe(name, "a pickled object, as PyTorch before 2.8 wrote it")


def check_script(data: bytes) -> bytes:
    """A TorchScript archive whose code touches no files; the answer holds what was looked at.

    Raises:
        shipway.errors.UnsafeModelError: its code names an operator that reads or writes files,
            calls other machines or comes from a foreign library.
        shipway.errors.CorruptModelError: it is no such archive.
    """
    kept: dict[str, bytes] = {}
    with containers.open_zip(data) as archive:
        for name in archive.namelist():
            kept[name] = containers.read_member(archive, name)
            # PyTorch's own reader of zip archives does not tell large letters from small ones.
            plain = name.casefold()
            if plain.rpartition("/")[2] in LEGACY:
                raise _unsafe(name, "code that its own directory names, as before PyTorch 1.2")
            if "code/" in plain and not plain.endswith(".debug_pkl"):
                for text in (kept[name], COMMENT.sub(b"", kept[name])):
                    _check_code(text, name)
    return _stored(kept)


def _check_code(text: bytes, name: str) -> None:
    found = SCRIPT_FILES.search(text)
    if found:
        operator = found[0].decode("ascii", "replace").strip()
        raise _unsafe(operator, f"an operator that is not numeric, in {name}")
    if b"getattr" in text and COMPUTED.search(text):
        raise _unsafe("getattr", f"a computed name, in {name}")


def _stored(members: dict[str, bytes]) -> bytes:
    """The members in an archive of our own: two readers of one file may find different ones."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def _document(content: bytes, name: str) -> Any:
    if len(content) > MAX_DOCUMENT:
        raise CorruptModelError(f"{name} in the PyTorch archive is too large")
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as exc:
        raise CorruptModelError(f"{name} in the PyTorch archive is no JSON") from exc


def _findings(document: Any) -> Iterator[tuple[str, str]]:
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting.extend(value)
        if not isinstance(value, dict):
            continue
        waiting.extend(value.values())
        if value.get("use_pickle"):
            yield str(value.get("path_name")), "a pickled tensor"
        target = value.get("target")
        if isinstance(target, str) and "inputs" in value and _is_foreign(target):
            yield target, "an operator that is not numeric"
        for key in ("expr_str", "as_expr"):
            text = value.get(key)
            if isinstance(text, str) and not _is_shape(text):
                yield text[:80], "an expression that is no shape"


def _is_foreign(target: str) -> bool:
    return not OPERATOR.fullmatch(target) or FILES.fullmatch(target) is not None


def _is_shape(text: str) -> bool:
    names = NAME.findall(text)
    plain = len(text) <= MAX_SHAPE and SHAPE_CHARACTERS.fullmatch(text)
    return bool(plain) and all(name in SHAPE_NAMES or SYMBOL.fullmatch(name) for name in names)


def _unsafe(name: str, reason: str) -> UnsafeModelError:
    return UnsafeModelError(
        f"The PyTorch archive holds {name}: {reason}",
        "Export the model with plain tensors and PyTorch's own operators, or convert it to ONNX.",
        findings=[name],
    )
