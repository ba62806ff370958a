"""LightGBM: the estimators, every boosting and objective, the plain Booster, and pipelines."""

from typing import Any

import lightgbm as lgb
import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import StackingRegressor, VotingClassifier
from sklearn.feature_selection import SelectFromModel
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from tests.honest import data
from tests.honest.case import Case, fitted, quiet

TINY: dict[str, Any] = {
    "n_estimators": 3,
    "num_leaves": 4,
    "min_child_samples": 5,
    "n_jobs": 1,
    "verbose": -1,
}


def cases() -> list[Case]:
    """All cases of this library."""
    return [*_regressors(), *_classifiers(), *_rankers(), *_boosters(), *_composed(), *_frames()]


def _regressors() -> list[Case]:
    shares = (data.PROGRESS - data.PROGRESS.min()) / np.ptp(data.PROGRESS)
    objectives = ("regression", "l1", "huber", "fair", "poisson", "quantile", "mape", "gamma")
    models = {
        **{name: lgb.LGBMRegressor(objective=name, **TINY) for name in (*objectives, "tweedie")},
        "dart": lgb.LGBMRegressor(boosting_type="dart", **TINY),
        "forest": lgb.LGBMRegressor(
            boosting_type="rf", bagging_freq=1, bagging_fraction=0.6, **TINY
        ),
        "goss": lgb.LGBMRegressor(data_sample_strategy="goss", **TINY),
        "linear-tree": lgb.LGBMRegressor(linear_tree=True, **TINY),
        "extra-trees": lgb.LGBMRegressor(extra_trees=True, **TINY),
        "monotone": lgb.LGBMRegressor(monotone_constraints=[1, 0, -1, 0, 0], **TINY),
        "interaction": lgb.LGBMRegressor(interaction_constraints=[[0, 1], [2, 3, 4]], **TINY),
        "sampled": lgb.LGBMRegressor(subsample=0.7, subsample_freq=1, random_state=3, **TINY),
        "generator": lgb.LGBMRegressor(random_state=np.random.RandomState(5), **TINY),
        "smooth": lgb.LGBMRegressor(path_smooth=1.0, reg_alpha=0.1, reg_lambda=0.1, **TINY),
        "gain": lgb.LGBMRegressor(importance_type="gain", max_depth=2, **TINY),
    }
    watched = {"eval_set": [(data.BODY[:30], data.PROGRESS[:30])]}
    stop = {**watched, "callbacks": [lgb.early_stopping(2, verbose=False)]}
    weights = np.linspace(0.5, 1, len(data.BODY))
    plain = lgb.LGBMRegressor
    return [
        *[fitted(f"regressor-{n}", m, data.BODY, data.PROGRESS) for n, m in models.items()],
        fitted("regressor-entropy", plain(objective="cross_entropy", **TINY), data.BODY, shares),
        fitted("regressor-watched", plain(**TINY), data.BODY, data.PROGRESS, **watched),
        fitted("regressor-early-stop", plain(**TINY), data.BODY, data.PROGRESS, **stop),
        fitted("regressor-holes", plain(**TINY), data.BODY_HOLES, data.PROGRESS),
        fitted("regressor-sparse", plain(**TINY), data.SPARSE, data.PROGRESS),
        fitted("regressor-weights", plain(**TINY), data.BODY, data.PROGRESS, sample_weight=weights),
    ]


def _classifiers() -> list[Case]:
    pair = {
        "binary": lgb.LGBMClassifier(objective="binary", **TINY),
        "entropy": lgb.LGBMClassifier(objective="cross_entropy", **TINY),
        "dart": lgb.LGBMClassifier(boosting_type="dart", **TINY),
        "goss": lgb.LGBMClassifier(boosting_type="goss", **TINY),
        "forest": lgb.LGBMClassifier(
            boosting_type="rf", bagging_freq=1, bagging_fraction=0.6, **TINY
        ),
        "balanced": lgb.LGBMClassifier(class_weight="balanced", **TINY),
        "unbalanced": lgb.LGBMClassifier(is_unbalance=True, **TINY),
        "weights": lgb.LGBMClassifier(class_weight={0: 1.0, 1: 2.0}, **TINY),
        "metric": lgb.LGBMClassifier(metric="auc", **TINY),
        "bins": lgb.LGBMClassifier(max_bin=15, **TINY),
    }
    many = {
        "multiclass": lgb.LGBMClassifier(objective="multiclass", **TINY),
        "ova": lgb.LGBMClassifier(objective="multiclassova", **TINY),
        "defaults": lgb.LGBMClassifier(**TINY),
        "dart": lgb.LGBMClassifier(boosting_type="dart", **TINY),
        "balanced": lgb.LGBMClassifier(class_weight="balanced", **TINY),
    }
    watched = {"eval_set": [(data.CANCER[:30], data.BENIGN[:30])], "eval_metric": ["auc"]}
    plain = lgb.LGBMClassifier
    return [
        *[fitted(f"binary-{n}", m, data.CANCER, data.BENIGN) for n, m in pair.items()],
        *[fitted(f"classes-{n}", m, data.IRIS, data.SPECIES) for n, m in many.items()],
        fitted("classes-names", plain(**TINY), data.IRIS, data.NAMED_SPECIES),
        fitted("binary-booleans", plain(**TINY), data.CANCER, data.BENIGN.astype(bool)),
        fitted("binary-watched", plain(**TINY), data.CANCER, data.BENIGN, **watched),
    ]


