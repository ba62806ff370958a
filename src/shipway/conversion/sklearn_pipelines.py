"""scikit-learn's Pipeline, ColumnTransformer and FeatureUnion: who gets which columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shipway.conversion.answer import Classified, Table, no_converter
from shipway.conversion.dispatch import classify, regress, transform
from shipway.conversion.sheet import Sheet
from shipway.errors import ConversionError

__all__ = ["CLASSIFIERS", "REGRESSORS", "TRANSFORMERS"]


def _idle(step: Any) -> bool:
    return step is None or isinstance(step, str)


def _before(sheet: Sheet, model: Any, table: Table) -> tuple[Any, Table]:
    """The last step, and what the steps before it make of the columns."""
    *steps, (_, last) = model.steps
    for _, step in steps:
        if not _idle(step):
            table = transform(sheet, step, table)
    return last, table


def _classifier(sheet: Sheet, model: Any, table: Table) -> Classified:
    last, table = _before(sheet, model, table)
    return classify(sheet, last, table)


def _regressor(sheet: Sheet, model: Any, table: Table) -> str:
    last, table = _before(sheet, model, table)
    return regress(sheet, last, table)


def _pipeline(sheet: Sheet, model: Any, table: Table) -> Table:
    last, table = _before(sheet, model, table)
    return table if _idle(last) else transform(sheet, last, table)


def _joined(sheet: Sheet, tables: Sequence[Table]) -> Table:
    """Tables side by side: one matrix unless a column is text."""
    tables = [table for table in tables if table.numbers is not None or table.columns]
    if not any(any(table.texts) for table in tables):
        return Table(sheet.concat([table.matrix(sheet) for table in tables]))
    columns: list[str] = []
    texts: list[bool] = []
    for table in tables:
        if table.numbers is not None:
            raise ConversionError(
                "A ColumnTransformer passes text columns on beside encoded ones",
                "Encode the text columns in the same step.",
            )
        columns += table.columns
        texts += table.texts
    return Table(None, tuple(columns), tuple(texts))


def _selected(sheet: Sheet, table: Table, indices: Sequence[int]) -> Table:
    """Some columns of a table; a matrix stays one."""
    if table.numbers is not None:
        return Table(sheet.columns(table.numbers, indices))
    return Table(
        None,
        tuple(table.columns[index] for index in indices),
        tuple(table.texts[index] for index in indices),
    )


def _columns(sheet: Sheet, model: Any, table: Table) -> Table:
    if getattr(model, "sparse_output_", False) and not model.transformers_:
        raise no_converter(model)
    parts = []
    indices = model._transformer_to_input_indices  # noqa: SLF001
    for name, step, _ in model.transformers_:
        if (isinstance(step, str) and step == "drop") or len(indices[name]) == 0:
            continue
        part = _selected(sheet, table, [int(index) for index in indices[name]])
        parts.append(part if _idle(step) else transform(sheet, step, part))
    return _joined(sheet, parts)


def _union(sheet: Sheet, model: Any, table: Table) -> Table:
    if model.transformer_weights:
        raise no_converter(model, "transformer_weights is not supported")
    steps = [step for _, step in model.transformer_list if step != "drop"]
    return _joined(sheet, [table if _idle(s) else transform(sheet, s, table) for s in steps])


CLASSIFIERS = {"sklearn.Pipeline": _classifier}
REGRESSORS = {"sklearn.Pipeline": _regressor}
TRANSFORMERS = {
    "sklearn.ColumnTransformer": _columns,
    "sklearn.FeatureUnion": _union,
    "sklearn.Pipeline": _pipeline,
}
