"""How a process comes up: what is announced, and when not."""

import asyncio
import threading

import pytest

from shipway.serving.metrics import Metrics
from shipway.serving.options import ReloadOptions, ServerOptions
from shipway.serving.server import Parts, application
from shipway.testing import FakeClock, FixedRuntime, MemorySource, numbers


@pytest.mark.parametrize("given_up", [False, True])
def test_a_model_is_announced_unless_the_process_was_told_to_end_meanwhile(given_up):
    slots, announced, failures = [], [], []
    told = threading.Event()

    def load(_):
        if given_up:
            slots[0].drain()
            told.set()
        return FixedRuntime(numbers(1), lambda rows: rows[:, 0])

    def app(slot, lifespan):
        slots.append(slot)
        return lifespan

    parts = Parts(
        source=MemorySource(b"model"),
        load=load,
        try_out=lambda: pytest.fail("there is no newer model"),
        app=app,
        metrics=Metrics(),
        version="v1",
        server=ServerOptions(),
        reload=ReloadOptions(enabled=False),
        clock=FakeClock(),
        end=lambda code: pytest.fail(f"ended with {code}"),
    )

    def ready(spec):
        announced.append(spec)
        told.set()

    lifespan = application(parts, failed=failures.append, ready=ready)

    async def begin_and_end():
        async with lifespan(None):
            assert await asyncio.to_thread(told.wait, 30)

    asyncio.run(begin_and_end())
    assert failures == []
    assert len(announced) == (0 if given_up else 1)
