"""The shorter ways of asking scikit-learn give what its own methods give, to the bit."""

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_diabetes, load_wine
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingClassifier,
)
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import Lasso, LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler
from sklearn.semi_supervised import LabelPropagation
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier

from shipway.runtimes.asking import asking
from shipway.runtimes.forests import summed
from shipway.runtimes.linear import scaled, scored, weighed

ROWS, CLASSES = load_wine(return_X_y=True)
NAMES = np.array(["red", "rosé", "white"])[CLASSES]
# Every row twice, with two labels: the classes of its leaf are equally probable.
TIED = np.concatenate([ROWS, ROWS]), np.concatenate([CLASSES, (CLASSES + 1) % 3])
FOREST = RandomForestClassifier(10, random_state=0)


class Contrary(RandomForestClassifier):
    """A project's own: the least probable class."""

    def predict(self, X):  # noqa: N803 - scikit-learn's own name
        return self.classes_[np.argmin(self.predict_proba(X), axis=1)]


CLASSIFIERS = [
    FOREST,
    ExtraTreesClassifier(10, random_state=0, bootstrap=True),
    BaggingClassifier(random_state=0),
    CalibratedClassifierCV(GaussianNB()),
    Contrary(10, random_state=0),
    DecisionTreeClassifier(max_depth=3, random_state=0),
    ExtraTreeClassifier(random_state=0),
    LabelPropagation(kernel="knn"),
    VotingClassifier([("a", GaussianNB()), ("b", FOREST)], voting="soft"),
    make_pipeline(MinMaxScaler(), SelectKBest(k=5), FOREST),
    make_pipeline(MinMaxScaler(), "passthrough", LogisticRegression()),
    make_pipeline(MinMaxScaler(), make_pipeline(MinMaxScaler(), FOREST)),
    GridSearchCV(FOREST, {"max_depth": [2, 3]}, cv=2),
    make_pipeline(StandardScaler(), LogisticRegression()),
    make_pipeline(StandardScaler(with_mean=False), LogisticRegression(fit_intercept=False)),
    make_pipeline(StandardScaler(with_std=False), MinMaxScaler(), LogisticRegression()),
    make_pipeline(StandardScaler(), FOREST),
]


@pytest.mark.parametrize("labels", [CLASSES, NAMES], ids=["numbers", "names"])
@pytest.mark.parametrize("model", CLASSIFIERS, ids=str)
def test_a_classifier_is_asked_as_it_asks_itself(model, labels):
    model.fit(ROWS, labels)
    same(asking(model, confidence=True), model, spread(ROWS))


@pytest.mark.parametrize(
    "model",
    [FOREST, DecisionTreeClassifier(random_state=0), ExtraTreesClassifier(4, random_state=0)],
    ids=str,
)
def test_equally_probable_classes_go_to_the_one_that_the_library_takes(model):
    model.fit(*TIED)
    probabilities = model.predict_proba(ROWS)
    largest = probabilities == probabilities.max(axis=1, keepdims=True)
    assert (largest.sum(axis=1) > 1).any()

    same(asking(model, confidence=True), model, ROWS)


@pytest.mark.parametrize("kind", [RandomForestRegressor, ExtraTreesRegressor])
def test_a_forest_of_numbers_is_summed_as_it_sums_itself(kind):
    rows, target = load_diabetes(return_X_y=True)
    model = kind(10, random_state=0).fit(rows, target)

    assert summed(model)
    predictions = asking(model, confidence=False)(spread(rows)).predictions

    assert predictions.tobytes() == model.predict(spread(rows)).tobytes()


@pytest.mark.parametrize("model", [FOREST, RandomForestRegressor(5, random_state=0)], ids=str)
def test_a_forest_that_was_trained_with_gaps_still_knows_them(model):
    rows = ROWS.copy()
    rows[::3, 2] = np.nan
    model.fit(rows, CLASSES)
    ask = asking(model, confidence=hasattr(model, "predict_proba"))
    assert ask(rows).predictions.tolist() == model.predict(rows).tolist()
    assert ask(ROWS).predictions.tolist() == model.predict(ROWS).tolist()


def test_a_forest_that_tells_gaps_from_all_else_is_loaded():
    """Such a split has an infinite threshold, which no row may hold."""
    rows = np.array([[np.nan], [1.0], [2.0], [np.nan]] * 10)
    model = RandomForestClassifier(5, random_state=0).fit(rows, np.isnan(rows[:, 0]).astype(int))
    assert any(np.isinf(tree.tree_.threshold).any() for tree in model.estimators_)
    found = asking(model, confidence=True)(rows)
    assert np.array_equal(found.predictions, model.predict(rows))


def test_a_part_that_refuses_the_trial_rows_is_asked_by_itself():
    model = make_pipeline(StandardScaler(), LinearRegression()).fit(np.eye(3), [1.0, 2.0, 3.0])
    del model.steps[0][1].n_features_in_
    assert len(asking(model, confidence=False)(np.eye(3)).predictions) == 3


