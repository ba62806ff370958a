"""scikit-learn's scalers, imputers and encoders of categories.

An encoder is asked for its answer to every category it knows, to an unknown one and to a
missing one; the file holds that table. A category that the original refuses has no row in it,
so that the converted model refuses it too.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from shipway.conversion.answer import Table, no_converter
from shipway.conversion.sheet import BEYOND, ML, Sheet

__all__ = ["MISSING_TEXT", "TRANSFORMERS"]

MISSING_TEXT = "\ue000missing"
"""Stands for a missing value in a text column: ONNX has no other (a private-use character)."""

UNKNOWN_TEXT = "\ue000unknown"


def _row(values: Any) -> Any:
    return np.asarray(values, np.float64)[None]


def _standard(sheet: Sheet, model: Any, table: Table) -> Table:
    x = table.matrix(sheet)
    if model.with_mean:
        x = sheet.op("Sub", x, _row(model.mean_))
    return Table(sheet.op("Div", x, _row(model.scale_)) if model.scale_ is not None else x)


def _range(sheet: Sheet, model: Any, table: Table) -> Table:
    x = sheet.op("Mul", table.matrix(sheet), _row(model.scale_))
    x = sheet.op("Add", x, _row(model.min_))
    if model.clip:
        low, high = (float(edge) for edge in model.feature_range)
        x = sheet.op("Max", sheet.op("Min", x, high), low)
    return Table(x)


def _largest(sheet: Sheet, model: Any, table: Table) -> Table:
    return Table(sheet.op("Div", table.matrix(sheet), _row(model.scale_)))


def _robust(sheet: Sheet, model: Any, table: Table) -> Table:
    x = table.matrix(sheet)
    if model.with_centering:
        x = sheet.op("Sub", x, _row(model.center_))
    return Table(sheet.op("Div", x, _row(model.scale_)) if model.with_scaling else x)


def _function(sheet: Sheet, model: Any, table: Table) -> Table:
    function = model.func
    if function is None:
        return table
    x = table.matrix(sheet)
    if model.kw_args:
        raise no_converter(model, "its function has arguments")
    if function is np.log1p:
        return Table(_log1p(sheet, x))
    for known, kind in ((np.exp, "Exp"), (np.log, "Log"), (np.sqrt, "Sqrt"), (np.abs, "Abs")):
        if function is known:
            return Table(sheet.op(kind, x))
    # HistGradientBoosting's own step checks its input and changes nothing.
    if getattr(getattr(function, "func", None), "__name__", "") == "check_array":
        return table
    raise no_converter(model, f"its function {function!r} is not known")


def _log1p(sheet: Sheet, x: str) -> str:
    """log(u) x / (u - 1) with u = 1 + x keeps the digits near zero (Kahan)."""
    u = sheet.op("Add", x, 1.0)
    small = sheet.op("Equal", u, 1.0)
    rest = sheet.op("Where", small, 1.0, sheet.op("Sub", u, 1.0))
    factor = sheet.op("Where", small, 1.0, sheet.op("Div", sheet.op("Log", u), rest))
    infinite = sheet.op("IsInf", u)
    return sheet.op("Where", infinite, u, sheet.op("Mul", x, factor))


def _imputer(sheet: Sheet, model: Any, table: Table) -> Table:
    count = len(model.statistics_)
    kept = [index for index in range(count) if not _is_nan(model.statistics_[index])]
    if model.add_indicator or len(kept) != count:
        raise no_converter(model, "add_indicator, or a column without any value")
    if table.numbers is not None or not any(table.texts):
        x = table.matrix(sheet)
        lost = _lost(sheet, model, x)
        return Table(sheet.op("Where", lost, _row(model.statistics_), x))
    columns = []
    for index, text in enumerate(table.texts):
        value, column = model.statistics_[index], table.columns[index]
        if text:
            marker = model.missing_values if isinstance(model.missing_values, str) else MISSING_TEXT
            lost = sheet.op("Equal", column, sheet.const([[marker]]))
            columns.append(sheet.op("Where", lost, sheet.const([[str(value)]]), column))
        else:
            lost = _lost(sheet, model, column)
            columns.append(sheet.op("Where", lost, float(value), column))
    return Table(None, tuple(columns), table.texts)


def _lost(sheet: Sheet, model: Any, x: str) -> str:
    if _is_nan(model.missing_values) or model.missing_values is None:
        return sheet.op("IsNaN", x)
    return sheet.op("Equal", x, float(model.missing_values))


def _is_nan(value: Any) -> bool:
    return value is None or (isinstance(value, float | np.floating) and bool(np.isnan(value)))


def _encoder(sheet: Sheet, model: Any, table: Table) -> Table:
    parts = []
    first = [_sample(categories) for categories in model.categories_]
    widths = _widths(model, len(first))
    start = 0
    for index, categories in enumerate(model.categories_):
        column, text = table.column(sheet, index)
        known = [value for value in categories if not _is_nan(value)]
        answers = [_ask(model, first, index, value) for value in known]
        # The frame that a server makes holds None only for an encoder that was trained on it.
        nothing = None if any(value is None for value in categories) else np.nan
        outside = (_unknown(text, known), nothing)
        answers += [_ask(model, first, index, value) for value in outside]
        part = slice(start, start + widths[index])
        start += widths[index]
        parts.append(_looked_up(sheet, column, text, known, [_cut(a, part) for a in answers]))
    return Table(sheet.concat(parts))


def _sample(categories: Any) -> Any:
    return next((value for value in categories if not _is_nan(value)), categories[0])


def _unknown(text: bool, known: list[Any]) -> Any:
    return UNKNOWN_TEXT if text else (float(max(known)) + 0.5 if known else 0.5)


def _widths(model: Any, count: int) -> list[int]:
    if type(model).__name__ == "OneHotEncoder":
        return [int(width) for width in model._n_features_outs]  # noqa: SLF001
    return [1] * count


def _ask(model: Any, first: list[Any], index: int, value: Any) -> Any:
    """What the encoder makes of a value in one column; None: it refuses it."""
    row = list(first)
    row[index] = value
    kind = model.categories_[index].dtype
    numeric = all(categories.dtype.kind in "fiub" for categories in model.categories_)
    frame = np.array([row], dtype=np.float64 if numeric and kind.kind != "O" else object)
    names = getattr(model, "feature_names_in_", None)
    try:
        if names is not None:
            import pandas as pd

            texts = [categories.dtype.kind == "O" for categories in model.categories_]
            data = {
                name: pd.Series([value], dtype=object if text else np.float64)
                for name, value, text in zip(names, row, texts, strict=True)
            }
            answer = model.transform(pd.DataFrame(data))
        else:
            answer = model.transform(frame)
    except (ValueError, TypeError):
        return None
    answer = answer.toarray() if hasattr(answer, "toarray") else np.asarray(answer)
    return np.asarray(answer, np.float64)[0]


def _cut(answer: Any, part: slice) -> Any:
    return None if answer is None else answer[part]


def _looked_up(sheet: Sheet, column: str, text: bool, known: list[Any], answers: list[Any]) -> str:
    """The table's row for each value: known ones, an unknown one, a missing one."""
    *rows, unknown, missing = answers
    if any(row is None for row in rows):
        raise no_converter(object(), "an encoder refuses a category of its own")
    table = list(rows)
    places = {}
    for name, row in (("unknown", unknown), ("missing", missing)):
        places[name] = BEYOND if row is None else len(table)
        table += [] if row is None else [row]
    if text:
        keys = [str(value) for value in known]
        index = sheet.op(
            "LabelEncoder", column, domain=ML,
            keys_strings=[*keys, MISSING_TEXT],
            values_int64s=[*range(len(keys)), places["missing"]],
            default_int64=places["unknown"],
        )  # fmt: skip
        index = sheet.flat(index)
    else:
        index = _number_index(sheet, column, known, places)
    return sheet.op("Gather", np.array(table), index, axis=0)


