"""Every model of the table: name → a function that fits it and gives the bytes of its file."""

import functools
import pickle
import tempfile
import warnings
from pathlib import Path

import catboost
import lightgbm
import numpy as np
import xgboost
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import (
    TransformedTargetRegressor,
    make_column_selector,
    make_column_transformer,
)
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge, RidgeCV
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
)
from sklearn.svm import SVC, LinearSVC
from sklearn.utils import all_estimators
from tests.parity.data import (
    CANCER,
    DIABETES,
    WINE,
    holes,
    people,
    people_in_categories,
    people_with_holes,
)

QUIET = {"iterations": 60, "verbose": 0, "thread_count": 1, "allow_writing_files": False}
NUMBERS = ["age", "income"]
TEXTS = ["city", "job"]


def fitted(estimator, rows, target):
    """Warnings of a fit (no convergence, deprecations) are not what is looked at here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pickle.dumps(estimator.fit(rows, target))


def saved(model, suffix):
    """The library's own format."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"model.{suffix}"
        model.save_model(str(path))
        return path.read_bytes()


def estimators():
    """Every classifier and regressor of scikit-learn that fits wine or diabetes by default."""
    found = {}
    for kind, data in (("classifier", WINE), ("regressor", DIABETES)):
        for name, cls in all_estimators(type_filter=kind):
            if fits(name, cls, data):
                found[f"sklearn {name}"] = functools.partial(_default, cls, data)
    return found


def _default(cls, data):
    return fitted(cls(), *data)


