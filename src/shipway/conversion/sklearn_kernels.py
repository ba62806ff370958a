"""scikit-learn's support vector machines, kernel ridge, Gaussian processes, label propagation."""

from __future__ import annotations

from typing import Any

import numpy as np

from shipway.conversion.answer import Classified, no_converter, two_classes
from shipway.conversion.coupling import coupled
from shipway.conversion.dispatch import on_matrix
from shipway.conversion.erf import erf
from shipway.conversion.kernels import gaussian_kernel, named_kernel
from shipway.conversion.sheet import Sheet

__all__ = ["CLASSIFIERS", "REGRESSORS"]

MOST_CLASSES = 30
MIN_PROBABILITY = 1e-7
"""libsvm keeps pairwise probabilities that far from 0 and 1."""


def _dense(matrix: Any) -> Any:
    return np.asarray(matrix.toarray() if hasattr(matrix, "toarray") else matrix, np.float64)


def _svm_kernel(sheet: Sheet, model: Any, x: str) -> str:
    kernel = named_kernel(
        sheet, x, _dense(model.support_vectors_), model.kernel,
        gamma=model._gamma, degree=model.degree, coef0=model.coef0,  # noqa: SLF001
    ) if isinstance(model.kernel, str) else None  # fmt: skip
    if kernel is None:
        raise no_converter(model, f"kernel={model.kernel!r} is not supported")
    return kernel


def _svr(sheet: Sheet, model: Any, x: str) -> str:
    product = sheet.op("MatMul", _svm_kernel(sheet, model, x), _dense(model.dual_coef_).T)
    return sheet.op("Add", product, float(model.intercept_[0]))


def _svc(sheet: Sheet, model: Any, x: str) -> Classified:
    kernel = _svm_kernel(sheet, model, x)
    count = len(model.classes_)
    if count == 2:
        product = sheet.op("MatMul", kernel, _dense(model.dual_coef_).T)
        decision = sheet.op("Add", product, float(model.intercept_[0]))
        # libsvm counts a score of exactly zero for the second class
        found = two_classes(sheet, decision, tie=1)
        pairs = sheet.op("Neg", decision)
        index, flat = found.index, found.decision
    else:
        weights, first, second = _pairs(model)
        product = sheet.op("MatMul", kernel, weights)
        pairs = sheet.op("Add", product, np.asarray(model.intercept_, np.float64)[None])
        won = sheet.cast(sheet.op("Greater", pairs, 0.0), "DOUBLE")
        votes = sheet.op("Add", sheet.op("MatMul", won, first - second), second.sum(axis=0)[None])
        index = sheet.argmax(votes)
        flat = pairs
        if model.decision_function_shape == "ovr":
            flat = _one_against_rest(sheet, pairs, first, second)
            index = sheet.argmax(flat) if model.break_ties else index
    probabilities = None
    if getattr(model, "probability", False) and len(model.probA_):
        probabilities = _platt(sheet, model, pairs, count)
    return Classified(index=index, probabilities=probabilities, decision=flat)


def _pairs(model: Any) -> tuple[Any, Any, Any]:
    """The weights (support vectors, pairs), and which class is first and second in each pair."""
    coef = _dense(model.dual_coef_)
    ends = np.cumsum(model.n_support_)
    of_class = [slice(end - size, end) for end, size in zip(ends, model.n_support_, strict=True)]
    count = len(model.classes_)
    pairs = [(i, j) for i in range(count) for j in range(i + 1, count)]
    weights = np.zeros((coef.shape[1], len(pairs)))
    for number, (i, j) in enumerate(pairs):
        weights[of_class[i], number] = coef[j - 1, of_class[i]]
        weights[of_class[j], number] = coef[i, of_class[j]]
    one = np.eye(count)
    return weights, one[[i for i, _ in pairs]], one[[j for _, j in pairs]]


def _one_against_rest(sheet: Sheet, pairs: str, first: Any, second: Any) -> str:
    """``sklearn.utils.multiclass._ovr_decision_function``."""
    lost = sheet.cast(sheet.op("Less", pairs, 0.0), "DOUBLE")
    votes = sheet.op("Add", sheet.op("MatMul", lost, second - first), first.sum(axis=0)[None])
    total = sheet.op("MatMul", pairs, first - second)
    damped = sheet.op("Mul", sheet.op("Add", sheet.op("Abs", total), 1.0), 3.0)
    return sheet.op("Add", votes, sheet.op("Div", total, damped))


def _platt(sheet: Sheet, model: Any, pairs: str, count: int) -> str:
    """Libsvm's probabilities: a sigmoid per pair, then coupled (Wu, Lin and Weng, 2004)."""
    if count > MOST_CLASSES:
        raise no_converter(model, f"probabilities of {count} classes are not supported")
    scaled = sheet.op("Mul", pairs, -np.asarray(model.probA_, np.float64)[None])
    sigmoid = sheet.op("Sigmoid", sheet.op("Sub", scaled, np.asarray(model.probB_)[None]))
    kept = sheet.op("Max", sheet.op("Min", sigmoid, 1 - MIN_PROBABILITY), MIN_PROBABILITY)
    return coupled(sheet, kept, count)


