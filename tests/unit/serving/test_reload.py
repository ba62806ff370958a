import threading
from dataclasses import replace

import pytest

from shipway.errors import (
    CorruptModelError,
    Error,
    IncompatibleModelError,
    ModelNotFoundError,
    UnsafeModelError,
)
from shipway.model.spec import Artifact, ModelSpec, sha256
from shipway.serving.reload import Refusals, Taker, Watcher, follow, kind_of, warm
from shipway.serving.slot import ModelSlot, require_same_features
from shipway.testing import FakeClock, FixedRuntime, MemorySource, numbers


def runtime(name: str, features: int = 2, answer: float = 1.0) -> FixedRuntime:
    return FixedRuntime(numbers(features), lambda rows: [answer] * len(rows), name=name)


class FakeTrial:
    """Answers after ``polls`` looks with the runtime of the file's name, or with an error."""

    def __init__(self, outcome: ModelSpec | Error, polls: int = 0) -> None:
        self.outcome = outcome
        self.polls = polls
        self.cancelled = False

    def poll(self) -> ModelSpec | None:
        if self.polls:
            self.polls -= 1
            return None
        if isinstance(self.outcome, Error):
            raise self.outcome
        return self.outcome

    def cancel(self) -> None:
        self.cancelled = True


class World:
    """A watcher over a file whose content is the name of the model in it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.source = MemorySource(b"one")
        self.current = runtime("one").spec
        self.outcomes: dict[bytes, FakeTrial] = {}
        self.trials: list[FakeTrial] = []
        self.refused: list[Error] = []
        self.watcher = Watcher(
            self.source,
            self.try_out,
            current=lambda: self.current.identity,
            fits=lambda new: require_same_features(self.current.signature, new),
            refused=self.refused.append,
            clock=self.clock,
            interval=1.0,
            seen=self.source.fingerprint(),
        )

    def try_out(self) -> FakeTrial:
        data = self.source.read().data
        trial = self.outcomes.get(data) or FakeTrial(runtime(data.decode()).spec)
        self.trials.append(trial)
        return trial

    def looks(self, count: int) -> list[bytes]:
        """What is taken in ``count`` looks; taking is what the server does."""
        taken = []
        for _ in range(count):
            self.clock.advance(1.0)
            found = self.watcher.step()
            if found is not None:
                self.current = found.spec
                taken.append(found.artifact.data)
        return taken


@pytest.fixture
def world() -> World:
    return World()


def test_a_new_file_is_taken_once_it_holds_still(world):
    world.source.replace(b"two")
    assert world.looks(1) == []
    assert world.looks(1) == [b"two"]
    assert world.looks(5) == []


def test_the_same_bytes_as_another_version_are_taken(world):
    world.source.register("iris/2")
    spec = replace(world.current, registered="iris/2")
    world.outcomes[world.source.read().data] = FakeTrial(spec)
    assert world.looks(2) == [world.source.read().data]
    assert world.current.registered == "iris/2"
    assert world.looks(5) == []


def test_nothing_happens_between_two_looks(world):
    world.source.replace(b"two")
    world.clock.advance(0.9)
    assert world.watcher.step() is None
    assert world.trials == []


def test_an_unchanged_file_is_never_tried(world):
    assert world.looks(10) == []
    assert world.trials == []


def test_a_file_that_keeps_changing_is_left_alone_until_it_stops(world):
    for step in range(5):
        world.source.replace(f"part {step}".encode())
        assert world.looks(1) == []
    assert world.trials == []
    assert world.looks(1) == [b"part 4"]


def test_the_same_content_written_again_is_not_tried(world):
    world.source.replace(b"one")
    assert world.looks(5) == []
    assert world.trials == []


def test_a_deleted_file_keeps_the_model_and_a_new_one_is_taken(world):
    world.source.replace(None)
    assert world.looks(3) == []
    world.source.replace(b"two")
    assert world.looks(2) == [b"two"]
    assert world.refused == []


def test_a_deleted_file_that_comes_back_as_it_was_changes_nothing(world):
    world.source.replace(None)
    world.looks(2)
    world.source.replace(b"one")
    assert world.looks(3) == []
    assert world.refused == []


def test_a_bad_file_is_refused_once_and_tried_again_only_when_it_changes(world):
    world.outcomes[b"bad"] = FakeTrial(UnsafeModelError("It would run os.system"))
    world.source.replace(b"bad")
    assert world.looks(6) == []
    assert [error.message for error in world.refused] == ["It would run os.system"]
    world.source.replace(b"bad")
    world.looks(6)
    assert len(world.refused) == 2
    world.source.replace(b"good")
    assert world.looks(2) == [b"good"]


def test_a_model_with_other_features_is_refused(world):
    world.outcomes[b"wide"] = FakeTrial(runtime("wide", features=3).spec)
    world.source.replace(b"wide")
    assert world.looks(4) == []
    assert [type(error) for error in world.refused] == [IncompatibleModelError]
    assert world.refused[0].message == ("The new model takes 3 features, the one in service 2.")


def test_a_file_that_vanishes_before_it_is_read_is_refused_and_watched_on(world):
    class Vanishing(MemorySource):
        def read(self) -> Artifact:
            raise ModelNotFoundError("There is no model file")

    gone = Vanishing(b"two")
    gone.replace(b"two")
    world.watcher._source = gone
    assert world.looks(3) == []
    assert [type(error) for error in world.refused] == [ModelNotFoundError]


def test_a_trial_is_polled_at_every_step_and_no_second_one_begins_meanwhile(world):
    world.outcomes[b"slow"] = FakeTrial(runtime("slow").spec, polls=3)
    world.source.replace(b"slow")
    assert world.looks(2) == []
    assert world.watcher.busy
    assert world.watcher.step() is None
    assert world.watcher.step() is None
    found = world.watcher.step()
    assert found is not None
    assert found.artifact.data == b"slow"
    assert len(world.trials) == 1
    assert not world.watcher.busy


def test_what_is_taken_is_what_was_tried_although_the_file_changed_meanwhile(world):
    """The trial reads the path later than we do: when it saw other bytes, all begins afresh."""
    world.outcomes[b"two"] = FakeTrial(runtime("three").spec, polls=1)
    world.source.replace(b"two")
    assert world.looks(2) == []
    world.source.replace(b"three")
    taken = world.looks(5)
    assert taken == [b"three"]
    assert world.current.digest == sha256(b"three")
    assert world.refused == []


def test_close_ends_the_trial_under_way(world):
    trial = world.outcomes[b"slow"] = FakeTrial(runtime("slow").spec, polls=99)
    world.source.replace(b"slow")
    world.looks(2)
    world.watcher.close()
    assert trial.cancelled
    assert not world.watcher.busy


def taker(slot: ModelSlot, load, told: list) -> Taker:
    return Taker(
        slot=slot,
        load=load,
        swapped=lambda spec: told.append(("swapped", spec.digest)),
        converted=lambda spec: told.append(("converted", spec.converted)),
        refused=lambda error: told.append(("refused", kind_of(error))),
    )


def test_taking_swaps_the_slot_and_tells_it():
    slot, told = ModelSlot(runtime("one")), []
    taker(slot, lambda artifact: runtime(artifact.name), told)(Artifact("two", b"", sha256(b"two")))
    assert slot.current.spec.digest == sha256(b"two")
    assert told == [("swapped", sha256(b"two"))]


def test_the_model_in_service_comes_again_when_it_is_converted():
    slot, told = ModelSlot(runtime("one")), []
    fast = FixedRuntime(numbers(2), lambda _: [1.0], name="one", converted="sha256:fast")
    taker(slot, lambda _: fast, told)(Artifact("one", b"", sha256(b"one")))
    assert slot.current is fast
    assert told == [("converted", "sha256:fast")]


def test_the_model_in_service_comes_again_for_nothing():
    slot, told = ModelSlot(runtime("one")), []
    before = slot.loaded
    taker(slot, lambda _: runtime("one"), told)(Artifact("one", b"", sha256(b"one")))
    assert slot.loaded is before
    assert told == []


@pytest.mark.parametrize(
    ("load", "kind"),
    [
        (lambda _: (_ for _ in ()).throw(CorruptModelError("cut off")), "corrupt_model"),
        (lambda _: (_ for _ in ()).throw(MemoryError), "other"),
        (lambda _: runtime("wide", features=5), "incompatible_model"),
        (lambda _: FixedRuntime(numbers(2), lambda _: 1 / 0), "prediction"),
    ],
    ids=["broken", "no memory", "other features", "fails its warm-up row"],
)
def test_what_cannot_be_taken_leaves_the_old_model(load, kind):
    old = runtime("one")
    slot, told = ModelSlot(old), []
    taker(slot, load, told)(Artifact("two", b"", sha256(b"two")))
    assert slot.current is old
    assert told == [("refused", kind)]


def test_warming_up_lets_the_model_answer_one_row():
    shapes = []
    model = FixedRuntime(numbers(3), lambda rows: shapes.append(rows.shape) or [0.0])
    assert warm(model) is model
    assert shapes == [(1, 3)]


def test_a_refusal_is_one_log_line_and_one_count(caplog):
    counted: list[str] = []
    Refusals(counted.append)(UnsafeModelError("It would run os.system", "Look at: shipway check"))
    assert counted == ["unsafe_model"]
    (line,) = (record.getMessage() for record in caplog.records)
    assert line == (
        "The new model file is refused, the model in service stays: "
        "It would run os.system (hint: Look at: shipway check)"
    )


def test_a_mistake_of_ours_is_logged_and_the_watch_goes_on(caplog):
    stop = threading.Event()
    taken: list[bytes] = []

    class Stumbling:
        steps = 0

        def step(self):
            self.steps += 1
            if self.steps == 1:
                raise RuntimeError("a mistake")
            stop.set()

        def close(self):
            taken.append(b"closed")

    follow([Stumbling()], print, stop)
    assert taken == [b"closed"]
    assert "The new model file could not be taken" in caplog.text
