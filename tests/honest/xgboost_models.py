"""XGBoost: the estimators, every booster and objective, the plain Booster, and pipelines."""

from typing import Any

import numpy as np
import xgboost as xgb
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import StackingClassifier, VotingClassifier, VotingRegressor
from sklearn.feature_selection import SelectFromModel
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from tests.honest import data
from tests.honest.case import Case, fitted, quiet

TINY = {"n_estimators": 3, "max_depth": 2, "n_jobs": 1}


def cases() -> list[Case]:
    """All cases of this library."""
    return [*_regressors(), *_classifiers(), *_rankers(), *_boosters(), *_composed(), *_frames()]


def _regressors() -> list[Case]:
    shares = (data.PROGRESS - data.PROGRESS.min()) / np.ptp(data.PROGRESS)
    several = {
        "squarederror": data.PROGRESS,
        "squaredlogerror": data.PROGRESS,
        "logistic": shares,
        "pseudohubererror": data.PROGRESS,
        "absoluteerror": data.PROGRESS,
        "gamma": data.PROGRESS,
        "tweedie": data.PROGRESS,
    }
    found = [
        fitted(f"regressor-{name}", xgb.XGBRegressor(objective=f"reg:{name}", **TINY), data.BODY, y)
        for name, y in several.items()
    ]
    models = {
        "quantile": xgb.XGBRegressor(objective="reg:quantileerror", quantile_alpha=0.6, **TINY),
        "quantiles": xgb.XGBRegressor(
            objective="reg:quantileerror", quantile_alpha=np.array([0.1, 0.9]), **TINY
        ),
        "poisson": xgb.XGBRegressor(objective="count:poisson", **TINY),
        "dart": xgb.XGBRegressor(booster="dart", rate_drop=0.1, **TINY),
        "linear": xgb.XGBRegressor(booster="gblinear", n_estimators=3),
        "exact": xgb.XGBRegressor(tree_method="exact", **TINY),
        "approx": xgb.XGBRegressor(tree_method="approx", **TINY),
        "lossguide": xgb.XGBRegressor(grow_policy="lossguide", max_leaves=4, n_estimators=3),
        "monotone": xgb.XGBRegressor(monotone_constraints=(1, 0, -1, 0, 0), **TINY),
        "monotone-text": xgb.XGBRegressor(monotone_constraints="(1,0,0,0,0)", **TINY),
        "interaction": xgb.XGBRegressor(interaction_constraints="[[0, 1], [2, 3, 4]]", **TINY),
        "sampled": xgb.XGBRegressor(subsample=0.7, colsample_bytree=0.6, random_state=3, **TINY),
        "generator": xgb.XGBRegressor(random_state=np.random.RandomState(5), **TINY),
        "missing": xgb.XGBRegressor(missing=0.0, **TINY),
        "parallel": xgb.XGBRegressor(num_parallel_tree=2, base_score=0.3, **TINY),
        "forest": xgb.XGBRFRegressor(**TINY),
        "gain": xgb.XGBRegressor(importance_type="weight", gamma=0.2, reg_alpha=0.1, **TINY),
    }
    found += [fitted(f"regressor-{n}", m, data.BODY, data.PROGRESS) for n, m in models.items()]
    watched = xgb.XGBRegressor(early_stopping_rounds=2, eval_metric=["rmse", "mae"], **TINY)
    seen = {"eval_set": [(data.BODY[:30], data.PROGRESS[:30])], "verbose": False}
    two = xgb.XGBRegressor(multi_strategy="multi_output_tree", tree_method="hist", **TINY)
    return [
        *found,
        fitted("regressor-early-stop", watched, data.BODY, data.PROGRESS, **seen),
        fitted("regressor-holes", xgb.XGBRegressor(**TINY), data.BODY_HOLES, data.PROGRESS),
        fitted("regressor-sparse", xgb.XGBRegressor(**TINY), data.SPARSE, data.PROGRESS),
        fitted("regressor-two-targets", xgb.XGBRegressor(**TINY), data.BODY, data.TWO_TARGETS),
        fitted("regressor-vector-leaf", two, data.BODY, data.TWO_TARGETS),
        fitted(
            "regressor-weights",
            xgb.XGBRegressor(**TINY),
            data.BODY,
            data.PROGRESS,
            sample_weight=np.linspace(0.5, 1, len(data.BODY)),
        ),
    ]


