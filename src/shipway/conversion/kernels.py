"""Kernels and distances between rows and fixed points, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from shipway.conversion.answer import no_converter
from shipway.conversion.sheet import Sheet

__all__ = ["gaussian_kernel", "named_kernel", "squared_distances"]

Points = npt.NDArray[np.float64]
DIRECT = 1024
"""Up to so many coordinates, differences are taken one by one."""
DIRECT_EXACT = 65536
"""The same where distances are compared: they are exact where points meet, and tie as they do."""


def squared_distances(sheet: Sheet, x: str, points: Points, *, exact: bool = False) -> str:
    """Squared Euclidean distances, (n, points)."""
    if points.size <= (DIRECT_EXACT if exact else DIRECT):
        away = sheet.op("Sub", sheet.op("Unsqueeze", x, np.array([1])), points[None])
        return sheet.reduce("ReduceSum", sheet.op("Mul", away, away), 2)
    own = sheet.reduce("ReduceSum", sheet.op("Mul", x, x), 1, keep=True)
    cross = sheet.op("MatMul", x, np.ascontiguousarray(-2.0 * points.T))
    total = sheet.op("Add", sheet.op("Add", own, cross), (points**2).sum(axis=1)[None])
    return sheet.op("Max", total, 0.0)


def _product(sheet: Sheet, x: str, points: Points) -> str:
    return sheet.op("MatMul", x, np.ascontiguousarray(points.T))


def named_kernel(
    sheet: Sheet, x: str, points: Points, name: str, *, gamma: float, degree: float, coef0: float
) -> str | None:
    """The kernels that scikit-learn and libsvm know by name, (n, points); None: not one."""
    if name == "linear":
        return _product(sheet, x, points)
    if name == "rbf":
        return sheet.op("Exp", sheet.op("Mul", squared_distances(sheet, x, points), -float(gamma)))
    if name == "laplacian":
        away = sheet.op("Sub", sheet.op("Unsqueeze", x, np.array([1])), points[None])
        total = sheet.reduce("ReduceSum", sheet.op("Abs", away), 2)
        return sheet.op("Exp", sheet.op("Mul", total, -float(gamma)))
    if name in ("poly", "polynomial", "sigmoid"):
        scaled = sheet.op("Mul", _product(sheet, x, points), float(gamma))
        moved = sheet.op("Add", scaled, float(coef0))
        if name == "sigmoid":
            return sheet.op("Tanh", moved)
        return sheet.op("Pow", moved, float(degree))
    return None


def gaussian_kernel(sheet: Sheet, kernel: Any, x: str, points: Points) -> str:
    """A kernel object of ``sklearn.gaussian_process.kernels``, (n, points)."""
    kind = type(kernel).__name__
    if kind in ("Product", "Sum"):
        first = gaussian_kernel(sheet, kernel.k1, x, points)
        second = gaussian_kernel(sheet, kernel.k2, x, points)
        return sheet.op("Mul" if kind == "Product" else "Add", first, second)
    if kind == "Exponentiation":
        inner = gaussian_kernel(sheet, kernel.kernel, x, points)
        return sheet.op("Pow", inner, float(kernel.exponent))
    if kind in ("ConstantKernel", "WhiteKernel"):
        value = float(kernel.constant_value) if kind == "ConstantKernel" else 0.0
        zeros = sheet.op("Mul", sheet.reduce("ReduceSum", x, 1, keep=True), 0.0)
        return sheet.op("Add", zeros, np.full((1, len(points)), value))
    if kind == "DotProduct":
        return sheet.op("Add", _product(sheet, x, points), float(kernel.sigma_0) ** 2)
    if kind in ("RBF", "Matern", "RationalQuadratic"):
        scale = np.atleast_1d(np.asarray(kernel.length_scale, np.float64))
        return _stationary(sheet, kernel, kind, sheet.op("Div", x, scale[None]), points / scale)
    raise no_converter(kernel)


def _stationary(sheet: Sheet, kernel: Any, kind: str, x: str, points: Points) -> str:
    # scikit-learn takes differences here: no infinity minus infinity far away.
    squared = squared_distances(sheet, x, points, exact=True)
    if kind == "RationalQuadratic":
        base = sheet.op("Add", sheet.op("Div", squared, 2.0 * float(kernel.alpha)), 1.0)
        return sheet.op("Pow", base, -float(kernel.alpha))
    if kind == "RBF" or kernel.nu == np.inf:
        return sheet.op("Exp", sheet.op("Mul", squared, -0.5))
    distance = sheet.op("Sqrt", squared)
    if kernel.nu == 0.5:
        return sheet.op("Exp", sheet.op("Neg", distance))
    if kernel.nu not in (1.5, 2.5):
        raise no_converter(kernel, f"nu={kernel.nu} is not supported")
    scaled = sheet.op("Mul", distance, float(np.sqrt(2 * kernel.nu)))
    front = sheet.op("Add", scaled, 1.0)
    if kernel.nu == 2.5:
        front = sheet.op("Add", front, sheet.op("Div", sheet.op("Mul", scaled, scaled), 3.0))
    return sheet.op("Mul", front, sheet.op("Exp", sheet.op("Neg", scaled)))