def _rankers() -> list[Case]:
    groups = [10] * 8
    return [
        fitted(
            f"ranker-{name}",
            lgb.LGBMRanker(objective=name, **TINY),
            data.BODY,
            data.RELEVANCE,
            group=groups,
        )
        for name in ("lambdarank", "rank_xendcg")
    ]


def _boosters() -> list[Case]:
    names = ["age", "sex", "bmi", "bp", "s1"]
    classes = {"objective": "multiclass", "num_class": 4}
    return [
        _booster("regression", {"objective": "regression"}),
        _booster("poisson", {"objective": "poisson"}),
        _booster("dart", {"boosting": "dart"}),
        _booster("goss", {"data_sample_strategy": "goss"}),
        _booster("linear-tree", {"linear_tree": True}),
        _booster("binary", {"objective": "binary"}, label=data.PROGRESS > 100),
        _booster("classes", classes, label=data.RELEVANCE),
        _booster("named", {}, feature_name=names),
        _booster("categories", {}, categorical_feature=[1]),
        _booster("weights", {}, weight=np.linspace(0.5, 1, len(data.BODY))),
        _booster("watched", {"metric": ["l1", "l2"]}, watched=True),
    ]


def _booster(name: str, options: dict[str, Any], *, watched: bool = False, **columns: Any) -> Case:
    def build() -> tuple[Any, Any]:
        settings = {"num_leaves": 4, "min_data_in_leaf": 5, "verbose": -1, "num_threads": 1}
        with quiet():
            train = lgb.Dataset(data.BODY, **{"label": data.PROGRESS, **columns})
            seen = {"valid_sets": [train]} if watched else {}
            return lgb.train({**settings, **options}, train, 3, **seen), data.BODY[:10]

    return Case(f"booster-{name}", build)


def _composed() -> list[Case]:
    def model() -> Any:
        return lgb.LGBMClassifier(**TINY)

    found = {
        "pipeline": make_pipeline(StandardScaler(), model()),
        "imputed": make_pipeline(SimpleImputer(), StandardScaler(), model()),
        "calibrated": CalibratedClassifierCV(model(), cv=2),
        "grid": GridSearchCV(model(), {"max_depth": [1, 2]}, cv=2),
        "random": RandomizedSearchCV(model(), {"max_depth": [1, 2, 3]}, n_iter=2, cv=2),
        "voting": VotingClassifier([("x", model()), ("l", LogisticRegression())], voting="soft"),
        "selected": make_pipeline(SelectFromModel(model()), LogisticRegression()),
        "pandas-output": make_pipeline(StandardScaler(), model()).set_output(transform="pandas"),
    }
    regressor = lgb.LGBMRegressor(**TINY)
    others = {
        "log-target": TransformedTargetRegressor(regressor, func=np.log1p, inverse_func=np.expm1),
        "stacking": StackingRegressor([("x", regressor), ("r", Ridge())], cv=2),
    }
    several = MultiOutputRegressor(lgb.LGBMRegressor(**TINY))
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
    return [
        fitted("frame-named", lgb.LGBMRegressor(**TINY), data.BODY_FRAME, data.PROGRESS),
        fitted(
            "frame-one-hot",
            make_pipeline(columns, lgb.LGBMClassifier(**TINY)),
            data.MIXED,
            data.CHURNED,
        ),
        fitted("frame-categories", lgb.LGBMClassifier(**TINY), data.CATEGORIES, data.CHURNED),
        fitted(
            "frame-categories-regressor", lgb.LGBMRegressor(**TINY), data.CATEGORIES, data.SPENT
        ),
        fitted(
            "frame-float32",
            lgb.LGBMRegressor(**TINY),
            data.BODY_FRAME.astype("float32"),
            data.PROGRESS,
        ),
    ]
