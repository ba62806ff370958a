"""Which packages took part in a conversion."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from shipway.version import __version__

__all__ = ["versions"]

PACKAGES = (
    "catboost", "lightgbm", "numpy", "onnx", "onnxruntime", "scikit-learn", "skl2onnx", "torch",
    "xgboost", "xgboost-cpu",
)  # fmt: skip


def versions() -> dict[str, str]:
    """Package → installed version, ours and Python's among them."""
    found = {"python": platform.python_version(), "shipway": __version__}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
