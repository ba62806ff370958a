"""A loaded model behind the port: its library's exceptions become ours."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from shipway.errors import Error, InputError, Issue, PredictionError
from shipway.model.signature import Outputs, Rows
from shipway.model.spec import ModelSpec
from shipway.runtimes.draft import Answer

__all__ = ["ModelRuntime", "call"]


@dataclass(frozen=True, slots=True)
class ModelRuntime:
    """A ports.Runtime over a prediction function."""

    spec: ModelSpec
    answer: Answer = field(repr=False)

    def predict(self, rows: Rows) -> Outputs:
        """Answer rows of shape (n, features)."""
        return call(self.answer, rows)


def call(answer: Answer, rows: Rows) -> Outputs:
    """``answer(rows)`` with the errors that the port knows.

    A ValueError is the library's word for "these values cannot be": then the rows are tried by
    halves until one that fails alone is found, so that the issue's ``loc`` is (row,).

    Raises:
        shipway.errors.InputError: the model refuses a value.
        shipway.errors.PredictionError: anything else that goes wrong inside the model.
    """
    try:
        # What a caller's number overflows is the model's to refuse, not a line on our stderr.
        with np.errstate(all="ignore"):
            return answer(rows)
    except Error:
        raise
    except ValueError as exc:
        row = _refused(answer, rows)
        loc = () if row is None else (row,)
        raise InputError([Issue("value_error", loc, _first_line(exc))]) from exc
    except Exception as exc:
        raise PredictionError(
            f"The model failed: {type(exc).__name__}: {_first_line(exc)}",
            "Its own library raised this on values that fit its signature.",
        ) from exc


def _first_line(exc: Exception) -> str:
    lines = [line.strip() for line in str(exc).splitlines() if line.strip()]
    return lines[0] if lines else type(exc).__name__


def _refused(answer: Answer, rows: Rows) -> int | None:
    """The index of a row that fails alone; None when no row does."""
    first, last = 0, len(rows)
    while last - first > 1:
        middle = (first + last) // 2
        if _fails(answer, rows[first:middle]):
            last = middle
        else:
            first = middle
    if len(rows) == 1 or _fails(answer, rows[first:last]):
        return first
    return None


def _fails(answer: Answer, rows: Rows) -> bool:
    try:
        with np.errstate(all="ignore"):
            answer(np.ascontiguousarray(rows))
    except ValueError:
        return True
    except Exception:  # noqa: BLE001 - only the search for the row ends here, its error is raised
        return False
    return False
