"""Rows that are made: where they lie, and that they are the same each time."""

import numpy as np

from shipway.conversion.ranges import Ranges
from shipway.conversion.rows import boundaries, jumps, made_rows
from shipway.conversion.splits import around
from shipway.model.signature import Feature, Signature
from shipway.testing import numbers

RANGES = Ranges(np.array([10.0, -5.0]), np.array([1.0, 2.0]), np.empty((0, 2)))


def groups(signature, **options):
    made = made_rows(signature, RANGES, [], **{"distances": False, **options})
    return {group.name: group.rows for group in made}


def test_the_same_model_gets_the_same_rows():
    first, second = groups(numbers(2)), groups(numbers(2))
    assert first.keys() == second.keys()
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_typical_rows_lie_where_the_training_data_lay():
    rows = groups(numbers(2))["rows like the training data"]
    assert np.allclose(rows.mean(axis=0), RANGES.centre, atol=0.5)
    assert np.allclose(rows.std(axis=0), RANGES.spread, rtol=0.2)


def test_distances_are_not_asked_where_they_round_to_ties():
    far = groups(numbers(2))["edges of float32"]
    near = groups(numbers(2), distances=True)["edges of float32"]
    assert np.abs(far).max() == 1e300
    assert np.abs(near).max() < 1e7
    assert len(near) > 10


def test_missing_values_and_categories_are_asked_where_they_may_be():
    signature = Signature(
        "regressor",
        (Feature("age", missing=True), Feature("city", "string", categories=("Oslo", "Rome"))),
    )
    made = groups(signature)
    assert {row[1] for row in made["known categories"]} == {"Oslo", "Rome"}
    assert "no such category" in {row[1] for row in made["unknown categories"]}
    missing = made["missing values"]
    assert all(row[1] is not None for row in missing)
    assert sum(row[0] is None for row in missing) > 50


def test_around_a_number_are_its_neighbours_in_float64_and_float32():
    near = around(0.1)
    assert 0.1 in near
    assert np.nextafter(0.1, 1) in near
    assert float(np.float32(0.1)) in near
    assert {float(np.float32(value)) < 0.1 for value in near} == {True, False}


def test_boundaries_are_found_by_halving():
    def ask(rows):
        return (rows[:, 0] > 10.25).astype(object), np.zeros(len(rows))

    base = groups(numbers(2))["rows like the training data"]
    found = boundaries(numbers(2, classes=(False, True)), base, ask)
    assert np.abs(found.rows[:, 0] - 10.25).max() < 1e-7
    assert {bool(row > 10.25) for row in found.rows[:, 0]} == {True, False}


def test_jumps_are_found_to_the_last_bit():
    edge = 10.123456789

    def ask(rows):
        values = np.where(rows[:, 0] <= edge, 1.0, 2.0)
        return values, values

    base = groups(numbers(2))["rows like the training data"]
    found = jumps(numbers(2), base, ask, exact=True).rows[:, 0]
    assert edge in found
    assert np.nextafter(edge, 11) in found


def test_a_smooth_answer_does_not_jump():
    def ask(rows):
        return rows[:, 0], rows[:, 0]

    base = groups(numbers(2))["rows like the training data"]
    assert jumps(numbers(2), base, ask, exact=True) is None
