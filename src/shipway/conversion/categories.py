"""Columns that were pandas categoricals: their values become the codes that trees compare with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from shipway.conversion.answer import Table
from shipway.conversion.sheet import ML, Sheet
from shipway.conversion.sklearn_encoders import MISSING_TEXT

__all__ = ["with_codes"]


def with_codes(sheet: Sheet, table: Table, categories: Mapping[int, Sequence[Any]]) -> str:
    """All columns as one matrix; a value that is no category is missing (NaN)."""
    if not categories:
        return table.matrix(sheet)
    width = len(table.names)
    columns = []
    for index in range(width):
        column, text = table.column(sheet, index)
        if index in categories:
            column = (_text if text else _number)(sheet, column, list(categories[index]))
        columns.append(column)
    return sheet.concat(columns)


def _text(sheet: Sheet, column: str, known: list[Any]) -> str:
    codes = sheet.op(
        "LabelEncoder", column, domain=ML,
        keys_strings=[*(str(value) for value in known), MISSING_TEXT],
        values_floats=[*(float(code) for code in range(len(known))), float("nan")],
        default_float=float("nan"),
    )  # fmt: skip
    return sheet.cast(codes, "DOUBLE")


def _number(sheet: Sheet, column: str, known: list[Any]) -> str:
    met = sheet.op("Equal", column, np.array([[float(value) for value in known]]))
    as_int = sheet.cast(met, "INT64")
    code = sheet.cast(sheet.op("ArgMax", as_int, axis=1, keepdims=1), "DOUBLE")
    found = sheet.op("Greater", sheet.reduce("ReduceSum", as_int, 1, keep=True), 0)
    return sheet.op("Where", found, code, float("nan"))
