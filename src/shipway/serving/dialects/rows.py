"""Parsed JSON becomes rows that a signature describes, or issues that name what is wrong."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from shipway.errors import InputError, Issue
from shipway.model.signature import Feature, Rows, Signature

__all__ = ["MAX_ISSUES", "Loc", "read_rows"]

Loc = tuple[str | int, ...]

MAX_ISSUES = 10
"""Issues listed in one answer; reading stops there."""

_SHOWN_NAMES = 12
_SUGGEST_AMONG = 200
"""Names; comparing with more would let a wrong request cost more than a right one."""


def read_rows(signature: Signature, values: Sequence[tuple[Loc, Any]]) -> Rows:
    """Rows of shape (len(values), features) from lists in the model's order or objects by name.

    ``values`` pairs each row with the path that an issue about it starts with.

    Raises:
        InputError: at least one row does not fit; every issue up to ``MAX_ISSUES`` is listed.
    """
    issues: list[Issue] = []
    rows = []
    for loc, value in values:
        rows.append(_row(signature, loc, value, issues))
        if len(issues) >= MAX_ISSUES:
            break
    if issues:
        raise InputError(issues[:MAX_ISSUES])
    if signature.numeric:
        return np.array(rows, dtype=np.float64)
    table = np.empty((len(rows), len(signature.features)), dtype=object)
    for index, row in enumerate(rows):
        table[index] = row
    return table


def _row(signature: Signature, loc: Loc, value: Any, issues: list[Issue]) -> list[Any]:
    features = signature.features
    if isinstance(value, list):
        if len(value) != len(features):
            issues.append(_wrong_number(signature, loc, value))
            return []
        keys: Sequence[str | int] = range(len(features))
        cells = value
    elif isinstance(value, dict):
        found = _wrong_names(signature, loc, value)
        if found:
            issues.extend(found)
            return []
        keys = signature.names
        cells = [value[name] for name in keys]
    else:
        issues.append(
            Issue(
                "list_type",
                loc,
                "Input should be a valid list of features, or an object of features by name",
                value,
            )
        )
        return []
    row = []
    for feature, key, cell in zip(features, keys, cells, strict=True):
        complaint = _complaint(feature, cell)
        if complaint is None:
            row.append(_cell(feature, cell, numeric=signature.numeric))
        elif len(issues) < MAX_ISSUES:
            issues.append(Issue(complaint[0], (*loc, key), complaint[1], cell))
    return row


def _complaint(feature: Feature, cell: Any) -> tuple[str, str] | None:
    """The type and the text of what is wrong with a cell."""
    if cell is None:
        if feature.missing:
            return None
        what = "number" if feature.kind == "number" else "string"
        kind = "float_type" if feature.kind == "number" else "string_type"
        return kind, (
            f"Input should be a valid {what}: the model takes no missing value for {_name(feature)}"
        )
    if feature.kind == "string":
        return _text_complaint(feature, cell)
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        return "float_type", f"Input should be a valid number for {_name(feature)}"
    try:
        number = float(cell)
    except OverflowError:
        number = math.inf
    if math.isfinite(number) or (feature.missing and math.isnan(number)):
        return None
    why = (
        "NaN is not a value that the model takes"
        if math.isnan(number)
        else "infinity, or too large for a 64-bit float"
    )
    return "finite_number", f"Input should be a finite number for {_name(feature)} ({why})"


def _text_complaint(feature: Feature, cell: Any) -> tuple[str, str] | None:
    if feature.missing and isinstance(cell, float) and math.isnan(cell):
        return None
    if not isinstance(cell, str):
        return "string_type", f"Input should be a valid string for {_name(feature)}"
    try:
        cell.encode()
    except UnicodeEncodeError:
        return "string_unicode", (
            f"Input should be valid Unicode text for {_name(feature)}: it has a lone surrogate"
        )
    return None


def _cell(feature: Feature, cell: Any, *, numeric: bool) -> float | str | None:
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return math.nan if numeric else None
    return float(cell) if feature.kind == "number" else str(cell)


def _name(feature: Feature) -> str:
    return f"feature {_quoted(feature.name)}"


def _quoted(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)


def _wrong_number(signature: Signature, loc: Loc, value: list[Any]) -> Issue:
    expected, given = len(signature.features), len(value)
    names = f" ({_listed(signature.names)})" if signature.named else ""
    plural = "feature" if expected == 1 else "features"
    return Issue(
        "too_short" if given < expected else "too_long",
        loc,
        f"The model expects {expected} {plural}{names}, {given} given",
        value,
    )


def _wrong_names(signature: Signature, loc: Loc, value: dict[str, Any]) -> list[Issue]:
    known = set(signature.names)
    missing = [name for name in signature.names if name not in value]
    unknown = [name for name in value if name not in known]
    issues: list[Issue] = []
    for name in unknown[:MAX_ISSUES]:
        meant = _meant(name, missing) if len(issues) < 3 else ""
        hint = (
            f"did you mean {_quoted(meant)}?"
            if meant
            else f"the model takes {_listed(signature.names)}"
        )
        issues.append(
            Issue(
                "extra_forbidden",
                (*loc, name[:200]),
                f"Unknown feature {_quoted(name[:80])}: {hint}",
                value[name],
            )
        )
    counts = f"({len(known)} expected, {len(value)} given)"
    issues.extend(
        Issue(
            "missing",
            (*loc, name),
            f"Field required: feature {_quoted(name)} is not given {counts}",
            value,
        )
        for name in missing[: MAX_ISSUES - len(issues)]
    )
    return issues


def _meant(name: str, missing: list[str]) -> str:
    """The feature that a wrong name most likely stands for, "" when none is close."""
    if len(name) > 200 or len(missing) > _SUGGEST_AMONG:
        return ""
    folded = {_fold(candidate): candidate for candidate in missing}
    close = difflib.get_close_matches(_fold(name), folded, n=1)
    return folded[close[0]] if close else ""


def _fold(name: str) -> str:
    return "".join(name.casefold().replace("_", " ").replace("-", " ").split())


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN_NAMES])
    return shown if len(names) <= _SHOWN_NAMES else f"{shown}, … {len(names) - _SHOWN_NAMES} more"
