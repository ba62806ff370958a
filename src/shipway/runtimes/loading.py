"""From bytes to a model that answers: scan, load, derive the signature, try a row."""

from __future__ import annotations

import importlib
from typing import Any

from shipway.errors import CorruptModelError, Error
from shipway.model.scan import refusal, scan
from shipway.model.signature import Declared
from shipway.model.spec import Artifact, Format, ModelSpec, TrustPolicy
from shipway.runtimes import lightgbm
from shipway.runtimes.answering import ModelRuntime
from shipway.runtimes.draft import Loaded, complete
from shipway.runtimes.packages import installed
from shipway.runtimes.trying import settle

__all__ = ["load"]

READERS = {
    Format.PICKLE: ("pickled", "read_pickle"),
    Format.JOBLIB: ("pickled", "read_pickle"),
    Format.SKOPS: ("pickled", "read_skops"),
    Format.ONNX: ("onnx", "read"),
    Format.XGBOOST_JSON: ("xgboost", "read"),
    Format.XGBOOST_UBJ: ("xgboost", "read"),
    Format.LIGHTGBM: ("lightgbm", "read"),
    Format.CATBOOST: ("catboost", "read"),
    Format.TORCHSCRIPT: ("torch", "read_script"),
    Format.TORCH_EXPORT: ("torch", "read_export"),
}
"""Module and function that load each format; imported when a model of that format comes."""


def load(
    artifact: Artifact,
    *,
    policy: TrustPolicy,
    threads: int = 1,
    declared: Declared | None = None,
) -> ModelRuntime:
    """The model in the artifact, ready to answer; only its bytes in memory are used.

    ``threads`` is how many threads one prediction may use. With one, no thread pool is started,
    so that a process may load a model, fork, and answer in its children.

    Raises:
        shipway.errors.UnsafeModelError: loading it would run something that nobody allowed.
        shipway.errors.ModelError: any other reason of the file (see the tree in errors).
        shipway.errors.SettingError: ``declared`` contradicts the model.
    """
    report = scan(artifact, policy)
    if not report.safe:
        raise refusal(artifact, report)
    if any(name.startswith("lightgbm.") for name in report.names) and installed("lightgbm"):
        lightgbm.library()
    declared = declared or Declared()
    loaded = _read(artifact, report.format, policy, threads, declared)
    signature = complete(loaded.draft, declared, artifact.mlmodel)
    signature = settle(signature, loaded.bind(signature), loaded.draft.missing)
    spec = ModelSpec(
        format=report.format,
        framework=loaded.framework,
        recorded_version=report.versions.get(loaded.framework) or loaded.recorded,
        installed_version=loaded.installed,
        digest=artifact.digest,
        size=artifact.size,
        signature=signature,
        registered=artifact.registered,
    )
    return ModelRuntime(spec, loaded.bind(signature))


def _read(
    artifact: Artifact, found: Format, policy: TrustPolicy, threads: int, declared: Declared
) -> Loaded:
    module, function = READERS[found]
    reader: Any = getattr(importlib.import_module(f"shipway.runtimes.{module}"), function)
    try:
        loaded: Loaded = reader(artifact, policy, threads, declared)
    except Error:
        raise
    except Exception as exc:
        raise CorruptModelError(
            f"The {found} file cannot be loaded: {type(exc).__name__}: {exc}",
            "Was it saved by another version of its library? `shipway check` compares them.",
        ) from exc
    return loaded
