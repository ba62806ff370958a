"""Regressors whose target was transformed: the way back, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np

from shipway.conversion.answer import Table, key_of, no_converter
from shipway.conversion.dispatch import regress
from shipway.conversion.sheet import Sheet

__all__ = ["REGRESSORS"]


def _by_function(sheet: Sheet, model: Any, y: str) -> str:
    function = model.inverse_func
    if function is None:
        return y
    if model.inv_kw_args:
        raise no_converter(model, "its inverse function has arguments")
    for known, kind in ((np.exp, "Exp"), (np.log, "Log"), (np.sqrt, "Sqrt"), (np.abs, "Abs")):
        if function is known:
            return sheet.op(kind, y)
    if function is np.square:
        return sheet.op("Mul", y, y)
    if function is np.expm1:
        return _expm1(sheet, y)
    if function is np.exp2:
        return sheet.op("Pow", 2.0, y)
    raise no_converter(model, f"its inverse function {function!r} is not known")


def _expm1(sheet: Sheet, y: str) -> str:
    """exp(y) - 1; near zero (u - 1) y / log(u) with u = exp(y), which keeps the digits (Kahan)."""
    u = sheet.op("Exp", y)
    plain = sheet.op("Sub", u, 1.0)
    near = sheet.op("And", sheet.op("Less", sheet.op("Abs", y), 1.0), sheet.op("Greater", u, 0.0))
    same = sheet.op("Equal", u, 1.0)
    usable = sheet.op("And", near, sheet.op("Not", same))
    log = sheet.op("Where", usable, sheet.op("Log", u), 1.0)
    factor = sheet.op("Where", usable, sheet.op("Div", sheet.op("Where", usable, y, 1.0), log), 1.0)
    return sheet.op("Where", same, y, sheet.op("Mul", plain, factor))


def _from_standard(sheet: Sheet, model: Any, y: str) -> str:
    if model.scale_ is not None:
        y = sheet.op("Mul", y, np.asarray(model.scale_)[None])
    return sheet.op("Add", y, np.asarray(model.mean_)[None]) if model.with_mean else y


def _from_range(sheet: Sheet, model: Any, y: str) -> str:
    moved = sheet.op("Sub", y, np.asarray(model.min_)[None])
    return sheet.op("Div", moved, np.asarray(model.scale_)[None])


def _from_robust(sheet: Sheet, model: Any, y: str) -> str:
    if model.with_scaling:
        y = sheet.op("Mul", y, np.asarray(model.scale_)[None])
    return sheet.op("Add", y, np.asarray(model.center_)[None]) if model.with_centering else y


INVERSES = {
    "sklearn.FunctionTransformer": _by_function,
    "sklearn.MinMaxScaler": _from_range,
    "sklearn.RobustScaler": _from_robust,
    "sklearn.StandardScaler": _from_standard,
}


def _transformed_target(sheet: Sheet, model: Any, table: Table) -> str:
    inverse = INVERSES.get(key_of(model.transformer_))
    if inverse is None:
        raise no_converter(model.transformer_, "the way back from it is not supported")
    return inverse(sheet, model.transformer_, regress(sheet, model.regressor_, table))


REGRESSORS = {"sklearn.TransformedTargetRegressor": _transformed_target}