def _kernel_ridge(sheet: Sheet, model: Any, x: str) -> str:
    points = _dense(model.X_fit_)
    gamma = 1.0 / points.shape[1] if model.gamma is None else float(model.gamma)
    kernel = named_kernel(
        sheet, x, points, model.kernel, gamma=gamma, degree=model.degree, coef0=model.coef0
    ) if isinstance(model.kernel, str) else None  # fmt: skip
    if kernel is None or model.kernel_params:
        raise no_converter(model, f"kernel={model.kernel!r} is not supported")
    coef = np.asarray(model.dual_coef_, np.float64).reshape(len(points), -1)
    return sheet.op("MatMul", kernel, coef)


def _gaussian_process(sheet: Sheet, model: Any, x: str) -> str:
    if not hasattr(model, "X_train_"):
        raise no_converter(model, "it was not fitted")
    kernel = gaussian_kernel(sheet, model.kernel_, x, np.asarray(model.X_train_, np.float64))
    alpha = np.asarray(model.alpha_, np.float64).reshape(len(model.X_train_), -1)
    scaled = sheet.op("Mul", sheet.op("MatMul", kernel, alpha), np.atleast_2d(model._y_train_std))  # noqa: SLF001
    return sheet.op("Add", scaled, np.atleast_2d(model._y_train_mean))  # noqa: SLF001


LAMBDAS = np.array([0.41, 0.4, 0.37, 0.44, 0.39])
COEFS = np.array([-1854.8214151, 3516.89893646, 221.29346712, 128.12323805, -2010.49422654])
"""The integral of a logistic against a Gaussian (Williams and Barber, 1998), as scikit-learn."""


def _binary_process(sheet: Sheet, model: Any, x: str) -> Classified:
    points = np.asarray(model.X_train_, np.float64)
    kernel = gaussian_kernel(sheet, model.kernel_, x, points)
    mean = sheet.op("MatMul", kernel, (model.y_train_ - model.pi_).reshape(-1, 1))
    flat = sheet.flat(mean)
    index = sheet.cast(sheet.op("Greater", flat, 0.0), "INT64")
    spread = np.linalg.solve(model.L_, np.diag(np.asarray(model.W_sr_, np.float64)))
    v = sheet.op("MatMul", kernel, np.ascontiguousarray(spread.T))
    explained = sheet.reduce("ReduceSum", sheet.op("Mul", v, v), 1, keep=True)
    variance = sheet.op("Sub", _own_variance(model.kernel_, points), explained)
    alpha = sheet.op("Div", 0.5, variance)
    root = sheet.op("Sqrt", sheet.op("Div", alpha, sheet.op("Add", alpha, (LAMBDAS**2)[None])))
    inner = erf(sheet, sheet.op("Mul", sheet.op("Mul", mean, LAMBDAS[None]), root))
    # sqrt(pi / alpha) / (2 sqrt(2 pi variance)) is one half: alpha is 1 / (2 variance)
    terms = sheet.op("Mul", inner, 0.5 * COEFS[None])
    second = sheet.op("Add", sheet.reduce("ReduceSum", terms, 1, keep=True), 0.5 * COEFS.sum())
    probabilities = sheet.concat([sheet.op("Sub", 1.0, second), second])
    return Classified(index=index, probabilities=probabilities)


def _own_variance(kernel: Any, points: Any) -> float:
    diagonal = kernel.diag(points)
    if not np.allclose(diagonal, diagonal[0], rtol=1e-15, atol=0):
        raise no_converter(kernel, "its variance differs from row to row")
    return float(diagonal[0])


def _process_classifier(sheet: Sheet, model: Any, x: str) -> Classified:
    from shipway.conversion.answer import Table
    from shipway.conversion.dispatch import classify

    return classify(sheet, model.base_estimator_, Table(x))


def _propagated(sheet: Sheet, model: Any, x: str) -> Classified:
    if model.kernel != "rbf":
        raise no_converter(model, f"kernel={model.kernel!r} is not supported")
    points = _dense(model.X_)
    kernel = named_kernel(sheet, x, points, "rbf", gamma=model.gamma, degree=0, coef0=0)
    total = sheet.op("MatMul", kernel or x, np.asarray(model.label_distributions_, np.float64))
    share = sheet.op("Div", total, sheet.reduce("ReduceSum", total, 1, keep=True))
    return Classified(index=sheet.argmax(share), probabilities=share)


CLASSIFIERS = {
    "sklearn.GaussianProcessClassifier": on_matrix(_process_classifier),
    "sklearn._BinaryGaussianProcessClassifierLaplace": on_matrix(_binary_process),
    "sklearn.LabelPropagation": on_matrix(_propagated),
    "sklearn.LabelSpreading": on_matrix(_propagated),
    "sklearn.NuSVC": on_matrix(_svc),
    "sklearn.SVC": on_matrix(_svc),
}
REGRESSORS = {
    "sklearn.GaussianProcessRegressor": on_matrix(_gaussian_process),
    "sklearn.KernelRidge": on_matrix(_kernel_ridge),
    "sklearn.NuSVR": on_matrix(_svr),
    "sklearn.SVR": on_matrix(_svr),
}
