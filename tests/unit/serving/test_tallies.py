"""Counting many at once gives what prometheus_client counts one by one."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram

from shipway.serving.tallies import FEW, BulkHistogram, ClassCounts

BOUNDS = (-1.0, 0.0, 0.5, 1.0, 1e300)
EDGES = st.sampled_from([*BOUNDS, math.inf, -math.inf, math.nan, 1.7e308])
VALUES = st.lists(st.floats(-3, 3) | EDGES, max_size=FEW)


def buckets(histogram):
    return [bucket.get() for bucket in histogram._buckets]


@given(VALUES, st.booleans())
def test_a_batch_counts_like_its_values(values, many):
    values = values * (FEW + 1) if many else values
    ours = BulkHistogram("ours", "", buckets=BOUNDS, registry=None)
    theirs = Histogram("theirs", "", buckets=BOUNDS, registry=None)

    ours.observe_many(values)
    for value in values:
        if not math.isnan(value):
            theirs.observe(value)

    assert buckets(ours) == buckets(theirs)
    finite = [value for value in values if math.isfinite(value)]
    assert ours._sum.get() == pytest.approx(sum(finite) if math.isfinite(sum(finite)) else 0)


@given(VALUES)
def test_an_array_counts_like_a_list(values):
    some, same = (BulkHistogram(name, "", buckets=BOUNDS, registry=None) for name in "ab")
    some.observe_many(values)
    same.observe_many(np.array(values))
    assert buckets(some) == buckets(same)


def test_one_value_counts_like_a_batch_of_one():
    one, batch = (BulkHistogram(name, "", buckets=BOUNDS, registry=None) for name in "ab")
    for value in (-2.0, 0.0, 0.7, 1e301):
        one.observe_one(value)
        batch.observe_many([value])
    assert buckets(one) == buckets(batch)
    assert one._sum.get() == batch._sum.get()


def test_classes_are_counted_by_the_names_that_the_model_announced():
    registry = CollectorRegistry()
    counts = ClassCounts(Counter("seen", "", ["class"], registry=registry), (0, 1, True, "red"))
    for values in ([1.0, 1.0, 0.0], ["red", "mauve"], [2.5], [1.0]):
        counts.add(values)
    found = {label: registry.get_sample_value("seen_total", {"class": label}) for label in "01"}
    found["red"] = registry.get_sample_value("seen_total", {"class": "red"})
    found["other"] = registry.get_sample_value("seen_total", {"class": "other"})
    assert found == {"0": 1, "1": 3, "red": 1, "other": 2}
