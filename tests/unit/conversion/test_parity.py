"""What counts as equal, and what is said of rows that are not."""

import numpy as np
import pytest

from shipway.conversion.parity import ask_all, compare
from shipway.conversion.rows import Group
from shipway.model.signature import Outputs
from shipway.testing import FixedRuntime, numbers

ROWS = Group("some rows", np.arange(6, dtype=np.float64).reshape(6, 1))


def classifier(change=lambda table: table, labels=("no", "yes")):
    def answer(rows):
        second = rows[:, 0] / 10
        table = change(np.stack([1 - second, second], axis=1))
        picked = np.array(labels, object)[(rows[:, 0] > 2).astype(int)]
        return Outputs(picked, table.max(axis=1), table)

    return FixedRuntime(numbers(1, classes=labels), answer).predict


def regressor(function):
    return FixedRuntime(numbers(1), lambda rows: function(rows[:, 0])).predict


def compared(original, converted, *, labels=False, tolerance=1e-5, rows=ROWS):
    return compare(rows, original, converted, tolerance=tolerance, labels=labels)


def test_equal_answers():
    result = compared(classifier(), classifier(), labels=True)
    assert (result.rows, result.refused, result.different, result.largest) == (6, 0, 0, 0.0)
    assert result.differences == ()


def test_a_label_that_differs_is_named_with_its_row():
    result = compared(classifier(), classifier(labels=("no", "YES")), labels=True)
    assert result.different == 3
    first = result.differences[0]
    assert (first.row, first.why) == ((3.0,), "the labels differ")
    assert first.original == {"label": "yes", "probabilities": [0.7, 0.3]}
    assert first.converted["label"] == "YES"


@pytest.mark.parametrize(("by", "different"), [(0.9e-5, 0), (1.1e-5, 6)])
def test_probabilities_differ_by_at_most_the_tolerance(by, different):
    result = compared(classifier(), classifier(lambda table: table + by), labels=True)
    assert result.different == different
    assert result.largest == pytest.approx(by)


@pytest.mark.parametrize(("factor", "different"), [(1 + 0.9e-5, 0), (1 + 1.1e-5, 5)])
def test_values_are_compared_relative_to_their_own_size(factor, different):
    rows = Group("large", np.array([[0.0], [1e9], [1e10], [1e11], [1e12], [1e13]]))
    result = compared(regressor(lambda x: x), regressor(lambda x: x * factor), rows=rows)
    # The median size of all answers is the scale of the smaller ones, 1e9 and 1e10 among them.
    assert result.different == (0 if different == 0 else 3)


def test_a_small_value_may_differ_by_the_tolerance_of_the_usual_size():
    usual = regressor(lambda x: np.where(x == 0, 1e-9, 100.0))
    other = regressor(lambda x: np.where(x == 0, 9e-4, 100.0))
    assert compared(usual, other).different == 0
    assert compared(usual, other, tolerance=1e-6).different == 1


def test_nan_and_infinity_are_equal_only_to_themselves():
    strange = regressor(lambda x: np.where(x == 0, np.nan, np.where(x == 1, np.inf, x)))
    finite = regressor(lambda x: x)
    assert compared(strange, strange).different == 0
    result = compared(strange, finite)
    assert result.different == 2
    assert result.differences[0].original == "nan"


def test_rows_that_both_refuse_are_counted_and_not_compared():
    def picky(x):
        if (x > 3).any():
            raise ValueError("too large")
        return x

    result = compared(regressor(picky), regressor(picky))
    assert (result.refused, result.different) == (2, 0)


def test_a_row_that_only_one_refuses_is_a_difference():
    def picky(x):
        if (x == 4).any():
            raise ValueError("not this one")
        return x

    result = compared(regressor(picky), regressor(lambda x: x))
    assert (result.refused, result.different) == (0, 1)
    assert result.differences[0].row == (4.0,)
    assert (result.differences[0].original, result.differences[0].converted) == (None, 4.0)
    assert result.differences[0].why == "one of the two refuses the row"


def test_refused_rows_are_found_one_by_one():
    def picky(x):
        if np.isin(x, (0, 3, 5)).any():
            raise ValueError("not these")
        return x

    answers = ask_all(regressor(picky), ROWS.rows)
    assert answers.refused.tolist() == [True, False, False, True, False, True]
    assert answers.predictions.tolist() == [None, 1.0, 2.0, None, 4.0, None]
