"""What waits shares the next call; nobody waits for company, and nobody pays for another's row."""

import asyncio
import threading
from dataclasses import replace

import numpy as np
import pytest

from shipway.errors import DeadlineError, InputError, Issue, NotReadyError
from shipway.serving.batching import Batcher
from shipway.serving.cost import Cost, measure
from shipway.serving.slot import ModelSlot
from shipway.testing import FixedRuntime, numbers

PATIENT = 60.0


class Held:
    """A model that answers when it is told to, and remembers what it was asked."""

    def __init__(self, width=1):
        self.calls = []
        self.go = threading.Semaphore(0)
        self.began = threading.Semaphore(0)
        self.slot = ModelSlot()
        self.holding = False
        self.slot.swap(FixedRuntime(numbers(width), self.answer))
        self.loaded = self.slot.loaded
        self.calls.clear()
        self.holding = True

    def answer(self, rows):
        self.calls.append(rows[:, 0].tolist())
        if self.holding:
            self.began.release()
            assert self.go.acquire(timeout=10)
        if (rows < 0).any():
            raise InputError([Issue("value_error", (), "negative")])
        return rows[:, 0] * 10

    def release(self, times=1):
        for _ in range(times):
            self.go.release()

    async def begun(self):
        assert await asyncio.to_thread(self.began.acquire, timeout=10)


def row(*values):
    return np.array([[float(value)] for value in values])


async def ask(batcher, held, *values, patience=PATIENT):
    came = await batcher.predict(held.loaded, row(*values), patience=patience)
    return came.outputs.predictions.tolist()


async def queue(batcher, held, *requests):
    """The first request goes to the model, the others wait: their tasks in order."""
    tasks = [asyncio.create_task(ask(batcher, held, *values)) for values in requests[:1]]
    await held.begun()
    tasks += [asyncio.create_task(ask(batcher, held, *values)) for values in requests[1:]]
    await asyncio.sleep(0)
    return tasks


def test_what_waits_while_a_call_runs_shares_the_next_one():
    held = Held()

    async def run():
        batcher = Batcher(mode="thread")
        tasks = await queue(batcher, held, [1], [2], [3, 4], [5])
        held.release(2)
        return await asyncio.gather(*tasks)

    assert asyncio.run(run()) == [[10.0], [20.0], [30.0, 40.0], [50.0]]
    assert held.calls == [[1.0], [2.0, 3.0, 4.0, 5.0]]


def test_a_call_takes_no_more_rows_than_the_limit_but_one_request_may():
    held = Held()

    async def run():
        batcher = Batcher(mode="thread", most_rows=2)
        tasks = await queue(batcher, held, [1], [2], [3], [4, 5, 6], [7])
        held.release(4)
        return await asyncio.gather(*tasks)

    asyncio.run(run())
    assert held.calls == [[1.0], [2.0, 3.0], [4.0, 5.0, 6.0], [7.0]]


@pytest.mark.parametrize("gone", [{0}, {1}, {2}, {3}, {1, 2}, {0, 3}, {1, 2, 3}, {0, 1, 2, 3}])
def test_a_client_that_goes_leaves_no_trace_at_any_place(gone):
    held = Held()

    async def run():
        batcher = Batcher(mode="thread")
        tasks = await queue(batcher, held, [0], [1], [2], [3])
        for index in gone:
            tasks[index].cancel()
        await asyncio.sleep(0)
        held.release(3)
        found = await asyncio.gather(*tasks, return_exceptions=True)
        again = await ask(batcher, held, 9)
        return found, again

    found, again = asyncio.run(run())
    for index, came in enumerate(found):
        if index in gone:
            assert isinstance(came, asyncio.CancelledError)
        else:
            assert came == [index * 10.0]
    stayed = [float(index) for index in range(1, 4) if index not in gone]
    assert held.calls == [[0.0], *([stayed] if stayed else []), [9.0]]
    assert again == [90.0]


def test_one_bad_row_fails_alone():
    held = Held()

    async def run():
        batcher = Batcher(mode="thread")
        tasks = await queue(batcher, held, [1], [2], [-3], [4])
        held.release(5)
        return await asyncio.gather(*tasks, return_exceptions=True)

    first, second, bad, last = asyncio.run(run())
    assert [first, second, last] == [[10.0], [20.0], [40.0]]
    assert isinstance(bad, InputError)


