"""Estimators and pipelines of scikit-learn, and others with its interface."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from shipway.errors import UnsupportedModelError
from shipway.model.signature import Feature, Outputs, Rows, Signature
from shipway.runtimes.asking import asking
from shipway.runtimes.columns import column_count, column_facts, with_facts
from shipway.runtimes.draft import Answer, Draft, Loaded, Task, plain_features
from shipway.runtimes.frames import frame_maker
from shipway.runtimes.outputs import labels
from shipway.runtimes.packages import installed
from shipway.runtimes.threads import ThreadLimit, parts, tame

__all__ = ["wrap"]

OWN_NAMES = ("sklearn.", "xgboost.", "lightgbm.", "catboost.")
"""Libraries whose estimators take an array as well as the frame they were trained on."""


def wrap(model: Any, *, threads: int) -> Loaded:
    """The model behind an object with ``predict``.

    Raises:
        shipway.errors.UnsupportedModelError: it has no ``predict``, or was never fitted.
    """
    _check(model)
    tame(model, threads)
    draft = _draft(model)
    by_name = _needs_frame(model)
    if not by_name and not any(map(_gives_frames, parts(model))):
        _forget_names(model)
    return Loaded(
        framework="scikit-learn",
        installed=installed("sklearn"),
        draft=draft,
        bind=lambda signature: _bind(model, signature, threads, by_name=by_name),
    )


def _check(model: Any) -> None:
    kind = type(model).__name__
    if not callable(getattr(model, "predict", None)):
        if hasattr(model, "transform"):
            raise UnsupportedModelError(
                f"The file holds a {kind}, which only transforms: it has no predict method",
                "Save the whole pipeline, with the estimator at its end.",
            )
        hint = "Save the fitted estimator or pipeline itself."
        if isinstance(model, dict):
            inside = [str(key) for key, value in model.items() if hasattr(value, "predict")]
            hint += f" One is under the key {inside[0]!r}." if inside else ""
        raise UnsupportedModelError(f"The file holds a {kind}, not a model with predict", hint)
    from sklearn.base import BaseEstimator
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    if isinstance(model, BaseEstimator):
        try:
            check_is_fitted(model)
        except NotFittedError as exc:
            raise UnsupportedModelError(
                f"The {kind} in the file is not fitted", "Save it after calling fit."
            ) from exc


def _draft(model: Any) -> Draft:
    task = _task(model)
    features, named = _features(model)
    missing: Literal["together", "by column"] = "together"
    if any(hasattr(part, "transformers_") or _is_categorical(part) for part in parts(model)):
        missing = "by column"
    classes = getattr(model, "classes_", None) if task == "classifier" else None
    if isinstance(classes, list) and classes and isinstance(classes[0], np.ndarray):
        classes = None  # one array of labels per output
    return Draft(
        task=task,
        features=features,
        named=named,
        classes=None if classes is None else labels(classes),
        confidence=task == "classifier" and hasattr(model, "predict_proba"),
        missing=missing,
    )


def _is_categorical(part: Any) -> bool:
    return getattr(part, "_preprocessor", None) is not None


def _task(model: Any) -> Task:
    from sklearn.base import BaseEstimator, is_classifier

    if isinstance(model, BaseEstimator):
        return "classifier" if is_classifier(model) else "regressor"
    return "classifier" if hasattr(model, "classes_") else "regressor"


def _features(model: Any) -> tuple[tuple[Feature, ...] | None, bool]:
    count = column_count(model)
    if count is None:
        return ((Feature("text", "string"),), True) if _reads_documents(model) else (None, False)
    names = getattr(model, "feature_names_in_", None)
    named = names is not None and len(names) == count
    features = plain_features(count, list(map(str, names)) if names is not None else None)
    return with_facts(features, column_facts(model, count)), named


def _reads_documents(model: Any) -> bool:
    """Whether a text vectoriser is the first thing that sees the input."""
    for name in ("best_estimator_", "estimator_", "estimator"):
        model = getattr(model, name, model)
    steps = getattr(model, "steps", None)
    while isinstance(steps, list) and steps:
        model = steps[0][1]
        steps = getattr(model, "steps", getattr(model, "transformer_list", None))
    return hasattr(model, "build_analyzer")


def _needs_frame(model: Any) -> bool:
    """Whether some part asks for columns by name: an array has none."""
    if getattr(model, "feature_names_in_", None) is None:
        return False
    return any(_asks_for_names(part) for part in parts(model))


def _asks_for_names(part: Any) -> bool:
    if type(part).__name__ == "FunctionTransformer" or _is_categorical(part):
        return True
    if _gives_frames(part):
        return True
    if any(_by_name(columns) for _, _, columns in getattr(part, "transformers_", ())):
        return True
    return not type(part).__module__.startswith(OWN_NAMES)


def _gives_frames(part: Any) -> bool:
    """Whether ``set_output`` made a part hand frames to the next, whatever it was given itself."""
    output = getattr(part, "_sklearn_output_config", None) or {}
    return any(value not in (None, "default") for value in output.values())


def _by_name(columns: Any) -> bool:
    """Whether a column selector names columns, as one name or a list of them."""
    if isinstance(columns, str):
        return True
    return any(isinstance(item, str) for item in columns) if np.iterable(columns) else False


def _forget_names(model: Any) -> None:
    """Let each part take plain arrays: the order of the columns is settled before they come.

    scikit-learn warns at every prediction when a part that was fitted on a frame gets an array.
    """
    for part in parts(model):
        vars(part).pop("feature_names_in_", None)
        if "_fitted_with_feature_names" in vars(part):  # LightGBM's own switch for the same
            part._fitted_with_feature_names = False  # noqa: SLF001


def _bind(model: Any, signature: Signature, threads: int, *, by_name: bool) -> Answer:
    limit = ThreadLimit(threads)
    prepare = _preparation(model, signature, by_name=by_name)
    ask = asking(model, confidence=signature.confidence)

    def answer(rows: Rows) -> Outputs:
        limit()
        return ask(prepare(rows))

    return answer


def _preparation(model: Any, signature: Signature, *, by_name: bool) -> Callable[[Rows], Any]:
    if by_name:
        return frame_maker(signature, nothing=None if _knows_none(model) else np.nan)
    if signature.numeric:
        return lambda rows: rows
    if len(signature.features) == 1 and _reads_documents(model):
        return lambda rows: rows[:, 0]
    if _knows_none(model):
        return lambda rows: rows

    def with_nan(rows: Rows) -> Rows:
        rows = rows.copy()
        rows[rows == None] = np.nan  # noqa: E711 - elementwise
        return rows

    return with_nan


def _knows_none(model: Any) -> bool:
    """Whether an encoder was trained on None, not NaN: to scikit-learn they are two categories."""
    for part in parts(model):
        known = getattr(part, "categories_", None)
        if isinstance(known, list) and any(None in values.tolist() for values in known):
            return True
        if "missing_values" in vars(part) and part.missing_values is None:
            return True
    return False
