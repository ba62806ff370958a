"""The nouns of a model file: its bytes, what it is, and what was found in it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from shipway.model.signature import Signature

__all__ = ["Artifact", "Candidate", "Format", "Identity", "ModelSpec", "TrustPolicy", "sha256"]

Identity = tuple[str, str | None]
"""A model's digest, and what a registry calls it."""


class Format(StrEnum):
    """How the bytes are laid out: recognised by content, never by the file's name."""

    PICKLE = "pickle"
    JOBLIB = "joblib"
    SKOPS = "skops"
    ONNX = "onnx"
    XGBOOST_JSON = "xgboost-json"
    XGBOOST_UBJ = "xgboost-ubj"
    LIGHTGBM = "lightgbm-text"
    CATBOOST = "catboost-cbm"
    TORCHSCRIPT = "torchscript"
    TORCH_EXPORT = "torch-export"


def sha256(data: bytes) -> str:
    """The digest of some bytes as the OCI image specification writes it: ``sha256:<64 hex>``."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


@dataclass(frozen=True, slots=True)
class Artifact:
    """One model file, read once: what is scanned is what is loaded, whatever the disk does.

    ``mlmodel`` is the parsed ``MLmodel`` document when the path was an MLflow model folder; then
    ``data`` holds the file of its native flavour.
    """

    name: str
    data: bytes = field(repr=False)
    digest: str
    mlmodel: dict[str, Any] | None = None

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.data)

    @property
    def registered(self) -> str | None:
        """``NAME/VERSION`` or ``NAME/VERSION@ALIAS`` of a model that came from a registry."""
        found = (self.mlmodel or {}).get("registered")
        return found if isinstance(found, str) else None

    @property
    def identity(self) -> Identity:
        """Equal for the same bytes under the same name in a registry."""
        return self.digest, self.registered


@dataclass(frozen=True, slots=True)
class TrustPolicy:
    """What a user allowed beyond the built-in allow-list.

    ``names`` are exact ``module.name`` strings; ``digests`` are whole files (``sha256:…``) that
    the user vouches for.
    """

    names: frozenset[str] = frozenset()
    digests: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """What a model file is, as ``shipway check`` prints it and ``/metrics`` reports it."""

    format: Format
    framework: str
    """The library that answers, by its name on the package index: "scikit-learn"."""
    recorded_version: str | None
    """The library's version that the artifact itself records, None when it records none."""
    installed_version: str | None
    digest: str
    size: int
    signature: Signature
    registered: str | None = None
    """Which version of a registered model it is; None: it came as a file."""
    converted: str | None = None
    """Digest of the converted file that answers in its place; None: the model itself answers."""

    @property
    def identity(self) -> Identity:
        """As Artifact.identity: two versions may be registered with the very same bytes."""
        return self.digest, self.registered


class Candidate(NamedTuple):
    """A model that is to be taken into service: its bytes, and what they turned out to be."""

    artifact: Artifact
    spec: ModelSpec
