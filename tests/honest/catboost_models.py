"""CatBoost: the estimators, the losses, string columns, the plain CatBoost, and pipelines."""

from typing import Any

import catboost as cb
import numpy as np
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import StackingRegressor, VotingClassifier
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from tests.honest import data
from tests.honest.case import Case, fitted

TINY: dict[str, Any] = {
    "iterations": 3,
    "depth": 2,
    "thread_count": 1,
    "verbose": False,
    "allow_writing_files": False,
}
TALK = pd.DataFrame({"said": data.TEXTS, "size": [float(len(text)) for text in data.TEXTS]})
READING = {
    "dictionaries": [{"dictionary_id": "Word", "occurrence_lower_bound": "1"}],
    "feature_processing": {
        "default": [{"dictionaries_names": ["Word"], "feature_calcers": ["BoW"]}]
    },
}
FILLED = data.MIXED.fillna({"age": 0.0})


def cases() -> list[Case]:
    """All cases of this library."""
    return [*_regressors(), *_classifiers(), *_plain(), *_composed(), *_frames()]


def _regressors() -> list[Case]:
    losses = (
        "RMSE", "MAE", "Quantile:alpha=0.7", "LogLinQuantile", "Poisson", "MAPE", "Lq:q=2",
        "Huber:delta=1.0", "Expectile:alpha=0.3", "Tweedie:variance_power=1.5", "LogCosh",
    )  # fmt: skip
    models = {
        **{loss.lower(): cb.CatBoostRegressor(loss_function=loss, **TINY) for loss in losses},
        "uncertain": cb.CatBoostRegressor(loss_function="RMSEWithUncertainty", **TINY),
        "quantiles": cb.CatBoostRegressor(loss_function="MultiQuantile:alpha=0.1,0.9", **TINY),
        "ordered": cb.CatBoostRegressor(boosting_type="Ordered", **TINY),
        "depthwise": cb.CatBoostRegressor(grow_policy="Depthwise", **TINY),
        "lossguide": cb.CatBoostRegressor(grow_policy="Lossguide", max_leaves=4, **TINY),
        "monotone": cb.CatBoostRegressor(monotone_constraints=[1, 0, -1, 0, 0], **TINY),
        "bernoulli": cb.CatBoostRegressor(bootstrap_type="Bernoulli", subsample=0.7, **TINY),
        "mvs": cb.CatBoostRegressor(bootstrap_type="MVS", random_seed=4, **TINY),
        "regularised": cb.CatBoostRegressor(l2_leaf_reg=5, learning_rate=0.2, **TINY),
        "bordered": cb.CatBoostRegressor(border_count=16, feature_border_type="Uniform", **TINY),
        "langevin": cb.CatBoostRegressor(langevin=True, **TINY),
    }
    watched = {"eval_set": (data.BODY[:30], data.PROGRESS[:30])}
    stop = cb.CatBoostRegressor(early_stopping_rounds=2, **TINY)
    best = cb.CatBoostRegressor(use_best_model=True, **TINY)
    two = cb.CatBoostRegressor(loss_function="MultiRMSE", **TINY)
    weights = np.linspace(0.5, 1, len(data.BODY))
    plain = cb.CatBoostRegressor
    return [
        *[fitted(f"regressor-{n}", m, data.BODY, data.PROGRESS) for n, m in models.items()],
        fitted("regressor-early-stop", stop, data.BODY, data.PROGRESS, **watched),
        fitted("regressor-best", best, data.BODY, data.PROGRESS, **watched),
        fitted("regressor-holes", plain(**TINY), data.BODY_HOLES, data.PROGRESS),
        fitted("regressor-sparse", plain(**TINY), data.SPARSE, data.PROGRESS),
        fitted("regressor-two-targets", two, data.BODY, data.TWO_TARGETS),
        fitted("regressor-weights", plain(**TINY), data.BODY, data.PROGRESS, sample_weight=weights),
    ]


