"""Libraries that a model needs: imported when it does, named when they are not there."""

from __future__ import annotations

import importlib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from shipway.errors import MissingPackageError

__all__ = ["installed", "require"]

EXTRAS = {
    "catboost": "catboost",
    "lightgbm": "lightgbm",
    "onnxruntime": "onnx",
    "pandas": "pandas",
    "sklearn": "sklearn",
    "skops": "skops",
    "torch": "torch",
    "xgboost": "xgboost",
}
"""The module → the extra of this package that brings it."""

DISTRIBUTIONS = {
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino"),
    "sklearn": ("scikit-learn",),
    "xgboost": ("xgboost", "xgboost-cpu"),
}
"""The module → the packages that may hold it."""


def require(module: str, why: str) -> Any:
    """The imported module; ``why`` is the beginning of the sentence "… needs xgboost".

    Raises:
        shipway.errors.MissingPackageError: it is not installed, or a system library that it
            needs is not.
    """
    top = module.partition(".")[0]
    package = DISTRIBUTIONS.get(top, (top,))[0]
    try:
        return importlib.import_module(module)
    except ImportError as exc:
        # An own module that is there may need a library that is not.
        wanted = (
            (exc.name or top).partition(".")[0] if isinstance(exc, ModuleNotFoundError) else top
        )
        package = DISTRIBUTIONS.get(wanted, (wanted,))[0]
        raise MissingPackageError(
            f"{why} needs {package}, which cannot be imported: {exc}",
            _remedy(wanted, package),
            package=package,
        ) from exc
    except OSError as exc:
        system = "apt-get install libgomp1" if "libgomp" in str(exc) else "see its documentation"
        raise MissingPackageError(
            f"{why} needs {package}, which is installed but lacks a system library: {exc}",
            f"Install that library: {system}",
            package=package,
        ) from exc


def _remedy(top: str, package: str) -> str:
    """How ``top`` comes to be importable.

    The command ``shipway`` does not look into the current folder, as ``python -m`` does: a file
    there could stand in for a library. A registry may hold a stranger's package of that name.
    """
    extra = EXTRAS.get(top)
    if extra:
        return f"Install it: pip install 'shipway[{extra}]'"
    if Path(top, "__init__.py").is_file() or Path(f"{top}.py").is_file():
        return f"{top} is in this folder: set PYTHONPATH=. for Python to look for it here."
    return f"Install it: pip install {package} (a module of your own: set PYTHONPATH to its folder)"


def installed(module: str) -> str | None:
    """The version of the installed package that holds ``module``, None when there is none."""
    for name in DISTRIBUTIONS.get(module, (module,)):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return None
