"""scikit-learn's estimators made of estimators: voting, stacking, calibration, search."""

from __future__ import annotations

from typing import Any

import numpy as np

from shipway.conversion.answer import Classified, Table, no_converter
from shipway.conversion.dispatch import classify, is_classifier, regress
from shipway.conversion.sheet import Sheet
from shipway.conversion.sklearn_linear import normalised

__all__ = ["CLASSIFIERS", "REGRESSORS"]


def _average(sheet: Sheet, parts: list[str], weights: Any) -> str:
    """``numpy.average`` of matrices of one shape."""
    factors = np.ones(len(parts)) if weights is None else np.asarray(weights, np.float64)
    total, *rest = [
        part if factor == 1.0 else sheet.op("Mul", part, float(factor))
        for part, factor in zip(parts, factors, strict=True)
    ]
    for part in rest:
        total = sheet.op("Add", total, part)
    return sheet.op("Div", total, float(factors.sum()))


def _probabilities(sheet: Sheet, model: Any, table: Table) -> str:
    found = classify(sheet, model, table).probabilities
    if found is None:
        raise no_converter(model, "it gives no probabilities")
    return found


def _voting_classifier(sheet: Sheet, model: Any, table: Table) -> Classified:
    weights = model._weights_not_none  # noqa: SLF001
    if model.voting == "soft":
        parts = [_probabilities(sheet, one, table) for one in model.estimators_]
        average = _average(sheet, parts, weights)
        return Classified(index=sheet.argmax(average), probabilities=average)
    count = len(model.classes_)
    votes = [
        sheet.op("Gather", np.eye(count)[np.asarray(one.classes_, int)], found.index)
        for one in model.estimators_
        for found in [classify(sheet, one, table)]
    ]
    return Classified(index=sheet.argmax(_average(sheet, votes, weights)))


def _voting_regressor(sheet: Sheet, model: Any, table: Table) -> str:
    parts = [regress(sheet, one, table) for one in model.estimators_]
    return _average(sheet, parts, model._weights_not_none)  # noqa: SLF001


def _stacked(sheet: Sheet, model: Any, table: Table) -> Table:
    parts = []
    for one, method in zip(model.estimators_, model.stack_method_, strict=True):
        if one == "drop":
            continue
        if not is_classifier(one):
            parts.append(regress(sheet, one, table))
            continue
        found = classify(sheet, one, table)
        if method == "predict_proba" and found.probabilities is not None:
            two = len(one.classes_) == 2
            parts.append(sheet.columns(found.probabilities, [1]) if two else found.probabilities)
        elif method == "decision_function" and found.decision is not None:
            width = 1 if len(one.classes_) == 2 else len(one.classes_)
            parts.append(sheet.op("Reshape", found.decision, np.array([-1, width])))
        else:
            labels = np.asarray(one.classes_, np.float64).reshape(-1, 1)
            parts.append(sheet.op("Gather", labels, found.index))
    if model.passthrough:
        parts.append(table.matrix(sheet))
    return Table(sheet.concat(parts))


def _stacking_classifier(sheet: Sheet, model: Any, table: Table) -> Classified:
    if isinstance(model._label_encoder, list):  # noqa: SLF001
        raise no_converter(model, "it has several outputs")
    return classify(sheet, model.final_estimator_, _stacked(sheet, model, table))


def _stacking_regressor(sheet: Sheet, model: Any, table: Table) -> str:
    return regress(sheet, model.final_estimator_, _stacked(sheet, model, table))


def _calibrated(sheet: Sheet, model: Any, table: Table) -> Classified:
    parts = [_calibrated_one(sheet, one, table) for one in model.calibrated_classifiers_]
    average = _average(sheet, parts, None)
    return Classified(index=sheet.argmax(average), probabilities=average)


def _calibrated_one(sheet: Sheet, model: Any, table: Table) -> str:
    count = len(model.classes)
    if model.method not in ("sigmoid", "isotonic") or len(model.estimator.classes_) != count:
        raise no_converter(model, f"method={model.method!r} is not supported")
    found = classify(sheet, model.estimator, table)
    width = 1 if count == 2 else count
    if hasattr(model.estimator, "decision_function") and found.decision is not None:
        scores = sheet.op("Reshape", found.decision, np.array([-1, width]))
    elif found.probabilities is not None and not hasattr(model.estimator, "decision_function"):
        two = count == 2
        scores = sheet.columns(found.probabilities, [1]) if two else found.probabilities
    else:
        raise no_converter(model.estimator, "its decision function is not converted")
    columns = [
        _calibrator(sheet, calibrator, sheet.columns(scores, [number]))
        for number, calibrator in enumerate(model.calibrators)
    ]
    if count == 2:
        return sheet.concat([sheet.op("Sub", 1.0, columns[0]), columns[0]])
    return normalised(sheet, sheet.concat(columns), count)


def _calibrator(sheet: Sheet, calibrator: Any, scores: str) -> str:
    if type(calibrator).__name__ == "IsotonicRegression":
        return _isotonic(sheet, calibrator, scores)
    scaled = sheet.op("Add", sheet.op("Mul", scores, float(calibrator.a_)), float(calibrator.b_))
    return sheet.op("Sigmoid", sheet.op("Neg", scaled))


