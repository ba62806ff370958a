"""What people hand over by mistake, and what to tell them."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

__all__ = ["Lookalike", "recognise", "recognise_zip"]


class Lookalike(NamedTuple):
    """What the content looks like ("a Keras model"), and what to do."""

    what: str
    hint: str


_TAKEN = (
    "Shipway takes scikit-learn pickle and joblib files, skops, ONNX, XGBoost (json, ubj), "
    "LightGBM (text), CatBoost (cbm), TorchScript, torch.export and MLflow model folders."
)
_LFS = Lookalike(
    "a Git LFS pointer, not the model itself",
    "Fetch the real file: git lfs install && git lfs pull",
)
_KERAS = Lookalike(
    "an HDF5 file, as Keras writes it", "Export the model to ONNX (tf2onnx) and serve that file."
)
_OLD_XGBOOST = Lookalike(
    "XGBoost's old binary format, which current versions no longer read",
    "Load it with the XGBoost version that wrote it and save it anew: "
    'booster.save_model("model.ubj")',
)
_TORCH_SAVE = Lookalike(
    "a file of torch.save: a pickle that needs the code of its classes",
    "Export the model as TorchScript (torch.jit.script(model).save(path)) or with "
    "torch.export.save(torch.export.export(model, args), path).",
)
_MLMODEL = Lookalike(
    "the description file of an MLflow model", "Give the folder that it is in, not the file."
)
_SAFETENSORS = Lookalike(
    "a safetensors file: weights without a model",
    "Load the weights into the model and export it as TorchScript, torch.export or ONNX.",
)

_BINARY: tuple[tuple[re.Pattern[bytes], Lookalike], ...] = (
    (re.compile(rb"version https://git-lfs\.github\.com/"), _LFS),
    (re.compile(rb"\x89HDF\r\n\x1a\n"), _KERAS),
    (re.compile(rb"(?s)binf|bs64\t|.{0,400}\0\0\0\0(gbtree|gblinear|dart)[\0-\x40]"), _OLD_XGBOOST),
    (re.compile(rb"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19\."), _TORCH_SAVE),
    (re.compile(rb'(?s).{8}\{\s*"[^"]*":\s*\{"(dtype|format|data_offsets|shape)"'), _SAFETENSORS),
    (re.compile(rb"(?s).{4}TFL3"), Lookalike("a TensorFlow Lite model", _TAKEN)),
    (re.compile(rb"GGUF"), Lookalike("a GGUF language model", _TAKEN)),
    (re.compile(rb"\x93NUMPY"), Lookalike("a NumPy array, not a model", _TAKEN)),
    (re.compile(rb"PAR1"), Lookalike("a Parquet table, not a model", _TAKEN)),
    (re.compile(rb"%PDF"), Lookalike("a PDF document", _TAKEN)),
    (re.compile(rb"\x89PNG|\xff\xd8\xff|GIF8"), Lookalike("a picture", _TAKEN)),
    (re.compile(rb"\x7fELF|MZ"), Lookalike("a program", _TAKEN)),
    (
        re.compile(rb"(?s).{257}ustar"),
        Lookalike("a tar archive", "Unpack it and give the model in it."),
    ),
    (
        re.compile(rb"\x28\xb5\x2f\xfd"),
        Lookalike("a Zstandard stream", "Expand it first: zstd -d FILE"),
    ),
    (
        re.compile(rb"7z\xbc\xaf|Rar!"),
        Lookalike("an archive", "Unpack it and give the model in it."),
    ),
    (
        re.compile(rb"\0+\Z"),
        Lookalike("nothing but zero bytes: a copy that failed", "Copy the file again."),
    ),
)
_TEXT: tuple[tuple[re.Pattern[str], Lookalike], ...] = (
    (
        re.compile(r"\s*(<!doctype html|<html)", re.IGNORECASE),
        Lookalike("an HTML page: often the error page of a download", "Download the file again."),
    ),
    (re.compile(r"(?s)\s*<.*<PMML"), Lookalike("a PMML document", _TAKEN)),
    (re.compile(r"\s*<(\?xml|[A-Za-z])"), Lookalike("XML", _TAKEN)),
    (re.compile(r"(?s).*^(artifact_path|flavors|mlflow_version):", re.MULTILINE), _MLMODEL),
    (
        re.compile(r"(?s)(\s*|.*\n)(import \w|from [\w.]+ import |(def|class) \w+[(:]|#!.*python)"),
        Lookalike("Python source code", "Run it to train the model; give the file that it saves."),
    ),
    (
        re.compile(r"(?s)[^\n,;\t]*([,;\t])[^\n]*\n[^\n]*\1"),
        Lookalike("a table of text (CSV), not a model", _TAKEN),
    ),
)


def recognise(data: bytes) -> Lookalike:
    """The best description of content that is none of the model formats."""
    if not data:
        return Lookalike("empty: it has 0 bytes", "Save the model again, or copy the file again.")
    for magic, found in _BINARY:
        if magic.match(data[:4096]):
            return found
    text = _as_text(data[:65536])
    if text is None:
        return Lookalike(f"unknown binary data (it begins with {data[:8].hex(' ')})", _TAKEN)
    if text.lstrip()[:1] in ("{", "["):
        return _json(data)
    for pattern, found in _TEXT:
        if pattern.match(text):
            return found
    return Lookalike("plain text, not a model", _TAKEN)


def recognise_zip(names: list[str]) -> Lookalike:
    """The same for a zip archive, by the names of its members."""
    tails = {name.partition("/")[2] for name in names} | set(names)
    if "data.pkl" in tails:
        return _TORCH_SAVE
    if "model.weights.h5" in tails or {"config.json", "metadata.json"} <= tails:
        return Lookalike("a Keras model (.keras)", _KERAS.hint)
    if "MLmodel" in tails:
        return Lookalike("a zipped MLflow model", "Unpack it and give the folder.")
    if any(name.endswith(".npy") for name in names):
        return Lookalike("NumPy arrays (.npz), not a model", _TAKEN)
    if "[Content_Types].xml" in tails:
        return Lookalike("an office document", _TAKEN)
    return Lookalike(
        "a zip archive that holds none of the model formats",
        "If a model is in it, unpack it and give that file.",
    )


def _as_text(data: bytes) -> str | None:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as exc:
        if exc.start < len(data) - 4:
            return None
        text = data[: exc.start].decode("utf-8")
    return text if text.isprintable() or not re.search(r"[\0-\x08\x0e-\x1f]", text) else None


def _json(data: bytes) -> Lookalike:
    head = data[:4096]
    if b'"learner"' in head:
        return Lookalike(
            "XGBoost's JSON, but without a trained model or cut off",
            'Save the model itself: booster.save_model("model.json")',
        )
    if b'"oblivious_trees"' in head or b'"features_info"' in head:
        return Lookalike("CatBoost's JSON", 'Save the model as cbm: model.save_model("model.cbm")')
    if b'"tree_info"' in data or b'"tree_structure"' in head:
        return Lookalike(
            "LightGBM's JSON dump, which LightGBM cannot load",
            'Save the model as text: booster.save_model("model.txt")',
        )
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return Lookalike("JSON that is broken or cut off, not a model", _TAKEN)
    return Lookalike("JSON, but not XGBoost's model", _TAKEN)