def _number_index(sheet: Sheet, column: str, known: list[Any], places: dict[str, int]) -> str:
    met = sheet.op("Equal", column, np.array([[float(value) for value in known]]))
    met_int = sheet.cast(met, "INT64")
    any_met = sheet.op("Greater", sheet.reduce("ReduceSum", met_int, 1), 0)
    index = sheet.op("ArgMax", met_int, axis=1, keepdims=0)
    index = sheet.op("Where", any_met, index, places["unknown"])
    lost = sheet.flat(sheet.op("IsNaN", column))
    return sheet.op("Where", lost, places["missing"], index)


def _polynomial(sheet: Sheet, model: Any, table: Table) -> Table:
    """Products of as many columns as the degree; a term of a lower degree takes ones."""
    x = table.matrix(sheet)
    shape = sheet.op("Concat", sheet.op("Shape", x, start=0, end=1), np.array([1]), axis=0)
    powers = np.asarray(model.powers_, np.int64)
    width, degree = powers.shape[1], max(1, int(powers.sum(axis=1).max()))
    factors = np.full((degree, len(powers)), width)
    for term, row in enumerate(powers):
        chosen = np.repeat(np.arange(width), row)
        factors[: len(chosen), term] = chosen
    padded = sheet.concat([x, sheet.op("Expand", np.ones((1, 1)), shape)])
    terms, *rest = [sheet.columns(padded, chosen) for chosen in factors]
    for factor in rest:
        terms = sheet.op("Mul", terms, factor)
    # What comes next in a pipeline refuses infinity, which finite numbers become here.
    sheet.refuse(sheet.reduce("ReduceMax", sheet.cast(sheet.op("IsInf", terms), "INT64"), 1))
    return Table(terms)


TRANSFORMERS = {
    "sklearn.FunctionTransformer": _function,
    "sklearn.MaxAbsScaler": _largest,
    "sklearn.MinMaxScaler": _range,
    "sklearn.OneHotEncoder": _encoder,
    "sklearn.OrdinalEncoder": _encoder,
    "sklearn.PolynomialFeatures": _polynomial,
    "sklearn.RobustScaler": _robust,
    "sklearn.SimpleImputer": _imputer,
    "sklearn.StandardScaler": _standard,
}