def _isotonic(sheet: Sheet, model: Any, column: str) -> str:
    """Linear between the thresholds, level beyond them."""
    if model.out_of_bounds != "clip":
        raise no_converter(model, f"out_of_bounds={model.out_of_bounds!r} is not supported")
    x = np.asarray(model.X_thresholds_, np.float64)
    y = np.asarray(model.y_thresholds_, np.float64)
    if len(x) == 1:
        return sheet.op("Add", sheet.op("Mul", column, 0.0), float(y[0]))
    value = sheet.op("Min", sheet.op("Max", column, float(x[0])), float(x[-1]))
    passed = sheet.cast(sheet.op("Greater", value, x[None, 1:-1]), "INT64")
    place = sheet.reduce("ReduceSum", passed, 1, keep=True) if len(x) > 2 else None
    low = place or sheet.cast(sheet.op("Mul", value, 0.0), "INT64")
    slope = np.diff(y) / np.diff(x)
    rise = sheet.op(
        "Mul",
        sheet.op("Gather", slope, low),
        sheet.op("Sub", value, sheet.op("Gather", x[:-1], low)),
    )
    return sheet.op("Add", rise, sheet.op("Gather", y[:-1], low))


def _one_vs_rest(sheet: Sheet, model: Any, table: Table) -> Classified:
    if model.multilabel_:
        raise no_converter(model, "it gives several labels to a row")
    scores, shares = [], []
    for one in model.estimators_:
        if not is_classifier(one):
            raise no_converter(one, "one of the parts is no classifier")
        found = classify(sheet, one, table)
        second = found.probabilities and sheet.columns(found.probabilities, [1])
        if hasattr(one, "decision_function") and found.decision is not None:
            scores.append(sheet.op("Reshape", found.decision, np.array([-1, 1])))
        elif second and not hasattr(one, "decision_function"):
            scores.append(second)
        else:
            raise no_converter(one, "its decision function is not converted")
        if second:
            shares.append(second)
    probabilities = None
    if len(shares) == len(scores) > 1:
        probabilities = _shares(sheet, sheet.concat(shares))
    elif shares:
        probabilities = sheet.concat([sheet.op("Sub", 1.0, shares[0]), shares[0]])
    if len(scores) == 1:
        limit = 0.0 if hasattr(model.estimators_[0], "decision_function") else 0.5
        chosen = sheet.cast(sheet.op("Greater", sheet.flat(scores[0]), limit), "INT64")
        return Classified(index=chosen, probabilities=probabilities)
    index = sheet.argmax(sheet.concat(scores))
    return Classified(index=index, probabilities=probabilities, decision=sheet.concat(scores))


def _one_vs_one(sheet: Sheet, model: Any, table: Table) -> Classified:
    """``sklearn.utils.multiclass._ovr_decision_function`` of the pairs' answers."""
    count = len(model.classes_)
    if count < 3 or model.pairwise_indices_ is not None:
        raise no_converter(model, "two classes, or a precomputed kernel, are not supported")
    pairs = [(i, j) for i in range(count) for j in range(i + 1, count)]
    said, sure = [], []
    for one in model.estimators_:
        found = classify(sheet, one, table)
        said.append(sheet.op("Reshape", sheet.cast(found.index, "DOUBLE"), np.array([-1, 1])))
        if hasattr(one, "decision_function") and found.decision is not None:
            sure.append(sheet.op("Reshape", found.decision, np.array([-1, 1])))
        elif found.probabilities is not None and not hasattr(one, "decision_function"):
            sure.append(sheet.columns(found.probabilities, [1]))
        else:
            raise no_converter(one, "its decision function is not converted")
    one = np.eye(count)
    swap = one[[j for _, j in pairs]] - one[[i for i, _ in pairs]]
    first = one[[i for i, _ in pairs]].sum(axis=0)[None]
    votes = sheet.op("Add", sheet.op("MatMul", sheet.concat(said), swap), first)
    total = sheet.op("MatMul", sheet.concat(sure), swap)
    damped = sheet.op("Mul", sheet.op("Add", sheet.op("Abs", total), 1.0), 3.0)
    decision = sheet.op("Add", votes, sheet.op("Div", total, damped))
    return Classified(index=sheet.argmax(decision), decision=decision)


def _shares(sheet: Sheet, values: str) -> str:
    total = sheet.reduce("ReduceSum", values, 1, keep=True)
    return sheet.op("Div", values, sheet.op("Where", sheet.op("Equal", total, 0.0), 1.0, total))


def _best_classifier(sheet: Sheet, model: Any, table: Table) -> Classified:
    return classify(sheet, model.best_estimator_, table)


def _best_regressor(sheet: Sheet, model: Any, table: Table) -> str:
    return regress(sheet, model.best_estimator_, table)


def _inner_classifier(sheet: Sheet, model: Any, table: Table) -> Classified:
    return classify(sheet, model.estimator_, table)


def _inner_regressor(sheet: Sheet, model: Any, table: Table) -> str:
    return regress(sheet, model.estimator_, table)


def _several(sheet: Sheet, model: Any, table: Table) -> str:
    return sheet.concat([regress(sheet, one, table) for one in model.estimators_])


SEARCHES = "GridSearchCV RandomizedSearchCV HalvingGridSearchCV HalvingRandomSearchCV"
CLASSIFIERS = {
    **{f"sklearn.{name}": _best_classifier for name in SEARCHES.split()},
    "sklearn.CalibratedClassifierCV": _calibrated,
    "sklearn.OneVsOneClassifier": _one_vs_one,
    "sklearn.OneVsRestClassifier": _one_vs_rest,
    "sklearn.SelfTrainingClassifier": _inner_classifier,
    "sklearn.StackingClassifier": _stacking_classifier,
    "sklearn.VotingClassifier": _voting_classifier,
}
REGRESSORS = {
    **{f"sklearn.{name}": _best_regressor for name in SEARCHES.split()},
    "sklearn.MultiOutputRegressor": _several,
    "sklearn.RANSACRegressor": _inner_regressor,
    "sklearn.StackingRegressor": _stacking_regressor,
    "sklearn.VotingRegressor": _voting_regressor,
}
