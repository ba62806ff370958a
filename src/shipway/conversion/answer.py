"""What the parts of a model hand to each other while they are written down as ONNX."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shipway.conversion.sheet import Sheet
from shipway.errors import ConversionError

__all__ = [
    "Classified",
    "Classify",
    "Regress",
    "Table",
    "Transform",
    "key_of",
    "no_converter",
    "two_classes",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Classified:
    """The tensors of a classifier's answer.

    ``index``: (n,) int64, the position of the predicted label in ``classes_``;
    ``probabilities``: (n, classes) or None; ``decision``: (n,) for two classes, else
    (n, classes), or None.
    """

    index: str
    probabilities: str | None = None
    decision: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """Columns on their way through a pipeline: one matrix of numbers, or columns apart.

    ``numbers`` is the matrix (n, columns); when it is None, ``columns`` has one tensor (n, 1)
    for each column, of numbers (float64) or of texts, as ``texts`` tells. ``names`` are the
    columns' names where a step may choose columns by name.
    """

    numbers: str | None = None
    columns: tuple[str, ...] = ()
    texts: tuple[bool, ...] = ()
    names: tuple[str, ...] = ()

    def matrix(self, sheet: Sheet) -> str:
        """All columns as one matrix of numbers."""
        if self.numbers is not None:
            return self.numbers
        if any(self.texts):
            raise ConversionError(
                "A step of the pipeline takes text columns in a way that is not converted",
                "Encode text columns with OneHotEncoder, OrdinalEncoder or TargetEncoder.",
            )
        return sheet.concat(self.columns)

    def column(self, sheet: Sheet, index: int) -> tuple[str, bool]:
        """One column (n, 1), and whether it is text."""
        if self.numbers is not None:
            return sheet.columns(self.numbers, [index]), False
        return self.columns[index], self.texts[index]


Classify = Callable[[Sheet, Any, Table], Classified]
Regress = Callable[[Sheet, Any, Table], str]
Transform = Callable[[Sheet, Any, Table], Table]


def key_of(model: object) -> str:
    """The name under which a converter is registered: "sklearn.SVC".

    Only the exact class counts: a subclass may answer differently.
    """
    kind = type(model)
    return f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}"


def no_converter(model: object, why: str = "") -> ConversionError:
    """The error for a part that cannot be converted."""
    reason = f": {why}" if why else ""
    return ConversionError(
        f"There is no converter for {key_of(model)}{reason}",
        "The model can be served as it is: shipway serve MODEL",
    )


def two_classes(
    sheet: Sheet, raw: str, probability: str | None = None, *, tie: int = 0
) -> Classified:
    """The answer of a two-class model from its raw score (n, 1).

    ``probability`` of the second class, (n, 1), is the score's sigmoid unless given; ``tie`` is
    the class of a score of exactly zero.
    """
    second = probability or sheet.op("Sigmoid", raw)
    flat = sheet.flat(raw)
    chosen = sheet.op("GreaterOrEqual" if tie else "Greater", flat, 0.0)
    return Classified(
        index=sheet.cast(chosen, "INT64"),
        probabilities=sheet.concat([sheet.op("Sub", 1.0, second), second]),
        decision=flat,
    )
