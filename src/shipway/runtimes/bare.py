"""The library's own object in a model file: what a converter reads."""

from __future__ import annotations

import io
import warnings
from typing import Any

from shipway.errors import ConversionError, UnsafeModelError
from shipway.model.scan import scan
from shipway.model.spec import Artifact, Format, TrustPolicy
from shipway.runtimes.packages import require
from shipway.runtimes.unpickling import load_pickle

__all__ = ["load_object"]


def load_object(artifact: Artifact, *, policy: TrustPolicy) -> Any:
    """The estimator, booster or module in the artifact, scanned as ``load`` scans it.

    Raises:
        shipway.errors.UnsafeModelError: loading it would run something that nobody allowed.
        shipway.errors.MissingPackageError: its library is not installed.
        shipway.errors.ConversionError: it holds no object that a converter could read.
    """
    report = scan(artifact, policy)
    if not report.safe:
        names = [finding.name for finding in report.findings]
        raise UnsafeModelError(
            f"Loading {artifact.name} would use what is not allowed: {', '.join(names[:5])}",
            "shipway check says more.",
            findings=names,
        )
    if report.format in (Format.PICKLE, Format.JOBLIB):
        return load_pickle(artifact, policy)
    if report.format == Format.SKOPS:
        skops = require("skops.io", "A skops file")
        types = skops.get_untrusted_types(data=artifact.data)
        return skops.loads(artifact.data, trusted=types)
    if report.format in (Format.XGBOOST_JSON, Format.XGBOOST_UBJ):
        library = require("xgboost", "An XGBoost model")
        return library.Booster(model_file=bytearray(artifact.data))
    if report.format == Format.LIGHTGBM:
        library = require("lightgbm", "A LightGBM model")
        return library.Booster(model_str=artifact.data.decode("utf-8", "replace"))
    if report.format == Format.CATBOOST:
        return require("catboost", "A CatBoost model").CatBoost().load_model(blob=artifact.data)
    if report.format in (Format.TORCHSCRIPT, Format.TORCH_EXPORT):
        return _module(artifact, report.format)
    raise ConversionError(f"{artifact.name} is {report.format}: it needs no conversion")


def _module(artifact: Artifact, kind: Format) -> Any:
    torch = require("torch", "A PyTorch model")
    if kind == Format.TORCH_EXPORT:
        return torch.export.load(io.BytesIO(artifact.data)).module()
    with warnings.catch_warnings():
        # PyTorch deprecates TorchScript for torch.export; the file is already what it is.
        warnings.filterwarnings("ignore", "`torch.jit.load` is deprecated", DeprecationWarning)
        return torch.jit.load(io.BytesIO(artifact.data), map_location="cpu").eval()
