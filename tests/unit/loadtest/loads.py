"""Loads as a generator would report them."""

from shipway.loadtest.measured import Latency, Load


def load(rate=100.0, p99=0.001, *, seconds=2.0, statuses=None, broken=0, busy=0.1, lag=0.0):
    """A load in which every request that was due got its answer, unless said otherwise."""
    statuses = {200: round(rate * seconds)} if statuses is None else statuses
    return Load(
        generator="shipway",
        seconds=seconds,
        rate=rate,
        statuses=statuses,
        broken=broken,
        latency=Latency(p99 / 4, p99 / 2, p99) if statuses.get(200) else None,
        busy=busy,
        lag=lag,
    )