def test_more_waiting_than_allowed_is_refused_at_once_and_recovers():
    held = Held()

    async def run():
        batcher = Batcher(mode="thread", most_waiting=2)
        tasks = await queue(batcher, held, [1], [2], [3])
        with pytest.raises(NotReadyError, match="Too many requests wait for the model: 2"):
            await ask(batcher, held, 4)
        held.release(2)
        await asyncio.gather(*tasks)
        held.release()
        return await ask(batcher, held, 5)

    assert asyncio.run(run()) == [50.0]


def test_what_comes_too_late_is_not_computed():
    held = Held()
    now = [0.0]

    async def run():
        batcher = Batcher(mode="thread", clock=lambda: now[0])
        tasks = await queue(batcher, held, [1])
        late = asyncio.create_task(ask(batcher, held, 2, patience=0.5))
        patient = asyncio.create_task(ask(batcher, held, 3, patience=5))
        await asyncio.sleep(0)
        now[0] = 1.0
        held.release(2)
        return await asyncio.gather(*tasks, late, patient, return_exceptions=True)

    first, late, patient = asyncio.run(run())
    assert (first, patient) == ([10.0], [30.0])
    assert isinstance(late, DeadlineError)
    assert held.calls == [[1.0], [3.0]]


def test_two_models_never_share_a_call():
    held = Held()
    old = held.loaded

    async def run():
        batcher = Batcher(mode="thread")
        tasks = await queue(batcher, held, [1], [2])
        held.holding = False
        held.slot.swap(FixedRuntime(numbers(1), lambda rows: rows[:, 0] * 100, name="new"))
        held.loaded = held.slot.loaded
        tasks += [asyncio.create_task(ask(batcher, held, 3))]
        await asyncio.sleep(0)
        held.release(2)
        return await asyncio.gather(*tasks)

    assert asyncio.run(run()) == [[10.0], [20.0], [300.0]]
    assert held.calls == [[1.0], [2.0]]
    assert old is not held.loaded


def test_a_cheap_model_is_called_on_the_loop_a_dear_one_in_a_thread():
    where = []

    def answer(rows):
        where.append(threading.current_thread())
        return rows[:, 0]

    loaded = ModelSlot(FixedRuntime(numbers(1), answer)).loaded
    cheap = replace(loaded, cost=Cost(one=10e-6, few=20e-6, many=100e-6))
    dear = replace(loaded, cost=Cost(one=10e-3, few=10e-3, many=10e-3))
    batcher = Batcher()
    assert batcher.inline(cheap, 64)
    assert not batcher.inline(cheap, 10_000), "it would keep the loop from other connections"
    assert not batcher.inline(dear, 1)
    assert not Batcher(mode="thread").inline(cheap, 1)
    assert Batcher(mode="inline").inline(dear, 10_000)

    async def run(mode):
        where.clear()
        await Batcher(mode=mode).predict(loaded, row(1), patience=PATIENT)
        return where == [threading.current_thread()]

    assert asyncio.run(run("inline"))
    assert not asyncio.run(run("thread"))


def test_a_call_is_counted_once_with_its_requests():
    held, seen = Held(), []

    def observe(loaded, came, requests):
        seen.append((len(came.outputs.predictions), requests))

    async def run():
        batcher = Batcher(mode="thread", observe=observe)
        tasks = await queue(batcher, held, [1], [2, 3], [4])
        held.release(2)
        await asyncio.gather(*tasks)

    asyncio.run(run())
    assert seen == [(1, 1), (3, 2)]


def test_cost_is_a_line_through_the_measured_sizes():
    cost = Cost(one=1.0, few=8.0, many=64.0)
    assert [cost.estimate(rows) for rows in (1, 4, 8, 36, 64, 128)] == [1, 4, 8, 36, 64, 128]


def test_measuring_takes_the_median_and_bounds_itself():
    now = [0.0]
    lengths = []

    def answer(rows):
        lengths.append(len(rows))
        now[0] += 0.02
        return rows[:, 0]

    cost = measure(FixedRuntime(numbers(1), answer), clock=lambda: now[0])
    assert cost == Cost(*[pytest.approx(0.02)] * 3)
    assert lengths == [1] * 3 + [8] * 3 + [64] * 3


def test_a_model_that_fails_on_examples_is_never_called_on_the_loop():
    def answer(rows):
        raise ValueError("no")

    assert measure(FixedRuntime(numbers(1), answer)).one == float("inf")
