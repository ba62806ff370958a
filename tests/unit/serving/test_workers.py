import pytest

from shipway.serving.workers import Backoff


def test_a_worker_that_lived_long_is_replaced_at_once():
    backoff = Backoff()
    assert [backoff.after(3600.0) for _ in range(5)] == [0.0] * 5


def test_workers_that_die_in_a_row_are_replaced_ever_more_slowly():
    backoff = Backoff()
    assert [backoff.after(0.1) for _ in range(9)] == [0, 0.5, 1, 2, 4, 8, 16, 30, 30]


def test_one_that_lived_ends_the_row():
    backoff = Backoff()
    for _ in range(6):
        backoff.after(0.1)
    assert backoff.after(60.0) == 0
    assert [backoff.after(0.1), backoff.after(0.1)] == [0, 0.5]


@pytest.mark.parametrize("deaths", [100, 5000])
def test_the_wait_stays_bounded(deaths):
    backoff = Backoff(longest=7.0)
    assert [backoff.after(0) for _ in range(deaths)][-1] == 7.0
