"""How an estimator of scikit-learn is asked: no step twice that its own methods would do twice.

Every shorter way here gives the same bits as ``predict`` and ``predict_proba``, because it is what
their source does (scikit-learn 1.9). Which way is right is decided by the very functions, so that
a subclass, or a version that does something else, is asked by its own methods.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from shipway.model.signature import Outputs
from shipway.runtimes.forests import summed
from shipway.runtimes.linear import scaled, scored, weighed
from shipway.runtimes.outputs import as_outputs, from_probabilities

__all__ = ["asking"]

Answering = Callable[[Any], Any]


def asking(model: Any, *, confidence: bool) -> Callable[[Any], Outputs]:
    """What answers an array or a frame, with probabilities when ``confidence`` is wanted."""
    from sklearn.model_selection._search import BaseSearchCV
    from sklearn.pipeline import Pipeline

    if type(model) is Pipeline:
        return _after(_transforms(model), asking(model.steps[-1][1], confidence=confidence))
    if type(model).__module__.startswith("sklearn.") and isinstance(model, BaseSearchCV):
        return asking(model.best_estimator_, confidence=confidence)
    if confidence and _predicts_most_probable(model):
        probabilities = _tried(summed, model) or model.predict_proba
        classes = np.asarray(model.classes_)
        return lambda given: from_probabilities(probabilities(given), classes)
    if not confidence:
        predict = _tried(summed, model) or _tried(weighed, model) or model.predict
        return lambda given: as_outputs(predict(given))
    return _tried(scored, model) or (
        lambda given: _both(model.predict(given), model.predict_proba(given))
    )


def _transforms(pipeline: Any) -> list[Callable[[Any], Any]]:
    steps = [step for _, step in pipeline.steps[:-1]]
    kept = [step for step in steps if step is not None and step != "passthrough"]
    return [_tried(scaled, step) or step.transform for step in kept]


def _tried(quick: Callable[[Any], Answering | None], part: Any) -> Answering | None:
    """A quick way to ask a part; None as well when it refuses the rows that both are tried on."""
    try:
        return quick(part)
    except Exception:  # noqa: BLE001 - whatever it was, the part's own way is the right one
        return None


def _after(
    transforms: list[Callable[[Any], Any]], ask: Callable[[Any], Outputs]
) -> Callable[[Any], Outputs]:
    def answer(given: Any) -> Outputs:
        for transform in transforms:
            given = transform(given)
        return ask(given)

    return answer


def _both(predictions: npt.NDArray[Any], probabilities: Any) -> Outputs:
    # Models of several outputs give one array of probabilities for each: no one is largest.
    if isinstance(probabilities, list) or np.ndim(predictions) > 1:
        probabilities = None
    return as_outputs(predictions, probabilities)


def _predicts_most_probable(model: Any) -> bool:
    """Whether ``predict`` is written as the class of the largest ``predict_proba``.

    Not so, for example, in linear models: their score decides, and a score just above zero is a
    probability of exactly one half.
    """
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.ensemble import BaggingClassifier, VotingClassifier
    from sklearn.ensemble._forest import ForestClassifier
    from sklearn.semi_supervised._label_propagation import BaseLabelPropagation
    from sklearn.tree import BaseDecisionTree

    if getattr(model, "n_outputs_", 1) != 1:
        return False
    return getattr(type(model), "predict", None) in (
        BaggingClassifier.predict,
        BaseDecisionTree.predict,
        BaseLabelPropagation.predict,
        CalibratedClassifierCV.predict,
        ForestClassifier.predict,
        VotingClassifier.predict,
    )
