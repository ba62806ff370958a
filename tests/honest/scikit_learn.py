"""Every estimator that scikit-learn itself lists, fitted with defaults or simple arguments."""

from typing import Any

import numpy as np
from sklearn.base import is_classifier, is_regressor
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics.pairwise import linear_kernel
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils import all_estimators
from tests.honest import data
from tests.honest.case import Case, fitted, quiet

FEW = {"n_estimators": 3}
TREE = DecisionTreeClassifier(max_depth=2)
LOGIT = LogisticRegression(max_iter=50)
ARGUMENTS: dict[str, dict[str, Any]] = {
    "AdaBoostClassifier": FEW,
    "AdaBoostRegressor": FEW,
    "BaggingClassifier": FEW,
    "BaggingRegressor": FEW,
    "BernoulliRBM": {"n_components": 3, "n_iter": 2},
    "CalibratedClassifierCV": {"estimator": TREE, "cv": 2},
    "ClassifierChain": {"estimator": LOGIT},
    "ColumnTransformer": {"transformers": [("a", StandardScaler(), [0, 1])], "remainder": "drop"},
    "DictionaryLearning": {"n_components": 2, "max_iter": 5},
    "ExtraTreesClassifier": FEW,
    "ExtraTreesRegressor": FEW,
    "FeatureUnion": {"transformer_list": [("a", PCA(2)), ("b", MinMaxScaler())]},
    "FixedThresholdClassifier": {"estimator": LOGIT, "threshold": 0.4},
    "FrozenEstimator": {"estimator": LinearRegression().fit(data.BODY, data.PROGRESS)},
    "GaussianRandomProjection": {"n_components": 2},
    "GradientBoostingClassifier": FEW,
    "GradientBoostingRegressor": FEW,
    "GraphicalLassoCV": {"cv": 2},
    "GridSearchCV": {"estimator": TREE, "param_grid": {"max_depth": [1, 2]}, "cv": 2},
    "HDBSCAN": {"copy": True},
    "HistGradientBoostingClassifier": {"max_iter": 3},
    "HistGradientBoostingRegressor": {"max_iter": 3},
    "IsolationForest": FEW,
    "LatentDirichletAllocation": {"max_iter": 2},
    "LogisticRegressionCV": {"Cs": 2, "cv": 2},
    "MLPClassifier": {"max_iter": 5, "hidden_layer_sizes": (4,)},
    "MLPRegressor": {"max_iter": 5, "hidden_layer_sizes": (4,), "early_stopping": True},
    "MiniBatchDictionaryLearning": {"n_components": 2, "max_iter": 5},
    "MiniBatchSparsePCA": {"n_components": 2, "max_iter": 5},
    "MultiOutputClassifier": {"estimator": TREE},
    "MultiOutputRegressor": {"estimator": Ridge()},
    "Nystroem": {"n_components": 5},
    "OneVsOneClassifier": {"estimator": LOGIT},
    "OneVsRestClassifier": {"estimator": LOGIT},
    "OutputCodeClassifier": {"estimator": LOGIT},
    "PatchExtractor": {"patch_size": (2, 2), "max_patches": 3},
    "Pipeline": {"steps": [("scale", StandardScaler()), ("logit", LOGIT)]},
    "QuantileTransformer": {"n_quantiles": 10},
    "RANSACRegressor": {"min_samples": 10},
    "RFE": {"estimator": TREE},
    "RFECV": {"estimator": TREE, "cv": 2},
    "RadiusNeighborsClassifier": {"radius": 50.0},
    "RadiusNeighborsRegressor": {"radius": 50.0},
    "RandomForestClassifier": FEW,
    "RandomForestRegressor": FEW,
    "RandomTreesEmbedding": FEW,
    "RandomizedSearchCV": {
        "estimator": TREE,
        "param_distributions": {"max_depth": [1, 2, 3]},
        "n_iter": 2,
        "cv": 2,
    },
    "RegressorChain": {"estimator": Ridge()},
    "SelectFromModel": {"estimator": TREE},
    "SelfTrainingClassifier": {"estimator": LOGIT},
    "SequentialFeatureSelector": {"estimator": TREE, "cv": 2, "n_features_to_select": 2},
    "SparseCoder": {"dictionary": np.eye(4)},
    "SparsePCA": {"n_components": 2, "max_iter": 5},
    "SparseRandomProjection": {"n_components": 2},
    "SpectralBiclustering": {"n_clusters": 2},
    "SpectralCoclustering": {"n_clusters": 2},
    "StackingClassifier": {"estimators": [("t", TREE), ("l", LOGIT)], "cv": 2},
    "StackingRegressor": {"estimators": [("t", DecisionTreeRegressor()), ("r", Ridge())], "cv": 2},
    "TSNE": {"max_iter": 250, "perplexity": 5},
    "TheilSenRegressor": {"max_subpopulation": 50},
    "TransformedTargetRegressor": {"regressor": Ridge(), "transformer": StandardScaler()},
    "TunedThresholdClassifierCV": {"estimator": LOGIT, "cv": 2},
    "VotingClassifier": {"estimators": [("t", TREE), ("l", LOGIT)], "voting": "soft"},
    "VotingRegressor": {"estimators": [("t", DecisionTreeRegressor()), ("r", Ridge())]},
}
RECORDS = [{"city": "Bern", "age": 3}, {"city": "Oslo", "age": 4}] * 5
ROWS: dict[str, tuple[Any, Any]] = {
    "CategoricalNB": (data.CODES, data.SPECIES),
    "ClassifierChain": (data.CANCER, data.TWO_LABELS),
    "CountVectorizer": (data.TEXTS, None),
    "DictVectorizer": (RECORDS, None),
    "FeatureHasher": (RECORDS, None),
    "FixedThresholdClassifier": (data.CANCER, data.BENIGN),
    "GammaRegressor": (data.BODY, data.PROGRESS),
    "HashingVectorizer": (data.TEXTS, None),
    "IsotonicRegression": (data.BODY[:, 2], data.PROGRESS),
    "KernelCenterer": (linear_kernel(data.IRIS), None),
    "LabelBinarizer": (data.NAMED_SPECIES, None),
    "LabelEncoder": (data.NAMED_SPECIES, None),
    "MissingIndicator": (data.BODY_HOLES, None),
    "MultiLabelBinarizer": ([["a", "b"], ["c"], ["a"]] * 4, None),
    "MultiOutputClassifier": (data.CANCER, data.TWO_LABELS),
    "MultiOutputRegressor": (data.BODY, data.TWO_TARGETS),
    "MultiTaskElasticNet": (data.BODY, data.TWO_TARGETS),
    "MultiTaskElasticNetCV": (data.BODY, data.TWO_TARGETS),
    "MultiTaskLasso": (data.BODY, data.TWO_TARGETS),
    "MultiTaskLassoCV": (data.BODY, data.TWO_TARGETS),
    "CCA": (data.BODY, data.TWO_TARGETS),
    "PLSCanonical": (data.BODY, data.TWO_TARGETS),
    "PLSSVD": (data.BODY, data.TWO_TARGETS),
    "PatchExtractor": (np.arange(480.0).reshape(5, 8, 12), None),
    "PoissonRegressor": (data.BODY, data.COUNTS),
    "RegressorChain": (data.BODY, data.TWO_TARGETS),
    "TfidfVectorizer": (data.TEXTS, None),
    "TunedThresholdClassifierCV": (data.CANCER, data.BENIGN),
}


def every_estimator() -> list[Case]:
    """One case for each name in ``sklearn.utils.all_estimators()``."""
    with quiet():
        return [_case(name, kind) for name, kind in all_estimators() if _has(kind)]


def _has(kind: type) -> bool:
    return kind.__module__.startswith("sklearn.")


def _case(name: str, kind: type) -> Case:
    model = kind(**ARGUMENTS.get(name, {}))
    if "random_state" in model.get_params(deep=False):
        model.set_params(random_state=np.random.RandomState(7))
    if name in ROWS:
        return fitted(name, model, *ROWS[name])
    if is_regressor(model) or name in {"RANSACRegressor", "FrozenEstimator"}:
        return fitted(name, model, data.BODY, data.PROGRESS)
    if is_classifier(model):
        return fitted(name, model, data.IRIS, data.SPECIES)
    return fitted(name, model, data.IRIS, data.SPECIES)
