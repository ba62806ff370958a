"""CatBoost: models in its binary format (cbm), and pickled ones."""

from __future__ import annotations

import re
from typing import Any, Literal

import numpy as np

from shipway.errors import CorruptModelError, UnsupportedModelError
from shipway.model.signature import Declared, Feature, Outputs, Rows, Signature
from shipway.model.spec import Artifact, TrustPolicy
from shipway.runtimes.draft import Answer, Draft, Loaded, plain_features
from shipway.runtimes.frames import frame_maker
from shipway.runtimes.outputs import as_outputs, labels
from shipway.runtimes.packages import installed, require

__all__ = ["read", "wrap"]

EXPONENTIAL = ("Poisson", "Tweedie")
"""Losses whose raw value is a logarithm; CatBoostRegressor answers with its exponential."""


def read(artifact: Artifact, _policy: TrustPolicy, threads: int, _declared: Declared) -> Loaded:
    """A model saved by ``save_model``, by CatBoost's own reader."""
    library = require("catboost", "A CatBoost model")
    try:
        model = library.CatBoost().load_model(blob=artifact.data)
    except library.CatBoostError as exc:
        lines = str(exc).splitlines()
        raise CorruptModelError(
            f"CatBoost cannot read the file: {lines[-1] if lines else exc}",
            f"It was read by CatBoost {installed('catboost')}; a newer one may have written it.",
        ) from exc
    return wrap(model, threads=threads)


def wrap(model: Any, *, threads: int) -> Loaded:
    """A loaded or pickled model of any of CatBoost's classes."""
    library = require("catboost", "A CatBoost model")
    if not isinstance(model, library.CatBoost):
        raise UnsupportedModelError(f"The file holds a CatBoost {type(model).__name__}, no model")
    if not model.is_fitted():
        raise UnsupportedModelError("The CatBoost model is not fitted", "Save it after fit.")
    if model.get_embedding_feature_indices():
        raise UnsupportedModelError(
            "The CatBoost model takes embeddings (a vector in one column), which rows cannot hold"
        )
    loss = str(model.get_all_params().get("loss_function", "")).partition(":")[0]
    classes = np.asarray(model.classes_)
    classifier = classes.size > 0
    features, named, texts = _features(model)
    missing: Literal["by column", "together"] = "by column" if texts else "together"
    return Loaded(
        framework="catboost",
        installed=installed("catboost"),
        recorded=_recorded(model),
        draft=Draft(
            task="classifier" if classifier else "regressor",
            features=features,
            named=named,
            classes=labels(classes) if classifier else None,
            confidence=classifier,
            missing=missing,
        ),
        bind=lambda signature: _bind(model, loss, signature, threads),
    )


def _recorded(model: Any) -> str | None:
    found = re.search(
        r"tags/v([\d.]+)|release ([\d.]+)", model.get_metadata().get("catboost_version_info", "")
    )
    return (found[1] or found[2]) if found else None


def _features(model: Any) -> tuple[tuple[Feature, ...], bool, bool]:
    """The columns, whether they have names, whether any holds text or categories."""
    names = list(model.feature_names_)
    named = names != [str(index) for index in range(len(names))]
    texts = {*model.get_cat_feature_indices(), *model.get_text_feature_indices()}
    features = tuple(
        Feature(feature.name, "string") if index in texts else feature
        for index, feature in enumerate(plain_features(len(names), names if named else None))
    )
    return features, named, bool(texts)


def _bind(model: Any, loss: str, signature: Signature, threads: int) -> Answer:
    prepare = None if signature.numeric else frame_maker(signature)
    # The classes for rankers and regressors narrow this method, each in its own way.
    predict = require("catboost", "A CatBoost model").CatBoost.predict
    if signature.task == "classifier":
        kind = "Class"
    elif loss in EXPONENTIAL:
        kind = "Exponent"
    else:
        kind = "RMSEWithUncertainty" if loss == "RMSEWithUncertainty" else "RawFormulaVal"

    def answer(rows: Rows) -> Outputs:
        given = rows if prepare is None else prepare(rows)
        predictions = predict(model, given, prediction_type=kind, thread_count=threads)
        probabilities = None
        if signature.confidence:
            probabilities = predict(
                model, given, prediction_type="Probability", thread_count=threads
            )
        return as_outputs(predictions, probabilities)

    return answer
