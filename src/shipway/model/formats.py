"""What a model file is, told by its content alone."""

from __future__ import annotations

import pickletools
import re
import zipfile

from shipway.errors import CorruptModelError, UnknownFormatError
from shipway.model import containers
from shipway.model.lookalikes import Lookalike, recognise, recognise_zip
from shipway.model.protobuf import fields
from shipway.model.spec import Format

__all__ = ["detect", "holds_joblib_arrays"]

_PEEK = 1 << 20
_PICKLE = re.compile(rb"\x80[\x02-\x05]")
_LIGHTGBM = re.compile(rb"tree\r?\nversion=")
_XGBOOST_JSON = re.compile(rb'\s*\{\s*"(learner|version)"')
_XGBOOST_UBJ = re.compile(rb"(?s)\{[LiIlU].{1,8}(learner|version)[\{\[]")
_WRAPPERS = (b"NumpyArrayWrapper", b"joblib.numpy_pickle")
_PREFIX_CODES = 2000


def detect(data: bytes, name: str) -> Format:
    """The format of ``data``; ``name`` only serves the messages.

    Pickle is told from joblib by the array wrappers that joblib writes into the stream; both are
    also recognised inside gzip, zlib, bz2, xz, lzma and lz4.

    Raises:
        UnknownFormatError: none of the formats; the message says what it looks like instead.
        CorruptModelError: a known container that is broken or cut off.
        UnsafeModelError: a container that no honest program writes.
        MissingPackageError: compressed with LZ4, and the package lz4 is not installed.
    """
    if data.startswith(b"PK\x03\x04"):
        return _zip(data, name)
    if found := _plain(data):
        return found
    kind = containers.compression(data)
    if kind is None:
        raise _unknown(name, recognise(data))
    try:
        head = containers.peek(data, _PEEK)
    except CorruptModelError as exc:
        raise CorruptModelError(f"{name}: {exc.message}", exc.hint) from exc
    if _is_pickle(head):
        return _pickle_or_joblib(head)
    inner = _plain(head)
    if inner or containers.compression(head) or head.startswith(b"PK\x03\x04"):
        what = f"a {inner} model" if inner else "another compressed stream"
        raise _unknown(
            name,
            Lookalike(f"{what} inside a {kind} stream", "Expand it first and give the inner file."),
        )
    stranger = recognise(head)
    raise _unknown(name, Lookalike(f"a {kind} stream that holds {stranger.what}", stranger.hint))


def _unknown(name: str, found: Lookalike) -> UnknownFormatError:
    return UnknownFormatError(
        f"{name} is not a model file: it looks like {found.what}.", found.hint
    )


def _plain(data: bytes) -> Format | None:
    """The format of data that is neither zipped nor compressed."""
    if data.startswith(b"CBM1"):
        return Format.CATBOOST
    if _LIGHTGBM.match(data):
        return Format.LIGHTGBM
    if data.lstrip()[:1] == b"{":
        if _XGBOOST_UBJ.match(data):
            return Format.XGBOOST_UBJ
        if _XGBOOST_JSON.match(data) and b'"gradient_booster"' in data:
            return Format.XGBOOST_JSON
        return None
    if _is_pickle(data):
        return _pickle_or_joblib(data)
    return Format.ONNX if _is_onnx(data) else None


def holds_joblib_arrays(data: bytes) -> bool:
    """Whether a pickle stream has joblib's raw arrays between its opcodes."""
    return all(mark in data for mark in _WRAPPERS)


def _pickle_or_joblib(data: bytes) -> Format:
    return Format.JOBLIB if holds_joblib_arrays(data) else Format.PICKLE


def _is_pickle(data: bytes) -> bool:
    """Whether a pickle begins here: by its header, or (protocols 0 and 1) by its first opcodes.

    Text that happens to begin with an opcode fails within a few steps: an opcode is unknown, its
    argument is malformed, or it takes from an empty stack.
    """
    if data.startswith(b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."):
        return False  # the magic number of torch.save before PyTorch 1.6
    if _PICKLE.match(data):
        return True
    if data[:1] not in b"(cli]})NISVFGJKMUTXL\x80":
        return False
    return _walks(data)


def _walks(data: bytes) -> bool:
    depth = marks = steps = 0
    try:
        for code, _, _ in pickletools.genops(data[:_PEEK]):
            taken = code.stack_before
            if pickletools.markobject in taken:
                if not marks:
                    return False
                marks -= 1
                depth = max(depth, 1)  # how much lies above the mark is not tracked here
            elif depth < len(taken):
                return False
            else:
                depth -= len(taken)
            depth += len(code.stack_after)
            marks += code.name == "MARK"
            steps += 1
            if steps >= _PREFIX_CODES:
                return True
    except Exception:  # noqa: BLE001 - genops raises whatever its argument readers raise
        return steps >= 4
    return steps > 1


def _is_onnx(data: bytes) -> bool:
    """Whether the bytes are an ``onnx.ModelProto``: ir_version, graph and opset_import.

    Source: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
    """
    try:
        seen = {number for number, _ in fields(data)}
    except ValueError:
        return False
    return {1, 7} <= seen and seen <= {1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26}


def _zip(data: bytes, name: str) -> Format:
    try:
        archive = containers.open_zip(data)
    except CorruptModelError as exc:
        raise CorruptModelError(f"{name}: {exc.message}", exc.hint) from exc
    with archive:
        names = archive.namelist()
        if found := _zip_format(archive, names):
            return found
    raise _unknown(name, recognise_zip(names))


def _zip_format(archive: zipfile.ZipFile, names: list[str]) -> Format | None:
    if "schema.json" in names:
        return Format.SKOPS
    tails = {tail for _, _, tail in (name.partition("/") for name in names)}
    if "constants.pkl" in tails and any(tail.startswith("code/") for tail in tails):
        return Format.TORCHSCRIPT
    for name in names:
        small = name.endswith("/archive_format") and archive.getinfo(name).file_size < 16
        if small and containers.read_member(archive, name).strip() == b"pt2":
            return Format.TORCH_EXPORT
    if "serialized_exported_program.json" in tails | set(names):
        return Format.TORCH_EXPORT
    return None
