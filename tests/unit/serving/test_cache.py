"""Rows that come again are answered without the model, and only those."""

import asyncio

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipway.errors import InputError, Issue, NotReadyError, PredictionError
from shipway.model.signature import Outputs
from shipway.serving.batching import Answered, Batcher, Job
from shipway.serving.cache import CacheCount, ResponseCache, keys_of
from shipway.serving.options import CacheOptions
from shipway.serving.slot import ModelSlot
from shipway.testing import FakeClock, FixedRuntime, numbers

DIGEST = "sha256:aa"


class World:
    """A model of two numbers that remembers what it was asked, behind a cache."""

    def __init__(self, answer=None, **options) -> None:
        self.asked: list[list[list[float]]] = []
        self.clock = FakeClock()
        self.counts: list[CacheCount] = []
        self.kept: list[int] = []
        self.function = answer or (lambda rows: Outputs(rows[:, 0], rows[:, 1]))
        self.serve("one")
        self.cache = ResponseCache(
            CacheOptions(enabled=True, **options),
            clock=self.clock.monotonic,
            count=self.counts.append,
            answered=lambda _, outputs: self.kept.append(len(outputs.predictions)),
        )
        self.batcher = Batcher(mode="inline", around=self.cache.answer)

    def serve(self, name: str) -> None:
        def predict(rows):
            self.asked.append(rows.tolist())
            return self.function(rows)

        self.loaded = ModelSlot(FixedRuntime(numbers(2), predict, name=name)).loaded
        self.asked.clear()

    def predict(self, rows) -> Outputs:
        async def ask() -> Answered:
            return await self.batcher.predict(self.loaded, np.array(rows, float), patience=9)

        return asyncio.run(ask()).outputs


def test_a_row_that_comes_again_is_not_asked_again():
    world = World()
    first, second = world.predict([[1, 2]]), world.predict([[1, 2]])
    assert world.asked == [[[1, 2]]]
    assert (first.predictions.tolist(), first.confidences.tolist()) == ([1], [2])
    assert (second.predictions.tolist(), second.confidences.tolist()) == ([1], [2])
    assert second.predictions.dtype == first.predictions.dtype
    assert [count[:4] for count in world.counts] == [(0, 1, 0, 1), (1, 0, 0, 1)]
    assert world.kept == [1]


def test_of_a_batch_only_what_is_new_is_asked():
    world = World()
    world.predict([[1, 0], [2, 0]])
    assert world.predict([[3, 0], [1, 0], [4, 0], [2, 0]]).predictions.tolist() == [3, 1, 4, 2]
    assert world.asked == [[[1, 0], [2, 0]], [[3, 0], [4, 0]]]
    assert world.counts[-1][:4] == (2, 2, 0, 4)
    assert world.kept == [2]


def test_another_model_answers_for_itself():
    world = World()
    world.predict([[1, 2]])
    world.serve("two")
    world.predict([[1, 2]])
    assert world.asked == [[[1, 2]]]


def test_what_is_too_old_is_asked_again():
    world = World(ttl=10)
    world.predict([[1, 2]])
    world.clock.advance(9.9)
    world.predict([[1, 2]])
    world.clock.advance(0.1)
    world.predict([[1, 2]])
    assert len(world.asked) == 2
    assert len(world.cache) == 1


def test_what_was_not_asked_for_longest_goes_first():
    world = World(max_entries=2)
    for row in ([1, 0], [2, 0], [1, 0], [3, 0], [1, 0]):
        world.predict([row])
    assert world.asked == [[[1, 0]], [[2, 0]], [[3, 0]]]
    world.predict([[2, 0]])
    assert len(world.asked) == 4
    assert sum(count.evicted for count in world.counts) == 2


