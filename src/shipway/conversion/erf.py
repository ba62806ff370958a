"""The error function in float64: ONNX Runtime's own operator knows only float32.

Rational approximations of W. J. Cody, "Rational Chebyshev approximations for the error
function", Mathematics of Computation 23 (1969): relative error below 1e-15 in three ranges.
"""

from __future__ import annotations

from collections.abc import Sequence

from shipway.conversion.sheet import Sheet

__all__ = ["erf"]

NEAR = (
    (3.16112374387056560e00, 1.13864154151050156e02, 3.77485237685302021e02,
     3.20937758913846947e03, 1.85777706184603153e-1),
    (2.36012909523441209e01, 2.44024637934444173e02, 1.28261652607737228e03,
     2.84423683343917062e03),
)  # fmt: skip
MIDDLE = (
    (5.64188496988670089e-1, 8.88314979438837594e00, 6.61191906371416295e01,
     2.98635138197400131e02, 8.81952221241769090e02, 1.71204761263407058e03,
     2.05107837782607147e03, 1.23033935479799725e03, 2.15311535474403846e-8),
    (1.57449261107098347e01, 1.17693950891312499e02, 5.37181101862009858e02,
     1.62138957456669019e03, 3.29079923573345963e03, 4.36261909014324716e03,
     3.43936767414372164e03, 1.23033935480374942e03),
)  # fmt: skip
FAR = (
    (3.05326634961232344e-1, 3.60344899949804439e-1, 1.25781726111229246e-1,
     1.60837851487422766e-2, 6.58749161529837803e-4, 1.63153871373020978e-2),
    (2.56852019228982242e00, 1.87295284992346725e00, 5.27905102951428412e-1,
     6.05183413124413191e-2, 2.33520497626869185e-3),
)  # fmt: skip
ROOT = 0.56418958354775628695
"""1 / sqrt(pi)"""


def erf(sheet: Sheet, x: str) -> str:
    """Element by element."""
    y = sheet.op("Abs", x)
    square = sheet.op("Mul", x, x)
    near = sheet.op("Mul", x, _ratio(sheet, sheet.op("Min", square, 1.0), *NEAR))
    decay = sheet.op("Exp", sheet.op("Neg", square))
    middle = sheet.op("Mul", decay, _ratio(sheet, sheet.op("Min", y, 5.0), *MIDDLE))
    safe = sheet.op("Max", y, 1.0)
    inverse = sheet.op("Div", 1.0, sheet.op("Mul", safe, safe))
    tail = sheet.op("Sub", ROOT, sheet.op("Mul", inverse, _ratio(sheet, inverse, *FAR)))
    far = sheet.op("Mul", decay, sheet.op("Div", tail, safe))
    rest = sheet.op("Where", sheet.op("LessOrEqual", y, 4.0), middle, far)
    outer = sheet.op("Mul", sheet.op("Sign", x), sheet.op("Sub", 1.0, rest))
    return sheet.op("Where", sheet.op("LessOrEqual", y, 0.46875), near, outer)


def _ratio(sheet: Sheet, x: str, above: Sequence[float], below: Sequence[float]) -> str:
    """Cody's scheme: the last coefficient above leads, one leads below."""
    top = sheet.op("Mul", x, above[-1])
    bottom = x
    for a, b in zip(above[: len(below) - 1], below[:-1], strict=True):
        top = sheet.op("Mul", sheet.op("Add", top, a), x)
        bottom = sheet.op("Mul", sheet.op("Add", bottom, b), x)
    last = sheet.op("Add", top, above[len(below) - 1])
    return sheet.op("Div", last, sheet.op("Add", bottom, below[-1]))
