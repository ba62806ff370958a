"""The search for the highest rate, against servers that are formulas."""

import pytest
from tests.unit.loadtest.loads import load

from shipway.loadtest.search import Found, highest_rate, kept

LIMIT = 0.010


def search(answer, top=1000.0):
    return Found(LIMIT, tuple(highest_rate(answer, top=top, limit=LIMIT)))


@pytest.mark.parametrize("breaks", [20.0, 300.0, 940.0])
def test_it_comes_within_five_percent_of_where_the_promise_breaks(breaks):
    found = search(lambda rate: load(rate, 0.005 if rate <= breaks else 0.5))
    assert 0.94 * breaks <= found.best.rate <= breaks
    assert not found.generator_was_the_limit


def test_no_rate_at_all():
    found = search(lambda rate: load(rate, 0.020))
    assert found.best is None
    assert not found.generator_was_the_limit


def test_one_stall_of_the_machine_is_forgiven():
    stalls = iter([0.5])
    found = search(lambda rate: load(rate, next(stalls, 0.001)))
    assert found.best.rate > 940
    assert [step.kept for step in found.steps[:2]] == [False, True]


def test_a_generator_that_cannot_send_on_time_is_told_from_a_slow_server():
    busy = search(lambda rate: load(rate, 0.001 if rate < 400 else 0.5, busy=rate / 400))
    assert busy.generator_was_the_limit
    lagging = search(lambda rate: load(rate, 0.001 if rate < 400 else 0.5, lag=rate / 40_000))
    assert lagging.generator_was_the_limit


def test_refusals_keep_no_promise():
    assert kept(load(100.0, 0.001), 100.0, LIMIT)
    assert not kept(load(100.0, 0.001, statuses={200: 190, 503: 10}), 100.0, LIMIT)
    assert not kept(load(100.0, 0.001, statuses={503: 200}), 100.0, LIMIT)
    assert not kept(load(100.0, 0.001, broken=5), 100.0, LIMIT)


def test_a_queue_that_grows_keeps_no_promise_however_quick_the_answers():
    assert not kept(load(1000.0, 0.001, statuses={200: 1000}), 1000.0, LIMIT)


def test_few_arrivals_vary_without_being_a_queue():
    assert kept(load(2.0, 0.001, statuses={200: 1}), 2.0, LIMIT)
