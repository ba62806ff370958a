"""Which distributions a model needs beside the server: by its format and by the names in it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from shipway.model.spec import Format, ModelSpec

__all__ = ["EXTRAS", "distributions_of", "roots", "strangers"]

SELF = "shipway"

EXTRAS = {
    "scikit-learn": "sklearn",
    "skops": "skops",
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "xgboost": "xgboost",
    "lightgbm": "lightgbm",
    "catboost": "catboost",
    "torch": "torch",
}
"""Library → the extra of this package that installs it."""

BY_FORMAT = {
    Format.SKOPS: "skops",
    Format.ONNX: "onnx",
    Format.XGBOOST_JSON: "xgboost",
    Format.XGBOOST_UBJ: "xgboost",
    Format.LIGHTGBM: "lightgbm",
    Format.CATBOOST: "catboost",
    Format.TORCHSCRIPT: "torch",
    Format.TORCH_EXPORT: "torch",
}
TABLES = ("sklearn.compose._column_transformer.ColumnTransformer",)


def roots(
    spec: ModelSpec, names: Iterable[str], modules: Mapping[str, Sequence[str]], *, mlflow: bool
) -> tuple[str, ...]:
    """PEP 508 requirements that, with all they need, serve this model.

    ``names`` are the globals that the artifact refers to (``module.name``); ``modules`` says which
    distributions give a top-level module, as ``importlib.metadata.packages_distributions`` does.
    """
    names = frozenset(names)
    extras = {EXTRAS[spec.framework]} if spec.framework in EXTRAS else set()
    if spec.format in BY_FORMAT:
        extras.add(BY_FORMAT[spec.format])
    if mlflow:
        extras.add("mlflow")
    if names.intersection(TABLES) and spec.signature.named:
        extras.add("pandas")
    chosen = _chosen(extras, modules)
    return (SELF, *sorted(chosen | distributions_of(names, modules)))


def _chosen(extras: Iterable[str], modules: Mapping[str, Sequence[str]]) -> set[str]:
    """What the extras ask for, each replaced by the distribution that gives the same module here.

    ``xgboost`` and ``xgboost-cpu`` are one module from two distributions: the installed one was
    seen to answer, and the other may weigh hundreds of megabytes more.
    """
    wanted = set()
    for text in metadata.requires(SELF) or ():
        item = Requirement(text)
        if item.marker and any(item.marker.evaluate({"extra": extra}) for extra in extras):
            item.marker = None
            given = [str(canonicalize_name(name)) for name in modules.get(_module(item.name), ())]
            same = canonicalize_name(item.name) in given
            wanted.add(str(item) if same or not given else given[0])
    # A requirement without an extra is one of the server's own: the closure finds it from SELF.
    return {text for text in wanted if Requirement(text).name not in _core()}


def _core() -> set[str]:
    own = [Requirement(text) for text in metadata.requires(SELF) or ()]
    return {item.name for item in own if "extra" not in str(item.marker)}


def _module(distribution: str) -> str:
    """The module that is asked for by this distribution's name."""
    return {"scikit-learn": "sklearn", "pyyaml": "yaml"}.get(
        distribution.lower(), distribution.lower().removesuffix("-cpu")
    )


def distributions_of(names: Iterable[str], modules: Mapping[str, Sequence[str]]) -> set[str]:
    """The distributions that give the top-level modules of these names, canonical."""
    tops = {name.partition(".")[0] for name in names}
    return {str(canonicalize_name(modules[top][0])) for top in tops if modules.get(top)}


def strangers(names: Iterable[str], modules: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Top-level modules that no distribution gives: the user's own code, which must go along."""
    tops = {name.partition(".")[0] for name in names}
    return tuple(
        sorted(tops - modules.keys() - sys.stdlib_module_names - {"__builtin__", "copy_reg"})
    )
