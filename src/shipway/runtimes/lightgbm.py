"""LightGBM: boosters in its text format, and pickled boosters and estimators."""

from __future__ import annotations

import contextlib
import logging
import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from shipway.errors import CorruptModelError, UnsupportedModelError
from shipway.model.signature import Declared, Feature, Outputs, Rows, Signature
from shipway.model.spec import Artifact, TrustPolicy
from shipway.runtimes import sklearn
from shipway.runtimes.draft import Answer, Draft, Loaded, plain_features
from shipway.runtimes.frames import frame_answer, frame_maker
from shipway.runtimes.outputs import as_outputs, from_probabilities
from shipway.runtimes.packages import installed, require

__all__ = ["library", "read", "wrap"]

END = "\nend of trees"
PROBABLE = ("binary", "multiclass", "multiclassova")


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the text of a booster says."""

    objective: str
    classes: int
    """0 for a regressor."""
    features: tuple[Feature, ...]
    named: bool
    categories: dict[int, list[Any]]
    """Column → categories of the pandas categorical that it was trained on."""


def library() -> Any:
    """The module ``lightgbm``, which from then on logs what it has to say, at level debug.

    By itself it prints to stdout, where a command's result goes, and again at each prediction:
    mostly which of two parameters of the training was ignored.

    Raises:
        shipway.errors.MissingPackageError: it cannot be imported.
    """
    module = require("lightgbm", "A LightGBM model")
    module.register_logger(logging.getLogger(__name__), "debug", "debug")
    return module


def read(artifact: Artifact, _policy: TrustPolicy, threads: int, _declared: Declared) -> Loaded:
    """A booster saved by ``save_model``, by LightGBM's own reader."""
    lightgbm = library()
    text = artifact.data.decode("utf-8", "replace").replace("\r\n", "\n")
    _check(text)
    try:
        booster = lightgbm.Booster(model_str=text)
    except (lightgbm.basic.LightGBMError, ValueError) as exc:
        raise CorruptModelError(
            f"LightGBM cannot read the file: {exc}",
            f"It was read by LightGBM {installed('lightgbm')}; a newer one may have written it.",
        ) from exc
    return _wrap_booster(booster, threads)


def _check(text: str) -> None:
    """Refuse a broken text: LightGBM's reader ends the whole process on one.

    Every size in the line ``tree_sizes`` must lead to the beginning of the next tree.
    """
    header = _header(text)
    place = text.find("\n\nTree=0\n") + 2
    try:
        sizes = [int(size) for size in header.get("tree_sizes", "").split()]
        width = int(header["max_feature_idx"]) + 1
    except (KeyError, ValueError):
        sizes, width = [], 0
    whole = END in text and width == len(header.get("feature_names", "").split())
    for index, size in enumerate(sizes):
        whole = whole and text.startswith(f"Tree={index}\n", place)
        place += size
    if not whole or not (text[place:].startswith(END.strip()) or not sizes):
        raise CorruptModelError(
            "The LightGBM model is cut off or was edited: its trees do not have the sizes "
            "that its header tells",
            "Save the model again, or copy the whole file.",
        )


def _header(text: str) -> dict[str, str]:
    lines = text[: text.find("\n\n")].splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def wrap(model: Any, *, threads: int) -> Loaded:
    """A pickled booster, or an estimator with scikit-learn's interface."""
    lightgbm = library()
    if isinstance(model, lightgbm.Booster):
        return _wrap_booster(model, threads)
    if not isinstance(model, lightgbm.LGBMModel):
        raise UnsupportedModelError(f"The file holds a LightGBM {type(model).__name__}, no model")
    if not model.__sklearn_is_fitted__():
        raise UnsupportedModelError(
            f"The {type(model).__name__} in the file is not fitted", "Save it after calling fit."
        )
    facts = _facts(model.booster_)
    loaded = sklearn.wrap(model, threads=threads)
    draft = replace(loaded.draft, features=facts.features)
    loaded = replace(loaded, framework="lightgbm", installed=installed("lightgbm"), draft=draft)
    if facts.categories:
        return replace(
            loaded, bind=lambda signature: frame_answer(model, signature, facts.categories)
        )
    return loaded


def _wrap_booster(booster: Any, threads: int) -> Loaded:
    facts = _facts(booster)
    return Loaded(
        framework="lightgbm",
        installed=installed("lightgbm"),
        draft=Draft(
            task="classifier" if facts.classes else "regressor",
            features=facts.features,
            named=facts.named,
            classes=tuple(range(facts.classes)) if facts.classes else None,
            indexed=True,
            confidence=bool(facts.classes),
        ),
        bind=lambda signature: _bind_booster(booster, facts, signature, threads),
    )


def _facts(booster: Any) -> _Facts:
    # One tree is enough: the header and the parameters at the end are always there.
    text = booster.model_to_string(num_iteration=1)
    header = _header(text)
    names = booster.feature_name()
    objective = (header.get("objective", "").split() or [""])[0]
    classes = {"binary": 2}.get(objective, int(header.get("num_class", "1")))
    named = names != [f"Column_{index}" for index in range(len(names))]
    features = plain_features(len(names), names if named else None)
    ranges = header.get("feature_infos", "").split()
    if len(ranges) == len(names):
        features = tuple(map(_with_middle, features, ranges))
    categories = _categories(text, booster.pandas_categorical or [])
    for index, known in categories.items():
        features = _with_categories(features, index, known)
    return _Facts(
        objective=objective,
        classes=classes if objective in PROBABLE else 0,
        features=features,
        named=named,
        categories=categories,
    )


def _with_middle(feature: Feature, information: str) -> Feature:
    """LightGBM notes the range of each numeric column as ``[least:greatest]``."""
    found = re.fullmatch(r"\[([^:\]]+):([^:\]]+)\]", information)
    if found:
        with contextlib.suppress(ValueError):
            middle = (float(found[1]) + float(found[2])) / 2
            return replace(feature, example=float(f"{middle:.4g}"))
    return feature


def _categories(text: str, known: list[list[Any]]) -> dict[int, list[Any]]:
    found = re.search(r"^\[categorical_feature: ([\d,]+)\]$", text, re.MULTILINE)
    columns = [int(column) for column in found[1].split(",")] if found else []
    return dict(zip(columns, known, strict=True)) if len(columns) == len(known) else {}


def _with_categories(
    features: tuple[Feature, ...], index: int, known: list[Any]
) -> tuple[Feature, ...]:
    feature = features[index]
    if all(isinstance(value, str) for value in known):
        feature = replace(feature, kind="string", example=None, categories=tuple(known))
    elif known and isinstance(known[0], int | float):
        feature = replace(feature, example=float(known[0]))
    return (*features[:index], feature, *features[index + 1 :])


def _bind_booster(booster: Any, facts: _Facts, signature: Signature, threads: int) -> Answer:
    prepare = frame_maker(signature, categories=facts.categories) if facts.categories else None
    classes = None if signature.classes is None else as_outputs(signature.classes).predictions

    def answer(rows: Rows) -> Outputs:
        given = rows if prepare is None else prepare(rows)
        values = booster.predict(given, num_threads=threads)
        if classes is None:
            return as_outputs(values)
        if values.ndim == 1:
            values = np.stack([1 - values, values], axis=1)
        return from_probabilities(values, classes)

    return answer