def fits(name, cls, data):
    """Whether it takes no other estimator, and this kind of target."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            cls().fit(*data)
        except (TypeError, ValueError):
            return False
    return True


def libraries():
    """XGBoost, LightGBM, CatBoost."""
    missing = holes(CANCER[0])
    in_categories, buys, spends = people_in_categories()
    xgb, lgb, cat = _xgb, _lgb, _cat
    return {
        "XGBClassifier, 3 classes": lambda: fitted(xgb("Classifier"), *WINE),
        "XGBClassifier, missing values": lambda: fitted(xgb("Classifier"), missing, CANCER[1]),
        "XGBClassifier, categories": lambda: fitted(
            xgb("Classifier", enable_categorical=True), in_categories, buys
        ),
        "XGBRegressor": lambda: fitted(xgb("Regressor"), *DIABETES),
        "XGBRegressor, categories": lambda: fitted(
            xgb("Regressor", enable_categorical=True, max_cat_to_onehot=1), in_categories, spends
        ),
        "XGBRegressor, Poisson": lambda: fitted(
            xgb("Regressor", objective="count:poisson"), *DIABETES
        ),
        "XGBoost booster, JSON": lambda: saved(xgb("Classifier").fit(*WINE), "json"),
        "LGBMClassifier, 3 classes": lambda: fitted(lgb("Classifier"), *WINE),
        "LGBMClassifier, missing values": lambda: fitted(lgb("Classifier"), missing, CANCER[1]),
        "LGBMClassifier, categories": lambda: fitted(
            lgb("Classifier", min_child_samples=5), in_categories, buys
        ),
        "LGBMRegressor": lambda: fitted(lgb("Regressor"), *DIABETES),
        "LGBMRegressor, categories": lambda: fitted(
            lgb("Regressor", min_child_samples=5), in_categories, spends
        ),
        "LGBMRegressor, Tweedie": lambda: fitted(lgb("Regressor", objective="tweedie"), *DIABETES),
        "LightGBM booster, text": lambda: saved(lgb("Classifier").fit(*WINE).booster_, "txt"),
        "CatBoostClassifier, 3 classes": lambda: fitted(cat("Classifier"), *WINE),
        "CatBoostClassifier, missing values": lambda: fitted(cat("Classifier"), missing, CANCER[1]),
        "CatBoostRegressor": lambda: fitted(cat("Regressor"), *DIABETES),
        "CatBoostRegressor, missing as largest": lambda: fitted(
            cat("Regressor", nan_mode="Max"), holes(DIABETES[0]), DIABETES[1]
        ),
        "CatBoostRegressor, depthwise": lambda: fitted(
            cat("Regressor", grow_policy="Depthwise"), *DIABETES
        ),
        "CatBoost, cbm": lambda: saved(cat("Classifier").fit(*WINE), "cbm"),
        "CatBoostClassifier, categories": lambda: fitted(
            cat("Classifier", cat_features=TEXTS), *people()[:2]
        ),
    }


def _xgb(kind, **options):
    return getattr(xgboost, f"XGB{kind}")(n_estimators=50, n_jobs=1, **options)


def _lgb(kind, **options):
    return getattr(lightgbm, f"LGBM{kind}")(n_estimators=50, n_jobs=1, verbose=-1, **options)


def _cat(kind, **options):
    return getattr(catboost, f"CatBoost{kind}")(**QUIET, **options)


def _columns(**options):
    return make_column_transformer((StandardScaler(), NUMBERS), (OneHotEncoder(**options), TEXTS))


def pipelines():
    """Texts, imputers, encoders; scalers before everything that is sensitive to them."""
    frame, buys, spends = people()
    gaps, gap_buys, _ = people_with_holes()
    in_categories, _, _ = people_in_categories()
    filled = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), NUMBERS),
        (
            make_pipeline(
                SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")
            ),
            TEXTS,
        ),
    )
    ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    as_nan = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    objects = make_column_selector(dtype_include=object)
    forest = RandomForestClassifier(30, random_state=0)
    return {
        "one-hot (unknown ignored), logistic regression": lambda: fitted(
            make_pipeline(_columns(handle_unknown="ignore"), LogisticRegression()), frame, buys
        ),
        "one-hot (unknown refused), forest": lambda: fitted(
            make_pipeline(_columns(), forest), frame, buys
        ),
        "imputers, one-hot, gradient boosting": lambda: fitted(
            make_pipeline(filled, GradientBoostingClassifier(random_state=0)), gaps, gap_buys
        ),
        "ordinal codes, histogram boosting": lambda: fitted(
            make_pipeline(
                make_column_transformer((ordinal, TEXTS), remainder="passthrough"),
                HistGradientBoostingRegressor(),
            ),
            frame,
            spends,
        ),
        "ordinal codes as categories, missing, histogram boosting": lambda: fitted(
            make_pipeline(
                make_column_transformer((as_nan, TEXTS), remainder="passthrough"),
                HistGradientBoostingClassifier(categorical_features=[0, 1]),
            ),
            gaps,
            gap_buys,
        ),
        "rare categories together, first dropped, ridge": lambda: fitted(
            make_pipeline(
                _columns(handle_unknown="infrequent_if_exist", min_frequency=110, drop="first"),
                Ridge(),
            ),
            frame,
            spends,
        ),
        "one-hot of a missing city, XGBoost": lambda: fitted(
            make_pipeline(
                make_column_transformer(
                    (OneHotEncoder(handle_unknown="ignore"), objects), remainder="passthrough"
                ),
                _xgb("Classifier"),
            ),
            gaps,
            gap_buys,
        ),
        "histogram boosting on pandas categories": lambda: fitted(
            HistGradientBoostingClassifier(), in_categories, buys
        ),
        "scaler, forest": lambda: fitted(make_pipeline(StandardScaler(), forest), *WINE),
        "range, SVC with probabilities": lambda: fitted(
            make_pipeline(MinMaxScaler(), SVC(probability=True)), *WINE
        ),
        "scaler, PCA, neighbours": lambda: fitted(
            make_pipeline(StandardScaler(), PCA(5), KNeighborsClassifier(weights="distance")), *WINE
        ),
        "polynomials, ridge": lambda: fitted(
            make_pipeline(PolynomialFeatures(2), RidgeCV()), *DIABETES
        ),
        "robust scaler, best columns, naive Bayes": lambda: fitted(
            make_pipeline(RobustScaler(), SelectKBest(k=5), GaussianNB()), *WINE
        ),
    }


def ensembles():
    """Estimators made of estimators, and labels that are not whole numbers."""
    scaled = make_pipeline(StandardScaler(), LogisticRegression())
    forest = RandomForestClassifier(20, random_state=0)
    trees = RandomForestRegressor(10, random_state=0)
    words = np.array(["barbera", "grignolino", "barolo"])[WINE[1]]
    return {
        "RandomForestClassifier, 2 classes": lambda: fitted(
            RandomForestClassifier(random_state=0), *CANCER
        ),
        "RandomForestClassifier, missing values": lambda: fitted(forest, holes(WINE[0]), WINE[1]),
        "RandomForestClassifier, labels of text": lambda: fitted(forest, WINE[0], words),
        "RandomForestClassifier, leaves of three": lambda: fitted(
            RandomForestClassifier(100, min_samples_leaf=3, random_state=0),
            CANCER[0],
            CANCER[1].astype(float),
        ),
        "logistic regression, labels true and false": lambda: fitted(
            scaled, CANCER[0], CANCER[1].astype(bool)
        ),
        "GridSearchCV": lambda: fitted(
            GridSearchCV(scaled, {"logisticregression__C": [0.1, 1]}), *CANCER
        ),
        "VotingClassifier, soft": lambda: fitted(
            VotingClassifier([("a", scaled), ("b", forest)], voting="soft"), *WINE
        ),
        "VotingClassifier, hard": lambda: fitted(
            VotingClassifier([("a", scaled), ("b", forest), ("c", GaussianNB())]), *WINE
        ),
        "VotingRegressor": lambda: fitted(
            VotingRegressor([("a", RidgeCV()), ("b", _lgb("Regressor"))]), *DIABETES
        ),
        "StackingClassifier": lambda: fitted(
            StackingClassifier([("a", make_pipeline(StandardScaler(), SVC())), ("b", forest)]),
            *WINE,
        ),
        "StackingRegressor": lambda: fitted(
            StackingRegressor([("a", RidgeCV()), ("b", trees)]), *DIABETES
        ),
        "CalibratedClassifierCV, isotonic": lambda: fitted(
            CalibratedClassifierCV(forest, method="isotonic"), *CANCER
        ),
        "CalibratedClassifierCV, sigmoid": lambda: fitted(
            CalibratedClassifierCV(make_pipeline(StandardScaler(), LinearSVC())), *WINE
        ),
        "OneVsRestClassifier": lambda: fitted(OneVsRestClassifier(scaled), *WINE),
        "OneVsOneClassifier": lambda: fitted(OneVsOneClassifier(scaled), *WINE),
        "TransformedTargetRegressor, logarithm": lambda: fitted(
            TransformedTargetRegressor(Ridge(), func=np.log1p, inverse_func=np.expm1), *DIABETES
        ),
        "TransformedTargetRegressor, scaler": lambda: fitted(
            TransformedTargetRegressor(trees, transformer=StandardScaler()), *DIABETES
        ),
        "BaggingClassifier, half of the columns": lambda: fitted(
            BaggingClassifier(scaled, max_features=0.5, random_state=0), *WINE
        ),
        "AdaBoostClassifier, logistic regression": lambda: fitted(
            AdaBoostClassifier(LogisticRegression(max_iter=3000), n_estimators=5), *WINE
        ),
        "GradientBoostingClassifier, exponential loss": lambda: fitted(
            GradientBoostingClassifier(loss="exponential", random_state=0), *CANCER
        ),
        "HistGradientBoostingRegressor, Poisson, missing values": lambda: fitted(
            HistGradientBoostingRegressor(loss="poisson"), holes(DIABETES[0]), DIABETES[1]
        ),
        "KNeighborsRegressor, Manhattan distance": lambda: fitted(
            KNeighborsRegressor(weights="distance", p=1), *DIABETES
        ),
        "SVC with probabilities, 2 classes": lambda: fitted(
            make_pipeline(StandardScaler(), SVC(probability=True)), *CANCER
        ),
        "MLPClassifier, 2 classes": lambda: fitted(
            make_pipeline(StandardScaler(), MLPClassifier((20,), max_iter=200, random_state=0)),
            *CANCER,
        ),
    }


SECTIONS = {
    "scikit-learn, every estimator by its defaults": estimators,
    "XGBoost, LightGBM, CatBoost": libraries,
    "Pipelines": pipelines,
    "Ensembles and labels": ensembles,
}
