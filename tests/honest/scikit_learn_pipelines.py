"""Scikit-learn models as teams put them together: pipelines, searches, text, mixed columns."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn import compose, ensemble, impute, linear_model, naive_bayes, neighbors, svm
from sklearn import preprocessing as prep
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.experimental import enable_iterative_imputer  # noqa: F401 (it registers the class)
from sklearn.feature_extraction.text import (
    CountVectorizer,
    HashingVectorizer,
    TfidfTransformer,
    TfidfVectorizer,
)
from sklearn.feature_selection import (
    SelectFromModel,
    SelectKBest,
    SelectPercentile,
    chi2,
    f_classif,
    f_regression,
    mutual_info_classif,
)
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor, kernels
from sklearn.metrics import fbeta_score, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    RandomizedSearchCV,
    RepeatedStratifiedKFold,
    StratifiedKFold,
    TimeSeriesSplit,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline, make_union
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from tests.honest import data
from tests.honest.case import Case, fitted

NUMBERS = ["age", "income"]
WORDS = ["city", "plan"]


def pipelines() -> list[Case]:
    """All cases of this module."""
    return [*_mixed(), *_numeric(), *_text(), *_searches(), *_kernels(), *_options()]


def _columns(encoder: Any, **rest: Any) -> compose.ColumnTransformer:
    numbers = make_pipeline(impute.SimpleImputer(strategy="median"), prep.StandardScaler())
    return compose.ColumnTransformer(
        [("numbers", numbers, NUMBERS), ("words", encoder, WORDS)], **rest
    )


def _mixed() -> list[Case]:
    logit = linear_model.LogisticRegression()
    one_hot = prep.OneHotEncoder(handle_unknown="ignore")
    ordinal = prep.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    few = prep.OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=0.2)
    dense = prep.OneHotEncoder(sparse_output=False)
    models = {
        "one-hot": make_pipeline(_columns(one_hot), logit),
        "one-hot-infrequent": make_pipeline(_columns(few), logit),
        "one-hot-drop": make_pipeline(_columns(prep.OneHotEncoder(drop="first")), logit),
        "ordinal": make_pipeline(_columns(ordinal), ensemble.RandomForestClassifier(3)),
        "target": make_pipeline(_columns(prep.TargetEncoder(cv=2)), logit),
        "remainder": make_pipeline(
            compose.ColumnTransformer([("w", dense, WORDS)], remainder="passthrough"),
            ensemble.HistGradientBoostingClassifier(max_iter=3),
        ),
        "selector": make_pipeline(
            compose.make_column_transformer(
                (one_hot, compose.make_column_selector(pattern="city|plan")),
                (impute.SimpleImputer(), compose.make_column_selector(dtype_include="number")),
            ),
            logit,
        ),
        "pandas-output": make_pipeline(
            _columns(dense).set_output(transform="pandas"),
            ensemble.HistGradientBoostingClassifier(max_iter=3),
        ),
        # As objects: with PyArrow installed pandas 3 keeps names in its buffers (limitations.md).
        "index-of-columns": make_pipeline(
            compose.ColumnTransformer(
                [
                    ("n", impute.SimpleImputer(), pd.Index(["age", "income"], dtype=object)),
                    ("w", one_hot, data.MIXED.columns[2:].astype(object)),
                ]
            ),
            logit,
        ),
        "missing-words": make_pipeline(
            compose.ColumnTransformer(
                [("w", impute.SimpleImputer(missing_values=pd.NA, strategy="most_frequent"), WORDS)]
            ),
            one_hot,
            logit,
        ),
        "imputed-words": make_pipeline(
            _columns(make_pipeline(impute.SimpleImputer(strategy="most_frequent"), one_hot)), logit
        ),
        "indicator": make_pipeline(
            compose.ColumnTransformer([("n", impute.SimpleImputer(add_indicator=True), NUMBERS)]),
            svm.SVC(),
        ),
    }
    cases = [fitted(f"mixed-{name}", m, data.MIXED, data.CHURNED) for name, m in models.items()]
    by_category = ensemble.HistGradientBoostingClassifier(
        max_iter=3, categorical_features="from_dtype"
    )
    regressor = make_pipeline(
        _columns(prep.OneHotEncoder()),
        compose.TransformedTargetRegressor(
            linear_model.Ridge(), func=np.log1p, inverse_func=np.expm1
        ),
    )
    return [
        *cases,
        fitted("mixed-category-dtype", by_category, data.CATEGORIES, data.CHURNED),
        fitted(
            "mixed-object-dtype",
            make_pipeline(_columns(prep.OneHotEncoder()), linear_model.LogisticRegression()),
            data.OBJECTS,
            data.CHURNED,
        ),
        fitted("mixed-log-target", regressor, data.MIXED, data.SPENT),
    ]


def _numeric() -> list[Case]:
    scale, ridge = prep.StandardScaler(), linear_model.Ridge()
    body, progress = data.BODY_HOLES, data.PROGRESS
    log = prep.FunctionTransformer(np.log1p, inverse_func=np.expm1, validate=True)
    regressors = {
        "iterative-imputer": make_pipeline(impute.IterativeImputer(max_iter=2), ridge),
        "iterative-imputer-forest": make_pipeline(
            impute.IterativeImputer(ensemble.ExtraTreesRegressor(2), max_iter=1), ridge
        ),
        "knn-imputer": make_pipeline(impute.KNNImputer(n_neighbors=2), ridge),
        "union": make_pipeline(
            impute.SimpleImputer(), make_union(PCA(2), prep.PolynomialFeatures(2)), ridge
        ),
        "splines": make_pipeline(impute.SimpleImputer(), prep.SplineTransformer(4), ridge),
        "bins": make_pipeline(
            impute.SimpleImputer(),
            prep.KBinsDiscretizer(
                3, encode="onehot-dense", quantile_method="averaged_inverted_cdf"
            ),
            ridge,
        ),
        "select": make_pipeline(impute.SimpleImputer(), SelectKBest(f_regression, k=2), ridge),
        "holes-boosting": ensemble.HistGradientBoostingRegressor(max_iter=3, max_bins=20),
        "stack": make_pipeline(
            impute.SimpleImputer(),
            ensemble.StackingRegressor(
                [("t", DecisionTreeRegressor()), ("k", neighbors.KNeighborsRegressor())],
                final_estimator=linear_model.RidgeCV(),
                cv=2,
            ),
        ),
    }
    for loss in ("squared_error", "absolute_error", "huber", "quantile"):
        regressors[f"boosting-{loss}"] = make_pipeline(
            impute.SimpleImputer(),
            ensemble.GradientBoostingRegressor(loss=loss, n_estimators=3, init="zero"),
        )
    for loss in ("squared_error", "absolute_error", "gamma", "poisson", "quantile"):
        regressors[f"hist-{loss}"] = ensemble.HistGradientBoostingRegressor(
            loss=loss, max_iter=3, quantile=0.7
        )
    for loss in ("huber", "epsilon_insensitive", "squared_epsilon_insensitive", "squared_error"):
        regressors[f"sgd-{loss}"] = make_pipeline(
            impute.SimpleImputer(), scale, linear_model.SGDRegressor(loss=loss)
        )
    for criterion in ("squared_error", "absolute_error", "poisson"):
        regressors[f"forest-{criterion}"] = ensemble.RandomForestRegressor(3, criterion=criterion)
    cases = [fitted(f"numeric-{name}", m, body, progress) for name, m in regressors.items()]
    power = compose.TransformedTargetRegressor(ridge, transformer=prep.PowerTransformer())
    roots = make_pipeline(prep.FunctionTransformer(np.square), prep.FunctionTransformer(np.sqrt))
    frame = make_pipeline(scale, ridge).set_output(transform="pandas")
    return [
        *cases,
        fitted("numeric-frame", frame, data.BODY_FRAME, progress),
        fitted("numeric-power-target", power, data.BODY, progress),
        fitted("numeric-roots", make_pipeline(roots, ridge), data.BODY, progress),
        fitted("numeric-log", make_pipeline(log, ridge), data.BODY, progress),
        fitted("numeric-tweedie", linear_model.TweedieRegressor(power=1.5), data.BODY, progress),
        fitted(
            "numeric-two-targets", ensemble.RandomForestRegressor(3), data.BODY, data.TWO_TARGETS
        ),
    ]


def _text() -> list[Case]:
    texts, topics = data.TEXTS, data.TOPICS
    models = {
        "tfidf-logit": make_pipeline(TfidfVectorizer(), linear_model.LogisticRegression()),
        "tfidf-bigrams": make_pipeline(
            TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), svm.LinearSVC()
        ),
        "tfidf-characters": make_pipeline(
            TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 3)), linear_model.SGDClassifier()
        ),
        "counts-bayes": make_pipeline(
            CountVectorizer(stop_words="english"), naive_bayes.MultinomialNB()
        ),
        "counts-tfidf": make_pipeline(
            CountVectorizer(strip_accents="unicode"), TfidfTransformer(), naive_bayes.ComplementNB()
        ),
        "hashing": make_pipeline(
            HashingVectorizer(n_features=64), linear_model.SGDClassifier(loss="log_loss")
        ),
        "svd": make_pipeline(TfidfVectorizer(), TruncatedSVD(3), prep.Normalizer(), svm.SVC()),
        "chi2": make_pipeline(
            CountVectorizer(), SelectPercentile(chi2, percentile=50), naive_bayes.BernoulliNB()
        ),
        "union": make_pipeline(
            make_union(TfidfVectorizer(), TfidfVectorizer(analyzer="char")),
            linear_model.RidgeClassifier(),
        ),
        "accents": make_pipeline(
            TfidfVectorizer(strip_accents="ascii", max_features=20),
            neighbors.KNeighborsClassifier(2),
        ),
    }
    return [fitted(f"text-{name}", model, texts, topics) for name, model in models.items()]


def _searches() -> list[Case]:
    tree = DecisionTreeClassifier()
    depth = {"max_depth": [1, 2]}
    pipeline = make_pipeline(prep.StandardScaler(), svm.SVC())
    models = {
        "grid-pipeline": GridSearchCV(pipeline, {"svc__C": [0.5, 1.0]}, cv=KFold(2)),
        "grid-scoring": GridSearchCV(tree, depth, scoring="accuracy", cv=StratifiedKFold(2)),
        "grid-scores": GridSearchCV(
            tree, depth, scoring=["accuracy", "f1_macro"], refit="f1_macro", cv=2
        ),
        "grid-estimators": GridSearchCV(
            make_pipeline(prep.StandardScaler(), tree),
            {"standardscaler": [prep.MinMaxScaler(), "passthrough"]},
            cv=2,
        ),
        "random": RandomizedSearchCV(
            tree,
            {"max_depth": range(1, 4)},
            n_iter=2,
            cv=RepeatedStratifiedKFold(n_splits=2, n_repeats=1),
        ),
        "grid-made-scorer": GridSearchCV(
            tree, depth, scoring=make_scorer(fbeta_score, beta=2, average="macro"), cv=2
        ),
        "time-series": GridSearchCV(tree, depth, cv=TimeSeriesSplit(2)),
        "calibrated-isotonic": CalibratedClassifierCV(tree, method="isotonic", cv=2),
        "calibrated-svm": CalibratedClassifierCV(svm.LinearSVC(), cv=2),
        "calibrated-together": CalibratedClassifierCV(
            naive_bayes.GaussianNB(), cv=2, ensemble=False
        ),
        "stack": ensemble.StackingClassifier(
            [("p", pipeline), ("n", naive_bayes.GaussianNB())],
            final_estimator=linear_model.LogisticRegression(),
            passthrough=True,
            cv=2,
        ),
        "vote-hard": ensemble.VotingClassifier([("p", pipeline), ("t", tree)]),
        "vote-weighted": ensemble.VotingClassifier(
            [("k", neighbors.KNeighborsClassifier()), ("t", tree)], voting="soft", weights=[2, 1]
        ),
        "one-vs-rest": OneVsRestClassifier(pipeline),
        "bagged": ensemble.BaggingClassifier(pipeline, n_estimators=2),
        "boosted": ensemble.AdaBoostClassifier(tree, n_estimators=2),
        "selected": make_pipeline(
            SelectFromModel(ensemble.ExtraTreesClassifier(3)), MLPClassifier((3,), max_iter=3)
        ),
        "anova": make_pipeline(SelectKBest(f_classif, k=2), neighbors.NearestCentroid()),
        "information": make_pipeline(SelectKBest(mutual_info_classif, k=2), tree),
    }
    cases = [fitted(f"search-{name}", m, data.WINE, data.CULTIVAR) for name, m in models.items()]
    return [
        *cases,
        fitted("search-names", GridSearchCV(tree, depth, cv=2), data.IRIS, data.NAMED_SPECIES),
        fitted(
            "search-regression",
            GridSearchCV(
                linear_model.Ridge(), {"alpha": [0.1, 1.0]}, scoring="neg_mean_squared_error", cv=2
            ),
            data.BODY,
            data.PROGRESS,
        ),
    ]


def _kernels() -> list[Case]:
    forms = {
        "rbf": kernels.RBF(),
        "sum": kernels.ConstantKernel() * kernels.RBF([1.0] * 5) + kernels.WhiteKernel(),
        "matern": kernels.Matern(nu=1.5),
        "quadratic": kernels.RationalQuadratic() ** 2,
        "periodic": kernels.ExpSineSquared(),
        "dot": kernels.DotProduct() + kernels.PairwiseKernel(metric="rbf"),
        "compound": kernels.RBF() + kernels.Exponentiation(kernels.DotProduct(), 2),
    }
    cases = [
        fitted(
            f"kernel-{name}",
            GaussianProcessRegressor(kernel=form, alpha=0.1, optimizer=None),
            data.BODY,
            data.PROGRESS,
        )
        for name, form in forms.items()
    ]
    classifier = GaussianProcessClassifier(kernel=1.0 * kernels.RBF(1.0), optimizer=None)
    return [*cases, fitted("kernel-classifier", classifier, data.IRIS, data.SPECIES)]


def _options() -> list[Case]:
    models: dict[str, Any] = {}
    for loss in ("hinge", "log_loss", "modified_huber", "squared_hinge", "perceptron"):
        models[f"sgd-{loss}"] = linear_model.SGDClassifier(loss=loss, max_iter=5)
    for metric in ("euclidean", "manhattan", "chebyshev", "minkowski", "canberra", "cosine"):
        models[f"neighbours-{metric}"] = neighbors.KNeighborsClassifier(metric=metric)
    for tree in ("ball_tree", "kd_tree", "brute"):
        models[f"neighbours-{tree}"] = neighbors.KNeighborsClassifier(algorithm=tree, p=3)
    for kernel in ("linear", "poly", "sigmoid"):
        models[f"svc-{kernel}"] = svm.SVC(kernel=kernel, probability=kernel == "poly")
    for solver in ("liblinear", "newton-cg", "saga"):
        models[f"logit-{solver}"] = linear_model.LogisticRegression(solver=solver, max_iter=20)
    for loss in ("log_loss", "exponential"):
        models[f"boosting-{loss}"] = ensemble.GradientBoostingClassifier(loss=loss, n_estimators=2)
    models["forest-balanced"] = ensemble.RandomForestClassifier(3, class_weight="balanced")
    models["forest-weights"] = ensemble.RandomForestClassifier(3, class_weight={0: 1.0, 1: 2.0})
    models["tree-entropy"] = DecisionTreeClassifier(criterion="entropy", max_leaf_nodes=4)
    models["mlp-adam"] = MLPClassifier((3, 2), max_iter=3, early_stopping=True)
    models["mlp-lbfgs"] = MLPClassifier((3,), max_iter=3, solver="lbfgs")
    models["mlp-sgd"] = MLPClassifier((3,), max_iter=3, solver="sgd")
    models["hist-early"] = ensemble.HistGradientBoostingClassifier(
        max_iter=4, early_stopping=True, monotonic_cst=[1, 0, 0, 0, 0, 0]
    )
    models["generator"] = ensemble.RandomForestClassifier(3, random_state=np.random.RandomState(1))
    cases = [fitted(f"option-{name}", m, data.CANCER, data.BENIGN) for name, m in models.items()]
    several = MultiOutputClassifier(ensemble.RandomForestClassifier(2))
    return [
        *cases,
        fitted("option-sparse", linear_model.LogisticRegression(), data.SPARSE, data.BENIGN),
        fitted(
            "option-sparse-neighbours", neighbors.KNeighborsClassifier(), data.SPARSE, data.BENIGN
        ),
        fitted("option-sparse-svc", svm.SVC(), data.SPARSE, data.BENIGN),
        fitted("option-two-labels", several, data.CANCER, data.TWO_LABELS),
        fitted("option-booleans", DecisionTreeClassifier(), data.CANCER, data.BENIGN.astype(bool)),
        fitted("option-float32", DecisionTreeClassifier(), data.CANCER.astype("f4"), data.BENIGN),
        fitted(
            "option-multi-hist",
            ensemble.HistGradientBoostingClassifier(max_iter=2),
            data.IRIS,
            data.SPECIES,
        ),
    ]
