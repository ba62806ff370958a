"""What a project is made from: a checked model, and what the running environment knows."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from shipway.errors import ModelNotFoundError
from shipway.model.signature import Declared
from shipway.model.spec import Artifact, Format, ModelSpec, TrustPolicy
from shipway.packaging import needs, requirements
from shipway.packaging.requirements import Pin
from shipway.packaging.wheel import Wheel, repack

__all__ = ["Facts", "gather", "image_name", "model_files"]

CONTRACT_NAME = "model.pkl"
NAMES = {
    Format.SKOPS: "model.skops",
    Format.ONNX: "model.onnx",
    Format.XGBOOST_JSON: "model.json",
    Format.XGBOOST_UBJ: "model.ubj",
    Format.LIGHTGBM: "model.txt",
    Format.CATBOOST: "model.cbm",
    Format.TORCHSCRIPT: "model.pt",
    Format.TORCH_EXPORT: "model.pt2",
}
# These load only where they were made; the other formats are meant to outlive their library.
TIED_TO_VERSION = {Format.PICKLE, Format.JOBLIB, Format.SKOPS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that the files of a project are rendered from.

    ``model`` maps paths inside the project to bytes, ``model_path`` is MODEL_PATH there,
    ``python`` the version that the image runs ("3.11"), ``pins`` the packages beside ``wheel``,
    ``strangers`` top-level modules of the user's own that the model refers to.
    """

    name: str
    spec: ModelSpec
    model: Mapping[str, bytes] = field(repr=False)
    model_path: str
    python: str
    pins: tuple[Pin, ...]
    wheel: Wheel
    policy: TrustPolicy = field(default_factory=TrustPolicy)
    declared: Declared = field(default_factory=Declared)
    strangers: tuple[str, ...] = ()


def gather(
    source: Path,
    artifact: Artifact,
    spec: ModelSpec,
    *,
    names: frozenset[str],
    versions: Mapping[str, str],
    name: str,
    policy: TrustPolicy,
    declared: Declared,
) -> Facts:
    """The facts behind a model at ``source`` that was checked and can be served.

    ``names`` are the globals that the artifact refers to and ``versions`` those that it records,
    as the scan found them.

    Raises:
        shipway.errors.ModelNotFoundError: a file of an MLflow folder cannot be read.
        shipway.errors.UsageError: this installation cannot be packed.
    """
    model_path, model = model_files(source, spec, artifact.data)
    modules = metadata.packages_distributions()
    roots = needs.roots(spec, names, modules, mlflow=artifact.mlmodel is not None)
    everything = requirements.closure(
        roots, requirements.installed, requirements.container_environment()
    )
    recorded = dict(versions)
    if spec.recorded_version:
        recorded.setdefault(spec.framework, spec.recorded_version)
    return Facts(
        name=name,
        spec=spec,
        model=model,
        model_path=model_path,
        python=".".join(platform.python_version_tuple()[:2]),
        pins=requirements.pins(
            everything,
            recorded if spec.format in TIED_TO_VERSION else {},
            without=[needs.SELF],
        ),
        wheel=repack(),
        policy=policy,
        declared=declared,
        strangers=needs.strangers(names, modules),
    )


def image_name(text: str) -> str:
    """A name that Docker takes as a repository, as close to ``text`` as it allows."""
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return name or "my-ml-model"


def model_files(source: Path, spec: ModelSpec, data: bytes) -> tuple[str, dict[str, bytes]]:
    """MODEL_PATH of the project and the files that go there.

    ``data`` are the bytes that were checked; only a folder (an MLflow model) is read again.

    Raises:
        shipway.errors.ModelNotFoundError: a file of the folder cannot be read.
    """
    if not source.is_dir():
        path = "models/" + NAMES.get(spec.format, CONTRACT_NAME)
        return path, {path: data}
    found = sorted(path for path in source.rglob("*") if path.is_file())
    try:
        return "models/model", {
            f"models/model/{path.relative_to(source).as_posix()}": path.read_bytes()
            for path in found
        }
    except OSError as exc:
        raise ModelNotFoundError(f"{exc.filename} cannot be read: {exc.strerror}") from exc
