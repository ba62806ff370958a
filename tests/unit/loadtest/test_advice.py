"""What the numbers of a saturated server mean."""

import pytest
from tests.unit.loadtest.loads import load

from shipway.loadtest.advice import Seen, advise, limit_of

GIGABYTE = 10**9


def seen(*shares, cores=4, memory=None, free=0):
    spent = {pid: 2.0 * share for pid, share in enumerate(shares, 100)}
    return Seen(cores=cores, spent=spent, seconds=2.0, memory=memory, free=free)


@pytest.mark.parametrize(
    ("shares", "cores", "busy", "limit", "workers"),
    [
        ([0.98], 4, 0.3, "server", 4),
        ([0.0, 0.97, 0.99], 4, 0.3, "server", 4),
        ([1.9], 4, 0.3, "server", 2),
        ([3.8], 2, 0.1, "server", 1),
        ([0.7, 0.7], 2, 0.5, "machine", 2),
        ([0.4], 4, 0.99, "generator", None),
        ([0.4], 4, 0.1, "model", 1),
        ([], 4, 0.1, "unknown", None),
        ([], 4, 0.99, "generator", None),
    ],
)
def test_limit_and_workers(shares, cores, busy, limit, workers):
    there = seen(*shares, cores=cores)
    assert limit_of(load(busy=busy), there) == limit
    advice = advise(limit, there)
    assert advice.workers == workers
    assert advice.why


def test_a_supervisor_is_no_worker():
    assert seen(0.01, 0.9, 0.9).workers == 2


def test_no_more_workers_than_there_is_memory_for():
    tight = seen(0.98, cores=8, memory=4 * GIGABYTE, free=5 * GIGABYTE)
    assert advise("server", tight).workers == 2
    assert "memory" in advise("server", tight).why
