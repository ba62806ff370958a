"""What only a call tells: how many values come back, which columns may be missing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from shipway.errors import Error, InputError, UnsupportedModelError
from shipway.model.signature import Feature, Outputs, Rows, Signature
from shipway.runtimes.answering import call
from shipway.runtimes.draft import Answer

__all__ = ["settle"]

FILLERS = (1.0, 0.5, 100.0)
"""Tried where 0.0 is impossible: a logarithm, a category code that starts at one."""

MAX_COLUMNS = 256
"""Columns tried one by one; in a wider model a column counts as required."""


def settle(
    signature: Signature, answer: Answer, missing: Literal["no", "together", "by column"]
) -> Signature:
    """The signature with the facts that only an answer shows.

    A row of examples is answered first; where it is refused, numbers without an example of
    their own are tried with other values. A column takes a missing value when the model
    answers a row without it, with a number: scikit-learn's own tag ``allow_nan`` looks only at
    the first step of a pipeline, and is wrong for a scaler before a linear model.

    Raises:
        shipway.errors.UnsupportedModelError: the model answers none of the rows tried, or
            something else than one prediction a row.
    """
    signature, outputs = _answered(signature, answer)
    predictions = outputs.predictions
    if predictions.ndim not in (1, 2) or len(predictions) != 1:
        raise UnsupportedModelError(
            f"The model answers one row with an array of shape {predictions.shape}",
            "A model must give one prediction, or one list of predictions, for each row.",
        )
    count = 1 if predictions.ndim == 1 else predictions.shape[1]
    single = count == 1
    signature = replace(
        signature,
        outputs=count,
        classes=signature.classes if single else None,
        confidence=outputs.confidences is not None and single,
    )
    if missing == "no":
        return signature
    return _with_missing(signature, answer, columnwise=missing == "by column")


def _answered(signature: Signature, answer: Answer) -> tuple[Signature, Outputs]:
    try:
        return signature, call(answer, signature.example_rows())
    except Error as exc:
        failure = exc
    for filler in FILLERS:
        tried = _filled(signature, filler)
        with contextlib.suppress(Error):
            return tried, call(answer, tried.example_rows())
    hint = (
        "Give a row that the model takes, in shipway.toml: [signature] features = "
        '[{name = "age", example = 41.0}, …]'
    )
    if not isinstance(failure, InputError):
        hint = "Does it work with the installed versions of its libraries?"
    raise UnsupportedModelError(
        f"The model loads, but it cannot answer a row: {failure.message}", hint
    ) from failure


def _filled(signature: Signature, filler: float) -> Signature:
    features = tuple(
        replace(feature, example=filler)
        if feature.example is None and feature.kind == "number"
        else feature
        for feature in signature.features
    )
    return replace(signature, features=features)


def _with_missing(signature: Signature, answer: Answer, *, columnwise: bool) -> Signature:
    every = range(len(signature.features))
    open_columns = [index for index in every if not signature.features[index].missing]
    if not open_columns:
        return signature
    if _takes_missing(signature, answer, open_columns):
        taking = set(open_columns)
    elif columnwise and len(open_columns) <= MAX_COLUMNS:
        taking = {index for index in open_columns if _takes_missing(signature, answer, [index])}
    else:
        taking = set()
    return replace(
        signature,
        features=tuple(
            replace(feature, missing=feature.missing or index in taking)
            for index, feature in enumerate(signature.features)
        ),
    )


def _takes_missing(signature: Signature, answer: Answer, columns: Iterable[int]) -> bool:
    rows: Rows = signature.example_rows()
    for index in columns:
        rows[0, index] = _nothing(signature.features[index], rows)
    try:
        outputs = call(answer, rows)
    except Error:
        return False
    predictions = outputs.predictions
    if predictions.dtype.kind == "f" and not np.isfinite(predictions).all():
        return False
    return outputs.confidences is None or bool(np.isfinite(outputs.confidences).all())


def _nothing(feature: Feature, rows: Rows) -> Any:
    return None if rows.dtype == object or feature.kind == "string" else np.nan