def _classifiers() -> list[Case]:
    pair = {
        "logloss": cb.CatBoostClassifier(loss_function="Logloss", **TINY),
        "crossentropy": cb.CatBoostClassifier(loss_function="CrossEntropy", **TINY),
        "focal": cb.CatBoostClassifier(loss_function="Focal:focal_alpha=0.5;focal_gamma=1", **TINY),
        "defaults": cb.CatBoostClassifier(**TINY),
        "balanced": cb.CatBoostClassifier(auto_class_weights="Balanced", **TINY),
        "weights": cb.CatBoostClassifier(class_weights=[1.0, 2.0], **TINY),
        "positive": cb.CatBoostClassifier(scale_pos_weight=2.0, **TINY),
        "metric": cb.CatBoostClassifier(eval_metric="AUC", **TINY),
        "metrics": cb.CatBoostClassifier(custom_metric=["AUC", "F1"], **TINY),
        "ordered": cb.CatBoostClassifier(boosting_type="Ordered", **TINY),
        "depthwise": cb.CatBoostClassifier(grow_policy="Depthwise", **TINY),
    }
    many = {
        "multiclass": cb.CatBoostClassifier(loss_function="MultiClass", **TINY),
        "one-vs-all": cb.CatBoostClassifier(loss_function="MultiClassOneVsAll", **TINY),
        "defaults": cb.CatBoostClassifier(**TINY),
        "balanced": cb.CatBoostClassifier(auto_class_weights="SqrtBalanced", **TINY),
        "weights": cb.CatBoostClassifier(class_weights={0: 1.0, 1: 2.0, 2: 1.0}, **TINY),
    }
    several = cb.CatBoostClassifier(loss_function="MultiLogloss", **TINY)
    plain = cb.CatBoostClassifier
    return [
        *[fitted(f"binary-{n}", m, data.CANCER, data.BENIGN) for n, m in pair.items()],
        *[fitted(f"classes-{n}", m, data.IRIS, data.SPECIES) for n, m in many.items()],
        fitted("classes-names", plain(**TINY), data.IRIS, data.NAMED_SPECIES),
        fitted("binary-names", plain(**TINY), data.CANCER, np.where(data.BENIGN, "no", "yes")),
        fitted("binary-two-labels", several, data.CANCER, data.TWO_LABELS),
    ]


def _plain() -> list[Case]:
    ranked = {"group_id": data.QUERIES}
    return [
        fitted(
            "plain-rmse", cb.CatBoost({"loss_function": "RMSE", **TINY}), data.BODY, data.PROGRESS
        ),
        fitted(
            "plain-mae", cb.CatBoost({"loss_function": "MAE", **TINY}), data.BODY, data.PROGRESS
        ),
        fitted(
            "plain-logloss",
            cb.CatBoost({"loss_function": "Logloss", **TINY}),
            data.CANCER,
            data.BENIGN,
        ),
        fitted("ranker-yetirank", cb.CatBoostRanker(**TINY), data.BODY, data.RELEVANCE, **ranked),
        fitted(
            "ranker-queryrmse",
            cb.CatBoostRanker(loss_function="QueryRMSE", **TINY),
            data.BODY,
            data.RELEVANCE,
            **ranked,
        ),
    ]


def _composed() -> list[Case]:
    def model() -> Any:
        return cb.CatBoostClassifier(**TINY)

    found = {
        "pipeline": make_pipeline(StandardScaler(), model()),
        "imputed": make_pipeline(SimpleImputer(), StandardScaler(), model()),
        "calibrated": CalibratedClassifierCV(model(), cv=2),
        "grid": GridSearchCV(model(), {"depth": [1, 2]}, cv=2),
        "random": RandomizedSearchCV(model(), {"depth": [1, 2, 3]}, n_iter=2, cv=2),
        "voting": VotingClassifier([("x", model()), ("l", LogisticRegression())], voting="soft"),
        "selected": make_pipeline(SelectKBest(f_classif, k=3), model()),
        "pandas-output": make_pipeline(StandardScaler(), model()).set_output(transform="pandas"),
    }
    regressor = cb.CatBoostRegressor(**TINY)
    others = {
        "log-target": TransformedTargetRegressor(regressor, func=np.log1p, inverse_func=np.expm1),
        "stacking": StackingRegressor([("x", regressor), ("r", Ridge())], cv=2),
    }
    several = MultiOutputRegressor(cb.CatBoostRegressor(**TINY))
    return [
        *[fitted(f"composed-{n}", m, data.CANCER, data.BENIGN) for n, m in found.items()],
        *[fitted(f"composed-{n}", m, data.BODY, data.PROGRESS) for n, m in others.items()],
        fitted("composed-two-targets", several, data.BODY, data.TWO_TARGETS),
    ]


def _frames() -> list[Case]:
    columns = ColumnTransformer(
        [("words", OneHotEncoder(handle_unknown="ignore"), ["city", "plan"])],
        remainder="passthrough",
    )
    words = {"cat_features": ["city", "plan"]}
    texts = {"text_features": ["said"], "text_processing": READING}
    one_hot = cb.CatBoostClassifier(one_hot_max_size=5, **words, **TINY)
    return [
        fitted("frame-named", cb.CatBoostRegressor(**TINY), data.BODY_FRAME, data.PROGRESS),
        fitted(
            "frame-one-hot",
            make_pipeline(columns, cb.CatBoostClassifier(**TINY)),
            data.MIXED,
            data.CHURNED,
        ),
        fitted("frame-words", cb.CatBoostClassifier(**words, **TINY), FILLED, data.CHURNED),
        fitted("frame-words-one-hot", one_hot, FILLED, data.CHURNED),
        fitted("frame-words-regressor", cb.CatBoostRegressor(**words, **TINY), FILLED, data.SPENT),
        fitted(
            "frame-categories",
            cb.CatBoostClassifier(**words, **TINY),
            data.CATEGORIES,
            data.CHURNED,
        ),
        fitted("frame-text", cb.CatBoostClassifier(**texts, **TINY), TALK, data.TOPICS),
    ]
