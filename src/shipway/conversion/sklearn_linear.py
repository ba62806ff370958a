"""scikit-learn's linear models and the multilayer perceptron: matrix products in float64."""

from __future__ import annotations

from typing import Any

import numpy as np

from shipway.conversion.answer import Classified, no_converter, two_classes
from shipway.conversion.dispatch import on_matrix
from shipway.conversion.sheet import Sheet

__all__ = ["CLASSIFIERS", "REGRESSORS", "normalised"]


def _scores(sheet: Sheet, model: Any, x: str) -> str:
    """``x @ coef.T + intercept``, (n, outputs)."""
    coef = np.atleast_2d(np.asarray(model.coef_, np.float64))
    intercept = np.broadcast_to(np.asarray(model.intercept_, np.float64).ravel(), len(coef))
    return sheet.op("Add", sheet.op("MatMul", x, coef.T), intercept.reshape(1, -1))


def normalised(sheet: Sheet, values: str, count: int) -> str:
    """Rows divided by their sums; equal shares where a sum is zero."""
    total = sheet.reduce("ReduceSum", values, 1, keep=True)
    empty = sheet.op("Equal", total, 0.0)
    shares = sheet.op("Div", values, sheet.op("Where", empty, 1.0, total))
    return sheet.op("Where", empty, 1.0 / count, shares)


def _decided(sheet: Sheet, scores: str, width: int) -> Classified:
    """The class of the largest score, or of the single score's sign; no probabilities."""
    if width == 1:
        flat = sheet.flat(scores)
        index = sheet.cast(sheet.op("Greater", flat, 0.0), "INT64")
        return Classified(index=index, decision=flat)
    return Classified(index=sheet.argmax(scores), decision=scores)


def _without_probabilities(sheet: Sheet, model: Any, x: str) -> Classified:
    return _decided(sheet, _scores(sheet, model, x), len(np.atleast_2d(model.coef_)))


def _softmax(sheet: Sheet, model: Any, x: str) -> Classified:
    scores = _scores(sheet, model, x)
    if len(model.classes_) == 2:
        return two_classes(sheet, scores)
    probabilities = sheet.op("Softmax", scores, axis=1)
    return Classified(index=sheet.argmax(scores), probabilities=probabilities, decision=scores)


def _logistic(sheet: Sheet, model: Any, x: str) -> Classified:
    if getattr(model, "multi_class", "auto") not in ("auto", "deprecated", "multinomial"):
        raise no_converter(model, f"multi_class={model.multi_class!r} is not supported")
    if len(model.classes_) > 2 and model.solver == "liblinear":
        return _one_against_rest(sheet, _scores(sheet, model, x), len(model.classes_))
    if len(model.classes_) == 2 and getattr(model, "multi_class", "auto") == "multinomial":
        raise no_converter(model, "multi_class='multinomial' with two classes is not supported")
    return _softmax(sheet, model, x)


def _one_against_rest(sheet: Sheet, scores: str, width: int) -> Classified:
    if width == 2:
        return two_classes(sheet, scores)
    probabilities = normalised(sheet, sheet.op("Sigmoid", scores), width)
    return Classified(index=sheet.argmax(scores), probabilities=probabilities, decision=scores)


def _sgd(sheet: Sheet, model: Any, x: str) -> Classified:
    scores, width = _scores(sheet, model, x), len(model.classes_)
    if model.loss == "log_loss":
        return _one_against_rest(sheet, scores, width)
    if model.loss != "modified_huber":
        return _decided(sheet, scores, len(model.coef_))
    clipped = sheet.op("Max", sheet.op("Min", scores, 1.0), -1.0)
    shares = sheet.op("Div", sheet.op("Add", clipped, 1.0), 2.0)
    if width == 2:
        return two_classes(sheet, scores, shares)
    return Classified(
        index=sheet.argmax(scores),
        probabilities=normalised(sheet, shares, width),
        decision=scores,
    )


def _regression(sheet: Sheet, model: Any, x: str) -> str:
    return _scores(sheet, model, x)


def _log_link(sheet: Sheet, model: Any, x: str) -> str:
    return sheet.op("Exp", _scores(sheet, model, x))


def _tweedie(sheet: Sheet, model: Any, x: str) -> str:
    log = model.link == "log" or (model.link == "auto" and model.power > 0)
    return (_log_link if log else _regression)(sheet, model, x)


ACTIVATIONS = {"relu": "Relu", "tanh": "Tanh", "logistic": "Sigmoid"}


def _layers(sheet: Sheet, model: Any, x: str) -> str:
    for number, (weights, bias) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        product = sheet.op("MatMul", x, np.asarray(weights, np.float64))
        x = sheet.op("Add", product, np.asarray(bias, np.float64).reshape(1, -1))
        if number < len(model.coefs_) - 1 and model.activation != "identity":
            x = sheet.op(ACTIVATIONS[model.activation], x)
    return x


def _mlp_classifier(sheet: Sheet, model: Any, x: str) -> Classified:
    scores = _layers(sheet, model, x)
    if model.out_activation_ == "softmax":
        probabilities = sheet.op("Softmax", scores, axis=1)
        return Classified(index=sheet.argmax(probabilities), probabilities=probabilities)
    if model._label_binarizer.y_type_ != "binary":  # noqa: SLF001
        raise no_converter(model, "it has several outputs")
    second = sheet.op("Sigmoid", scores)
    index = sheet.cast(sheet.op("Greater", sheet.flat(second), 0.5), "INT64")
    probabilities = sheet.concat([sheet.op("Sub", 1.0, second), second])
    return Classified(index=index, probabilities=probabilities)


def _mlp_regressor(sheet: Sheet, model: Any, x: str) -> str:
    scores = _layers(sheet, model, x)
    return sheet.op("Exp", scores) if model.out_activation_ == "exp" else scores


CLASSIFIERS = {
    "sklearn.LinearDiscriminantAnalysis": on_matrix(_softmax),
    "sklearn.LinearSVC": on_matrix(_without_probabilities),
    "sklearn.LogisticRegression": on_matrix(_logistic),
    "sklearn.LogisticRegressionCV": on_matrix(_logistic),
    "sklearn.MLPClassifier": on_matrix(_mlp_classifier),
    "sklearn.PassiveAggressiveClassifier": on_matrix(_without_probabilities),
    "sklearn.Perceptron": on_matrix(_without_probabilities),
    "sklearn.RidgeClassifier": on_matrix(_without_probabilities),
    "sklearn.RidgeClassifierCV": on_matrix(_without_probabilities),
    "sklearn.SGDClassifier": on_matrix(_sgd),
}
PLAIN = (
    "ARDRegression BayesianRidge ElasticNet ElasticNetCV HuberRegressor Lars LarsCV Lasso LassoCV "
    "LassoLars LassoLarsCV LassoLarsIC LinearRegression LinearSVR MultiTaskElasticNet "
    "MultiTaskElasticNetCV MultiTaskLasso MultiTaskLassoCV OrthogonalMatchingPursuit "
    "OrthogonalMatchingPursuitCV PassiveAggressiveRegressor QuantileRegressor Ridge RidgeCV "
    "SGDRegressor TheilSenRegressor"
)
REGRESSORS = {
    **{f"sklearn.{name}": on_matrix(_regression) for name in PLAIN.split()},
    "sklearn.GammaRegressor": on_matrix(_log_link),
    "sklearn.MLPRegressor": on_matrix(_mlp_regressor),
    "sklearn.PoissonRegressor": on_matrix(_log_link),
    "sklearn.TweedieRegressor": on_matrix(_tweedie),
}
