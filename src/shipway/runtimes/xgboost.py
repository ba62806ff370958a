"""XGBoost: boosters in JSON or UBJSON, and pickled boosters and estimators."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from shipway.errors import CorruptModelError, UnsupportedModelError
from shipway.model.signature import Declared, Feature, Outputs, Rows, Signature
from shipway.model.spec import Artifact, TrustPolicy
from shipway.runtimes import sklearn
from shipway.runtimes.draft import Answer, Draft, Loaded, plain_features
from shipway.runtimes.frames import frame_answer, frame_maker
from shipway.runtimes.outputs import as_outputs, from_probabilities, labels
from shipway.runtimes.packages import installed, require

__all__ = ["read", "wrap"]


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the booster's own document says."""

    objective: str
    count: int
    names: list[str]
    categories: dict[int, tuple[str, ...]]
    classes: int
    """0 for a regressor."""
    linear: bool
    """Trained with the booster gblinear."""
    best: bool
    """Rounds after the best one are left out: XGBoost's estimators do so, its boosters do not."""
    recorded: str | None


def read(artifact: Artifact, _policy: TrustPolicy, threads: int, _declared: Declared) -> Loaded:
    """A booster saved by ``save_model``, by XGBoost's own reader."""
    library = require("xgboost", "An XGBoost model")
    try:
        # The buffer that is given to the constructor decides on the format by its own content.
        booster = library.Booster({"nthread": threads}, model_file=bytearray(artifact.data))
    except library.core.XGBoostError as exc:
        lines = str(exc).splitlines()
        raise CorruptModelError(
            f"XGBoost cannot read the file: {lines[0] if lines else exc}",
            f"It was read by XGBoost {installed('xgboost')}; a newer one may have written it.",
        ) from exc
    return _wrap_booster(booster, threads)


def wrap(model: Any, *, threads: int) -> Loaded:
    """A pickled booster, or an estimator with scikit-learn's interface."""
    library = require("xgboost", "An XGBoost model")
    if isinstance(model, library.Booster):
        return _wrap_booster(model, threads)
    if not isinstance(model, library.XGBModel):
        raise UnsupportedModelError(f"The file holds an XGBoost {type(model).__name__}, no model")
    if not model.__sklearn_is_fitted__():
        raise UnsupportedModelError(
            f"The {type(model).__name__} in the file is not fitted", "Save it after calling fit."
        )
    booster = model.get_booster()
    booster.set_param({"nthread": threads})
    facts = _facts(booster)
    loaded = sklearn.wrap(model, threads=threads)
    if not facts.categories:
        draft = replace(loaded.draft, missing="together")
        return replace(
            loaded,
            framework="xgboost",
            installed=installed("xgboost"),
            recorded=facts.recorded,
            draft=draft,
        )
    classes = getattr(model, "classes_", None) if loaded.draft.task == "classifier" else None
    return Loaded(
        framework="xgboost",
        installed=installed("xgboost"),
        recorded=facts.recorded,
        draft=replace(
            loaded.draft,
            features=_features(facts),
            named=True,
            classes=None if classes is None else labels(classes),
        ),
        bind=lambda signature: frame_answer(model, signature, facts.categories),
    )


def _wrap_booster(booster: Any, threads: int) -> Loaded:
    booster.set_param({"nthread": threads})
    facts = _facts(booster)
    classes = tuple(range(facts.classes)) if facts.classes else None
    return Loaded(
        framework="xgboost",
        installed=installed("xgboost"),
        recorded=facts.recorded,
        draft=Draft(
            task="classifier" if facts.classes else "regressor",
            features=_features(facts),
            named=bool(facts.names),
            classes=classes,
            indexed=True,
            confidence=facts.objective in ("binary:logistic", "multi:softprob"),
        ),
        bind=lambda signature: _bind_booster(booster, facts, signature),
    )


def _facts(booster: Any) -> _Facts:
    document = json.loads(booster.save_raw(raw_format="json"))
    learner = document["learner"]
    parameters = learner["learner_model_param"]
    objective = learner["objective"]["name"]
    count = booster.num_features()
    names = list(booster.feature_names or [])
    classes = int(parameters.get("num_class", 0))
    if objective.startswith("binary:"):
        classes = 2
    version = document.get("version")
    return _Facts(
        objective=objective,
        count=count,
        names=names,
        categories=_categories(learner, booster.feature_types),
        classes=classes,
        linear=learner["gradient_booster"].get("name") == "gblinear",
        best="scikit_learn" in learner.get("attributes", {}),
        recorded=".".join(map(str, version)) if isinstance(version, list) else None,
    )


def _categories(learner: Any, types: list[str] | None) -> dict[int, tuple[str, ...]]:
    """Texts that stand for categories, which XGBoost 3.1 and later keep in the model."""
    if "c" not in (types or []):
        return {}
    booster = learner["gradient_booster"]
    booster = booster.get("gbtree", booster)  # dart wraps it
    kept = booster.get("model", {}).get("cats") or {}
    categories = {}
    for index, column in enumerate(kept.get("enc", [])):
        offsets = column.get("offsets")
        if offsets and len(offsets) > 1:
            raw = bytes(value & 255 for value in column["values"])
            ends = itertools.pairwise(offsets)
            categories[index] = tuple(raw[a:b].decode("utf-8", "replace") for a, b in ends)
    return categories


def _features(facts: _Facts) -> tuple[Feature, ...]:
    plain = plain_features(facts.count, facts.names or None)
    return tuple(
        replace(feature, kind="string", categories=facts.categories[index])
        if index in facts.categories
        else feature
        for index, feature in enumerate(plain)
    )


def _bind_booster(booster: Any, facts: _Facts, signature: Signature) -> Answer:
    classes = None if signature.classes is None else np.array(signature.classes, dtype=object)
    if classes is not None and not any(isinstance(label, str) for label in signature.classes or ()):
        classes = np.array(signature.classes)
    raw = _raw(booster, facts, signature)

    def answer(rows: Rows) -> Outputs:
        values = raw(rows)
        if classes is None:
            return as_outputs(values)
        if facts.objective == "binary:logitraw":
            return as_outputs(classes[(values > 0).astype(int)])
        if facts.objective in ("multi:softmax", "binary:hinge"):
            return as_outputs(classes[values.astype(int)])
        if values.ndim == 1:
            # Exactly one half is class 0, as in XGBClassifier.predict.
            picked = classes[(values > 0.5).astype(int)]
            return as_outputs(picked, np.stack([1 - values, values], axis=1))
        return from_probabilities(values, classes)

    return answer


def _raw(booster: Any, facts: _Facts, signature: Signature) -> Callable[[Rows], Any]:
    ranges = (0, int(booster.best_iteration) + 1) if _stopped_early(booster, facts) else (0, 0)
    prepare = frame_maker(signature, categories=facts.categories) if facts.categories else None
    matrix = require("xgboost", "An XGBoost model").DMatrix

    def predict(rows: Rows) -> Any:
        given = rows if prepare is None else prepare(rows)
        if facts.linear:  # which has no prediction in place
            return booster.predict(matrix(given, feature_names=facts.names or None))
        return booster.inplace_predict(given, iteration_range=ranges, missing=np.nan)

    return predict


def _stopped_early(booster: Any, facts: _Facts) -> bool:
    return facts.best and booster.attr("best_iteration") is not None