def test_what_a_forest_refuses_is_refused_in_its_own_words():
    model = FOREST.fit(ROWS, CLASSES)
    ask = summed(model)
    for rows, words in (
        (np.where(ROWS > 1000, np.inf, ROWS), "contains infinity"),
        (np.where(ROWS > 1000, 1e300, ROWS), "contains infinity"),
        (ROWS[:, 1:], "12 features"),
    ):
        with np.errstate(all="ignore"), pytest.raises(ValueError, match=words):
            ask(rows)


def test_a_forest_that_sums_in_no_certain_order_or_another_way_is_left_alone():
    assert summed(RandomForestClassifier(5, n_jobs=2).fit(ROWS, CLASSES)) is None
    assert summed(RandomForestClassifier(5).fit(ROWS, TIED[1].reshape(2, -1).T)) is None
    assert summed(GaussianNB().fit(ROWS, CLASSES)) is None
    changed = RandomForestClassifier(5, random_state=0).fit(ROWS, CLASSES)
    changed.estimators_[0].__class__ = _Doubtful
    assert summed(changed) is None


class _Doubtful(DecisionTreeClassifier):
    def predict_proba(self, X, check_input=True):  # noqa: N803 - scikit-learn's signature
        return super().predict_proba(X, check_input) / 2


@pytest.mark.parametrize("labels", [CLASSES > 0, NAMES == "white"], ids=["first", "last"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_two_classes_are_told_apart_by_one_score(labels, dtype):
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(ROWS.astype(dtype), labels)
    same(asking(model, confidence=True), model, spread(ROWS))


@pytest.mark.parametrize(
    "model", [LinearRegression(), Ridge(), Lasso(), LinearRegression(fit_intercept=False)], ids=str
)
@pytest.mark.parametrize("targets", [1, 2])
def test_a_linear_regression_weighs_as_it_does_itself(model, targets):
    rows, target = load_diabetes(return_X_y=True)
    target = target if targets == 1 else np.stack([target, target**2], axis=1)
    scaler = make_pipeline(StandardScaler(), model).fit(rows, target)

    assert weighed(model)
    predictions = asking(scaler, confidence=False)(spread(rows)).predictions

    assert predictions.tobytes() == scaler.predict(spread(rows)).tobytes()


def test_what_a_linear_pipeline_refuses_is_refused_in_its_own_words():
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(ROWS, CLASSES)
    assert scaled(model[0])
    assert scored(model[1])
    ask = asking(model, confidence=True)
    for rows in (np.full_like(ROWS, np.nan), np.full_like(ROWS, np.inf), ROWS[:, 1:], ROWS[0]):
        with pytest.raises(ValueError) as theirs:  # noqa: PT011 - compared below
            model.predict(rows)
        with pytest.raises(ValueError) as ours:  # noqa: PT011
            ask(rows)
        assert str(ours.value) == str(theirs.value)


class Hesitant(LogisticRegression):
    """A project's own: never wholly sure."""

    def predict_proba(self, X):  # noqa: N803 - scikit-learn's own name
        return super().predict_proba(X) * 0.9 + 0.05


def test_a_step_that_does_something_else_is_left_alone():
    frames = StandardScaler().set_output(transform="pandas").fit(ROWS)
    assert scaled(frames) is None
    assert scaled(MinMaxScaler().fit(ROWS)) is None
    assert scored(Hesitant(max_iter=5000).fit(ROWS / 1000, CLASSES)) is None
    assert weighed(RandomForestRegressor(2).fit(ROWS, CLASSES)) is None
    sparse = LogisticRegression(max_iter=5000).fit(ROWS / 1000, CLASSES).sparsify()
    assert scored(sparse) is None


def test_a_pipeline_transforms_once_for_both_answers():
    seen = []

    def watch(rows):
        seen.append(len(rows))
        return rows

    scaled = make_pipeline(FunctionTransformer(watch), LogisticRegression(max_iter=5000))
    scaled.fit(ROWS / 1000, CLASSES)
    seen.clear()
    asking(scaled, confidence=True)(ROWS[:7])
    assert seen == [7]


def spread(rows):
    """The rows, and others around them: between, beyond and far from those of the training."""
    noise = np.random.default_rng(0).normal(size=(3, *rows.shape)) * rows.std(axis=0)
    return np.concatenate([rows, *(rows + noise), rows * 1e9, -rows, np.zeros_like(rows)])


def same(ask, model, rows):
    outputs = ask(rows)
    assert outputs.predictions.tolist() == model.predict(rows).tolist()
    assert outputs.probabilities.tobytes() == model.predict_proba(rows).tobytes()
    for index in (0, 5, len(rows) - 1):
        alone = rows[index : index + 1]
        assert ask(alone).probabilities.tobytes() == model.predict_proba(alone).tobytes()
