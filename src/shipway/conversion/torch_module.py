"""PyTorch modules, by PyTorch's own exporter: what comes out is put into the graph as it is.

A network computes in float32, here as there; how its numbers become labels and probabilities is
what ``shipway.runtimes`` makes of them (scores become probabilities by softmax or sigmoid).
"""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np

from shipway.conversion.answer import Classified, Table, no_converter
from shipway.conversion.sheet import OPSETS, Sheet

__all__ = ["CLASSIFIERS", "REGRESSORS"]

EXPORTED_OPSET = 20
"""The newest that PyTorch's exporter for scripted modules writes."""


def _numbers(sheet: Sheet, module: Any, table: Table) -> tuple[str, int, bool]:
    """The first output (n, k) as float64, k, and whether it already is probabilities."""
    import torch

    x = table.matrix(sheet)
    width = len(table.names)
    weights = next(iter(module.parameters()), None)
    dtype = torch.float32 if weights is None else weights.dtype
    if dtype not in (torch.float32, torch.float64):
        raise no_converter(module, f"weights of {dtype} are not supported")
    tried = torch.from_numpy(_trial_rows(width)).to(dtype)
    answer = _first(module, tried)
    if answer.dim() not in (1, 2):
        raise no_converter(module, f"it answers with {answer.dim()} dimensions")
    columns = 1 if answer.dim() == 1 else int(answer.shape[1])
    given = x
    if dtype == torch.float32:
        given = sheet.cast(x, "FLOAT")
        infinite = sheet.cast(sheet.op("IsInf", given), "INT64")
        sheet.refuse(sheet.reduce("ReduceMax", infinite, 1))
    found = sheet.inline(_exported(module, tried), {"rows": given})[0]
    flat = sheet.op("Reshape", sheet.cast(found, "DOUBLE"), np.array([-1, columns]))
    return flat, columns, _probable(answer.reshape(len(tried), columns).double().numpy())


def _trial_rows(width: int) -> Any:
    steps = np.linspace(-1.0, 1.0, width) if width > 1 else np.zeros(1)
    rows = [np.zeros(width), np.ones(width), steps, -steps, 0.5 + steps / 3, 3 * steps]
    return np.array(rows)


def _first(module: Any, rows: Any) -> Any:
    import torch

    with torch.inference_mode():
        answer = module(rows)
    while isinstance(answer, list | tuple) and answer:
        answer = answer[0]
    return answer


def _probable(table: Any) -> bool:
    within = bool(((table >= 0) & (table <= 1)).all())
    return within and (table.shape[1] == 1 or bool(np.allclose(table.sum(axis=1), 1, atol=1e-3)))


def _exported(module: Any, rows: Any) -> Any:
    import onnx
    import torch
    from onnx import version_converter

    out = io.BytesIO()
    with warnings.catch_warnings():
        # PyTorch deprecates the exporter that knows scripted modules; it is the one that does.
        warnings.simplefilter("ignore")
        try:
            if not isinstance(module, torch.jit.ScriptModule):
                module = torch.jit.trace(module, (rows,), check_trace=False)
            torch.onnx.export(
                module,
                (rows,),
                out,
                dynamo=False,
                input_names=["rows"],
                output_names=["numbers"],
                dynamic_axes={"rows": {0: "n"}, "numbers": {0: "n"}},
                opset_version=EXPORTED_OPSET,
            )
        except Exception as exc:
            lines = [line for line in str(exc).splitlines() if line.strip()]
            why = lines[0][:200] if lines else type(exc).__name__
            raise no_converter(module, f"PyTorch says: {why}") from exc
    return version_converter.convert_version(onnx.load_from_string(out.getvalue()), OPSETS[""])


def _classifier(sheet: Sheet, module: Any, table: Table) -> Classified:
    numbers, width, probable = _numbers(sheet, module, table)
    if width > 1:
        probabilities = numbers if probable else sheet.op("Softmax", numbers, axis=1)
        return Classified(index=sheet.argmax(probabilities), probabilities=probabilities)
    second = numbers if probable else sheet.op("Sigmoid", numbers)
    probabilities = sheet.concat([sheet.op("Sub", 1.0, second), second])
    return Classified(index=sheet.argmax(probabilities), probabilities=probabilities)


def _regressor(sheet: Sheet, module: Any, table: Table) -> str:
    return _numbers(sheet, module, table)[0]


KINDS = ("torch.RecursiveScriptModule", "torch.GraphModule.__new__.<locals>.GraphModuleImpl")
CLASSIFIERS = dict.fromkeys(KINDS, _classifier)
REGRESSORS = dict.fromkeys(KINDS, _regressor)