def _classifiers() -> list[Case]:
    pair = {
        "logistic": xgb.XGBClassifier(objective="binary:logistic", **TINY),
        "logitraw": xgb.XGBClassifier(objective="binary:logitraw", **TINY),
        "hinge": xgb.XGBClassifier(objective="binary:hinge", **TINY),
        "dart": xgb.XGBClassifier(booster="dart", **TINY),
        "linear": xgb.XGBClassifier(booster="gblinear", n_estimators=3),
        "forest": xgb.XGBRFClassifier(**TINY),
        "balanced": xgb.XGBClassifier(scale_pos_weight=2.0, max_delta_step=1, **TINY),
        "metric": xgb.XGBClassifier(eval_metric="auc", **TINY),
        "defaults": xgb.XGBClassifier(n_estimators=3),
        "hist": xgb.XGBClassifier(tree_method="hist", max_bin=16, **TINY),
    }
    many = {
        "softprob": xgb.XGBClassifier(objective="multi:softprob", **TINY),
        "softmax": xgb.XGBClassifier(objective="multi:softmax", **TINY),
        "defaults": xgb.XGBClassifier(**TINY),
        "dart": xgb.XGBClassifier(booster="dart", **TINY),
        "linear": xgb.XGBClassifier(booster="gblinear", n_estimators=3),
        "forest": xgb.XGBRFClassifier(**TINY),
    }
    watched = xgb.XGBClassifier(early_stopping_rounds=2, **TINY)
    seen = {"eval_set": [(data.CANCER[:30], data.BENIGN[:30])], "verbose": False}
    return [
        *[fitted(f"binary-{n}", m, data.CANCER, data.BENIGN) for n, m in pair.items()],
        *[fitted(f"classes-{n}", m, data.IRIS, data.SPECIES) for n, m in many.items()],
        fitted("binary-early-stop", watched, data.CANCER, data.BENIGN, **seen),
        fitted("classes-two-labels", xgb.XGBClassifier(**TINY), data.CANCER, data.TWO_LABELS),
    ]


def _rankers() -> list[Case]:
    return [
        fitted(
            f"ranker-{name}",
            xgb.XGBRanker(objective=f"rank:{name}", **TINY),
            data.BODY,
            data.RELEVANCE > 1 if name == "map" else data.RELEVANCE,
            qid=data.QUERIES,
        )
        for name in ("ndcg", "pairwise", "map")
    ]


def _boosters() -> list[Case]:
    survival = {"label_lower_bound": data.PROGRESS, "label_upper_bound": data.PROGRESS + 5}
    return [
        _booster("regression", {"objective": "reg:squarederror"}),
        _booster("poisson", {"objective": "count:poisson"}),
        _booster("cox", {"objective": "survival:cox"}),
        _booster("aft", {"objective": "survival:aft"}, label=None, **survival),
        _booster("dart", {"booster": "dart"}),
        _booster("linear", {"booster": "gblinear"}),
        _booster("named", {}, feature_names=["age", "sex", "bmi", "bp", "s1"]),
        _booster("typed", {}, feature_types=["float"] * 5),
        _booster("binary", {"objective": "binary:logistic"}, label=data.PROGRESS > 100),
        _booster("classes", {"objective": "multi:softprob", "num_class": 4}, label=data.RELEVANCE),
    ]


def _booster(name: str, options: dict[str, Any], **matrix: Any) -> Case:
    def build() -> tuple[Any, Any]:
        columns = {"label": data.PROGRESS, **matrix}
        with quiet():
            train = xgb.DMatrix(data.BODY, **columns)
            model = xgb.train({"max_depth": 2, "nthread": 1, **options}, train, 3)
        names = {key: matrix[key] for key in ("feature_names", "feature_types") if key in matrix}
        return model, xgb.DMatrix(data.BODY[:10], **names)

    return Case(f"booster-{name}", build)


def _composed() -> list[Case]:
    def model() -> Any:
        return xgb.XGBClassifier(**TINY)

    found = {
        "pipeline": make_pipeline(StandardScaler(), model()),
        "imputed": make_pipeline(SimpleImputer(), StandardScaler(), model()),
        "calibrated": CalibratedClassifierCV(model(), cv=2),
        "grid": GridSearchCV(model(), {"max_depth": [1, 2]}, cv=2),
        "random": RandomizedSearchCV(model(), {"max_depth": [1, 2, 3]}, n_iter=2, cv=2),
        "voting": VotingClassifier([("x", model()), ("l", LogisticRegression())], voting="soft"),
        "stacking": StackingClassifier([("x", model()), ("l", LogisticRegression())], cv=2),
        "selected": make_pipeline(SelectFromModel(model()), LogisticRegression()),
    }
    regressor = xgb.XGBRegressor(**TINY)
    others = {
        "log-target": TransformedTargetRegressor(regressor, func=np.log1p, inverse_func=np.expm1),
        "voting-regressor": VotingRegressor([("x", regressor), ("r", Ridge())]),
    }
    several = MultiOutputRegressor(xgb.XGBRegressor(**TINY))
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
    by_category = {"enable_categorical": True, "tree_method": "hist"}
    return [
        fitted("frame-named", xgb.XGBRegressor(**TINY), data.BODY_FRAME, data.PROGRESS),
        fitted(
            "frame-one-hot",
            make_pipeline(columns, xgb.XGBClassifier(**TINY)),
            data.MIXED,
            data.CHURNED,
        ),
        fitted(
            "frame-categories",
            xgb.XGBClassifier(**by_category, **TINY),
            data.CATEGORIES,
            data.CHURNED,
        ),
        fitted(
            "frame-categories-regressor",
            xgb.XGBRegressor(max_cat_to_onehot=2, **by_category, **TINY),
            data.CATEGORIES,
            data.SPENT,
        ),
        fitted(
            "frame-float32",
            xgb.XGBRegressor(**TINY),
            data.BODY_FRAME.astype("float32"),
            data.PROGRESS,
        ),
    ]
