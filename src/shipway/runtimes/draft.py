"""What an artifact tells of its own signature, and what shipway.toml and MLflow add to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from shipway.errors import SettingError, UnsupportedModelError
from shipway.model.signature import Declared, Feature, Label, Outputs, Rows, Signature

__all__ = ["Answer", "Draft", "Loaded", "Task", "complete", "plain_features"]

Task = Literal["classifier", "regressor"]

Answer = Callable[[Rows], Outputs]
"""A model's prediction; raises whatever its library raises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A signature as far as the artifact gives it away.

    ``features`` is None when not even their number is known. ``indexed`` says that the classes
    are only numbered by the artifact, so that shipway.toml may name them. ``missing`` says
    whether it makes sense to try if a value may be missing, and whether to try column by column.
    """

    task: Task
    features: tuple[Feature, ...] | None
    named: bool = False
    classes: tuple[Label, ...] | None = None
    indexed: bool = False
    confidence: bool = False
    missing: Literal["no", "together", "by column"] = "together"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A model in memory, before its signature is settled.

    ``framework`` is the library's name on the package index. ``bind`` makes the prediction
    function once the columns and classes are known.
    """

    framework: str
    installed: str | None
    recorded: str | None = None
    draft: Draft
    bind: Callable[[Signature], Answer]


def plain_features(count: int, names: Sequence[str] | None = None) -> tuple[Feature, ...]:
    """``count`` numbers, named ``x0``, ``x1`` … where the model has no names of its own."""
    return tuple(Feature(str(name)) for name in names or [f"x{i}" for i in range(count)])


def complete(draft: Draft, declared: Declared, mlmodel: Mapping[str, Any] | None) -> Signature:
    """The draft with what MLflow recorded and, over it, what shipway.toml declares.

    Raises:
        shipway.errors.SettingError: the declaration contradicts the artifact.
        shipway.errors.UnsupportedModelError: nobody says which features the model takes.
    """
    if mlmodel is not None:
        draft = _with_mlmodel(draft, mlmodel)
    draft = _with_features(draft, declared.features)
    if draft.features is None:
        raise UnsupportedModelError(
            "The model does not say which features it takes",
            "Name them in shipway.toml, in the model's order: [signature] features = "
            '["age", {name = "country", kind = "string"}]',
        )
    if declared.task is not None and declared.task != draft.task:
        raise SettingError(
            f"task in section [signature] says {declared.task}, but the model is a {draft.task}",
            "Remove the setting: the model knows better.",
        )
    classes = _classes(draft, declared.classes)
    return Signature(
        task=draft.task,
        features=draft.features,
        named=draft.named,
        classes=classes,
        confidence=draft.confidence,
    )


def _with_features(draft: Draft, declared: tuple[str | Feature, ...]) -> Draft:
    if not declared:
        return draft
    wanted = tuple(Feature(item) if isinstance(item, str) else item for item in declared)
    names = [feature.name for feature in wanted]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise SettingError(f"features in section [signature] names {twice!r} twice")
    if draft.features is None:
        return replace(draft, features=wanted, named=True)
    if len(wanted) != len(draft.features):
        raise SettingError(
            f"features in section [signature] lists {len(wanted)} features, "
            f"but the model takes {len(draft.features)}",
            "List every column that the model was trained on, in the same order.",
        )
    own = [feature.name for feature in draft.features]
    if draft.named and names != own:
        raise SettingError(
            "features in section [signature] does not list the model's own columns",
            f"The model was trained on: {', '.join(own)}",
        )
    merged = tuple(_merge(a, b) for a, b in zip(draft.features, wanted, strict=True))
    return replace(draft, features=merged, named=True)


def _merge(derived: Feature, declared: Feature) -> Feature:
    """What differs from a field's default was said on purpose and wins."""
    said = {
        item.name: getattr(declared, item.name)
        for item in fields(Feature)
        if getattr(declared, item.name) != item.default
    }
    return replace(derived, **said)


def _classes(draft: Draft, declared: tuple[Label, ...]) -> tuple[Label, ...] | None:
    if not declared or declared == draft.classes:
        return draft.classes
    if draft.task != "classifier":
        raise SettingError(
            "classes in section [signature] are given, but the model is a regressor",
            "Remove the setting.",
        )
    if not draft.indexed or draft.classes is None:
        raise SettingError(
            f"classes in section [signature] differ from the model's own: {draft.classes}",
            "Remove the setting: the model knows its labels.",
        )
    if len(declared) != len(draft.classes):
        raise SettingError(
            f"classes in section [signature] lists {len(declared)} labels, "
            f"but the model has {len(draft.classes)} classes",
            "List the labels in the order of the model's probabilities.",
        )
    return declared


def _with_mlmodel(draft: Draft, mlmodel: Mapping[str, Any]) -> Draft:
    columns = _recorded_columns(mlmodel)
    features = draft.features
    if columns and features is None:
        features = tuple(columns)
        draft = replace(draft, features=features, named=True)
    elif columns and features is not None and not draft.named and len(columns) == len(features):
        pairs = zip(features, columns, strict=True)
        features = tuple(replace(feature, name=column.name) for feature, column in pairs)
        draft = replace(draft, features=features, named=True)
    return _with_example(draft, mlmodel.get("input_example"))


def _recorded_columns(mlmodel: Mapping[str, Any]) -> list[Feature]:
    """The columns of MLflow's model signature; none for a signature of plain tensors."""
    signature = mlmodel.get("signature")
    text = signature.get("inputs") if isinstance(signature, dict) else None
    try:
        inputs = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return []
    columns = []
    for column in inputs if isinstance(inputs, list) else []:
        if not isinstance(column, dict) or not isinstance(column.get("name"), str):
            return []
        if column.get("type") == "tensor":
            return []
        kind: Literal["number", "string"]
        kind = "string" if column.get("type") == "string" else "number"
        columns.append(Feature(column["name"], kind))
    return columns


def _with_example(draft: Draft, example: Any) -> Draft:
    """The first row of MLflow's input example, where it fits column by column."""
    if isinstance(example, dict):
        example = example.get("data", example.get("inputs", example.get("instances")))
    row = example[0] if isinstance(example, list) and example else None
    if draft.features is None or not isinstance(row, list) or len(row) != len(draft.features):
        return draft
    features = []
    for feature, value in zip(draft.features, row, strict=True):
        if feature.kind == "string" and isinstance(value, str):
            features.append(replace(feature, example=value))
        elif feature.kind == "number" and isinstance(value, int | float):
            features.append(replace(feature, example=float(value)))
        else:
            features.append(feature)
    return replace(draft, features=tuple(features))