def test_the_memory_is_bounded_and_counted():
    world = World(max_bytes=1000)
    for index in range(20):
        world.predict([[index, 0]])
        assert world.counts[-1].size <= 1000
    assert 0 < len(world.cache) < 5
    world.cache.clear()
    world.predict([[0, 0]])
    assert world.counts[-1].entries == 1
    tiny = World(max_bytes=10)
    assert [tiny.predict([[1, 2]]).predictions.tolist() for _ in range(2)] == [[1], [1]]
    assert len(tiny.asked) == 2


def test_an_error_is_not_kept_and_tells_of_the_right_row():
    def answer(rows):
        bad = np.flatnonzero(rows[:, 0] == 666)
        if len(bad):
            raise InputError([Issue("value_error", (int(bad[0]),), "no such number")])
        return Outputs(rows[:, 0])

    world = World(answer)
    world.predict([[1, 0], [2, 0]])
    for _ in range(2):
        with pytest.raises(InputError) as caught:
            world.predict([[1, 0], [2, 0], [666, 0]])
        assert caught.value.issues[0].loc == (2,)
    assert len(world.cache) == 2


def test_a_queue_that_is_full_by_then_is_said():
    world = World()
    world.predict([[1, 0]])
    said, asked = [], []

    def ask(job: Job) -> None:
        asked.append(job)
        if len(asked) > 1:
            raise NotReadyError("full", "")
        job.done(PredictionError("no"), 0)

    rows = np.array([[1.0, 0.0], [2.0, 0.0]])
    world.cache.answer(Job(world.loaded, rows, lambda *c: said.append(c), lambda: True, 9), ask)
    assert [type(came) for came, _ in said] == [NotReadyError]


def test_a_full_queue_refuses_and_answers_nothing():
    world = World()

    def full(_: Job) -> None:
        raise NotReadyError("full", "")

    said = []
    job = Job(world.loaded, np.zeros((1, 2)), lambda *came: said.append(came), lambda: True, 9)
    with pytest.raises(NotReadyError):
        world.cache.answer(job, full)
    assert said == []


@pytest.mark.parametrize(
    "predictions",
    [
        np.array([1, 2], dtype=np.int32),
        np.array([1.5, np.nan], dtype=np.float32),
        np.array([True, False]),
        np.array(["a", "longer"]),
        np.array(["a", None, 2][:2], dtype=object),
        np.array([[1.0, 2.0], [3.0, 4.0]]),
    ],
    ids=["int", "float", "bool", "text", "object", "several outputs"],
)
def test_answers_of_every_kind_come_back_as_they_were(predictions):
    world = World(lambda rows: Outputs(predictions[rows[:, 0].astype(int)]))
    fresh = world.predict([[0, 0], [1, 0]]).predictions
    kept = world.predict([[1, 0], [0, 0]]).predictions
    assert repr(kept[::-1].tolist()) == repr(fresh.tolist())
    assert (kept.dtype.kind in "biuf") == (fresh.dtype.kind in "biuf")
    assert len(world.asked) == 1


cells = st.none() | st.floats(allow_nan=False) | st.just(float("nan")) | st.text(max_size=4)


@given(st.lists(cells, min_size=1, max_size=3), st.lists(cells, min_size=1, max_size=3))
def test_equal_rows_have_equal_keys_and_others_have_not(one, two):
    keys = [keys_of(DIGEST, _array(row))[0] for row in (one, one, two)]
    assert keys[0] == keys[1]
    assert (keys[0] == keys[2]) == (repr(one) == repr(two))
    assert keys_of("sha256:bb", _array(one))[0] != keys[0]


@given(st.lists(st.floats(allow_nan=False), min_size=2, max_size=2), st.integers(1, 4))
def test_a_key_is_the_rows_wherever_it_stands(row, count):
    rows = np.array([[7.0, 7.0]] * count + [row])
    assert keys_of(DIGEST, rows)[-1] == keys_of(DIGEST, np.array([row]))[0]
    assert keys_of(DIGEST, rows[:, ::-1])[-1] == keys_of(DIGEST, np.array([row[::-1]]))[0]


def _array(row):
    made = np.empty((1, len(row)), dtype=object)
    made[0] = row
    return made
