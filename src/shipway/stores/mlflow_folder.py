"""An MLflow model folder: the document ``MLmodel`` and the file of its native flavour.

The layout is MLflow's "model storage format". The ``python_function`` flavour and the folder
``code`` are never looked at: they are code.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from shipway.errors import (
    CorruptModelError,
    MissingPackageError,
    ModelNotFoundError,
    UnsupportedModelError,
)
from shipway.model.spec import Artifact, sha256
from shipway.stores.stable_read import read_stable

__all__ = ["DOCUMENT", "META", "read"]

DOCUMENT = "MLmodel"
META = "registered_model_meta"
"""Where MLflow itself writes, into a folder that it downloads, which registered version it is."""

FLAVOURS = {
    "sklearn": "pickled_model",
    "xgboost": "data",
    "lightgbm": "data",
    "catboost": "data",
    "onnx": "data",
    "pytorch": "model_data",
}
"""The native flavours and the key under which each names its file, the plainest first."""

TORCH_FILES = ("model.pt2", "model.pt", "model.pth")
SEXAGESIMAL = re.compile(rb"\d(?::[0-5]?\d){20}")
MAX_DOCUMENT = 4 * 1024 * 1024
MAX_META = 4 * 1024
MAX_EXAMPLE = 16 * 1024 * 1024


def read(folder: Path) -> Artifact:
    """The artifact of the folder's native flavour.

    ``Artifact.mlmodel`` is the parsed document; when the folder holds a JSON input example, its
    content is there under the key ``input_example``, and ``registered`` says which version of a
    registered model it was downloaded as: ``NAME/VERSION`` or ``NAME/VERSION@ALIAS``.

    Raises:
        shipway.errors.UnsupportedModelError: no native flavour that can be served.
        shipway.errors.CorruptModelError: a document that is no mapping, a file outside the folder.
        shipway.errors.ModelNotFoundError: the flavour's file is missing.
        shipway.errors.MissingPackageError: PyYAML is not installed.
    """
    document = _document(folder / DOCUMENT)
    path = _data_file(folder, document)
    data = read_stable(path)
    document["input_example"] = _input_example(folder, document)
    document["registered"] = _registered(folder / META)
    return Artifact(folder.name or str(folder), data, sha256(data), mlmodel=document)


def _document(path: Path) -> dict[str, Any]:
    try:
        import yaml
    except ImportError as exc:
        raise MissingPackageError(
            f"{path.parent} is an MLflow model folder; reading it needs PyYAML",
            "Install it: pip install 'shipway[mlflow]'",
            package="pyyaml",
        ) from exc
    text = read_stable(path)
    if len(text) > MAX_DOCUMENT:
        raise CorruptModelError(f"{path} has {len(text)} bytes: that is no MLmodel document")
    if SEXAGESIMAL.search(text):
        # YAML 1.1 reads it as one number, in quadratic time.
        raise CorruptModelError(f"{path} holds a number to the base of sixty of many digits")
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader)):
            # MLflow writes none, and a few nested ones are a bomb of any size.
            raise CorruptModelError(f"{path} uses YAML anchors, which MLflow does not write")
        document = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as exc:
        raise CorruptModelError(
            f"{path} is not valid YAML", "Log the model again, or copy the whole folder."
        ) from exc
    if not isinstance(document, dict) or not isinstance(document.get("flavors"), dict):
        raise CorruptModelError(f"{path} lists no flavors", "Is it an MLflow model folder?")
    return document


def _data_file(folder: Path, document: dict[str, Any]) -> Path:
    flavours = document["flavors"]
    for flavour, key in FLAVOURS.items():
        entry = flavours.get(flavour)
        if not isinstance(entry, dict):
            continue
        named = entry.get(key)
        if not isinstance(named, str):
            raise CorruptModelError(
                f"{folder / DOCUMENT} names no file for its flavour {flavour} (key {key})"
            )
        path = _inside(folder, named)
        if flavour == "pytorch" and path.is_dir():
            path = _torch_file(path)
        if not path.exists():
            raise ModelNotFoundError(
                f"{folder / DOCUMENT} names {named}, which does not exist",
                "Copy the whole folder, not only MLmodel.",
            )
        return path
    found = ", ".join(sorted(map(str, flavours))) or "none"
    raise UnsupportedModelError(
        f"{folder} has no flavour that can be served (found: {found})",
        "Log the model with its own library's flavour: " + ", ".join(FLAVOURS) + ".",
    )


def _inside(folder: Path, named: str) -> Path:
    path = folder / named
    if not path.resolve().is_relative_to(folder.resolve()):
        raise CorruptModelError(
            f"{folder / DOCUMENT} names {named}, which lies outside the folder",
            "A model folder must hold its own files; do not use this one.",
        )
    return path


def _torch_file(folder: Path) -> Path:
    for name in TORCH_FILES:
        if (folder / name).is_file():
            return _inside(folder, name)
    return folder / TORCH_FILES[0]


def _input_example(folder: Path, document: dict[str, Any]) -> Any:
    info = document.get("saved_input_example_info")
    named = info.get("artifact_path") if isinstance(info, dict) else None
    if not isinstance(named, str) or not named.endswith(".json"):
        return None
    path = _inside(folder, named)
    try:
        if not path.is_file() or path.stat().st_size > MAX_EXAMPLE:
            return None
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None  # An example is a convenience: a model without one is served all the same.


def _registered(path: Path) -> str | None:
    import yaml

    try:
        meta = yaml.safe_load(path.read_bytes()[:MAX_META])
        name, number, alias = meta["model_name"], meta["model_version"], meta.get("alias")
    except (OSError, ValueError, yaml.YAMLError, TypeError, KeyError, AttributeError):
        return None  # Not there, or not MLflow's: the model is served all the same.
    if not (isinstance(name, str) and isinstance(number, str | int)):
        return None
    return f"{name}/{number}" + (f"@{alias}" if isinstance(alias, str) else "")
