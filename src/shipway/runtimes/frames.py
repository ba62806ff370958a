"""Rows as a pandas frame, for models that pick their columns by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from shipway.model.signature import Outputs, Rows, Signature
from shipway.runtimes.draft import Answer
from shipway.runtimes.outputs import as_outputs
from shipway.runtimes.packages import require

__all__ = ["frame_answer", "frame_maker"]


def frame_maker(
    signature: Signature,
    *,
    nothing: Any = np.nan,
    categories: Mapping[int, Sequence[Any]] | None = None,
) -> Callable[[Rows], Any]:
    """A function from rows to a frame: numbers as float64, strings as object.

    ``nothing`` stands for a missing string, as in the frame the model was trained on;
    ``categories`` maps the index of each column that was a pandas categorical to its categories;
    other values are missing ones then, as the libraries that use them have it.
    """
    pandas = require("pandas", "A model with named or string columns")
    names = list(signature.names)
    kinds = [feature.kind for feature in signature.features]
    types = {index: pandas.CategoricalDtype(list(c)) for index, c in (categories or {}).items()}

    def make(rows: Rows) -> Any:
        if rows.dtype != object and not types:
            return pandas.DataFrame(rows, columns=names)
        columns = {}
        for index, name in enumerate(names):
            if index in types:
                known = types[index].categories
                codes = known.get_indexer(pandas.Index(rows[:, index]))
                columns[name] = pandas.Categorical.from_codes(codes, dtype=types[index])
            elif kinds[index] == "number":
                columns[name] = rows[:, index].astype(np.float64)  # None becomes NaN
            else:
                texts = rows[:, index].copy()
                texts[[value is None for value in texts]] = nothing
                columns[name] = pandas.Series(texts, dtype=object)
        return pandas.DataFrame(columns)

    return make


def frame_answer(
    model: Any, signature: Signature, categories: Mapping[int, Sequence[Any]]
) -> Answer:
    """How an estimator with the interface of scikit-learn answers when it wants a frame."""
    prepare = frame_maker(signature, categories=categories)

    def answer(rows: Rows) -> Outputs:
        frame = prepare(rows)
        probabilities = model.predict_proba(frame) if signature.confidence else None
        return as_outputs(model.predict(frame), probabilities)

    return answer
