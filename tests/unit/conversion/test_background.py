"""When a model is converted while it serves, and what becomes of the file."""

import json
import os
from dataclasses import replace

import pytest
from tests.unit.conversion.test_report import report

from shipway.conversion.apart import Kept
from shipway.conversion.background import INTERVAL, Background, unproven
from shipway.conversion.shelf import Shelf
from shipway.errors import ConversionError, Error, MissingPackageError
from shipway.model.spec import Format, ModelSpec, sha256
from shipway.testing import FakeClock, FixedRuntime, MemorySource, numbers

MODEL, OTHER, DATA = b"one", b"two", b"a converted model"
FAST = {"1": (20.0, 10.0), "64": (30.0, 10.0)}
SLOW = {"1": (20.0, 10.0), "64": (30.0, 31.0)}


def spec(name: bytes, **facts: object) -> ModelSpec:
    found = FixedRuntime(numbers(2), lambda _: [1.0], name=name.decode()).spec
    return replace(found, **facts)


def kept(*, speed: dict = FAST, different: int = 0, model: bytes = MODEL) -> Kept:
    made = report(digest=sha256(DATA), different=different)
    made = replace(made, original_digest=sha256(model), speed=speed)
    return Kept(DATA, made.to_json())


class FakeConversion:
    """Is at it for ``polls`` looks, then gives what it made or raises."""

    def __init__(self, outcome: Kept | Error, polls: int = 1) -> None:
        self.outcome = outcome
        self.polls = polls
        self.cancelled = False

    def poll(self) -> Kept | None:
        if self.polls:
            self.polls -= 1
            return None
        if isinstance(self.outcome, Error):
            raise self.outcome
        return self.outcome

    def cancel(self) -> None:
        self.cancelled = True


class World:
    """A model in service, and conversions that end as told."""

    def __init__(self, folder, outcome: Kept | Error) -> None:
        self.clock = FakeClock()
        self.source = MemorySource(MODEL)
        self.current = spec(MODEL)
        self.outcome = outcome
        self.begun: list[FakeConversion] = []
        self.shelf = Shelf(folder / "model.pkl", folder / "kept", {"onnx": "1"})
        self.feed = self.another()

    def another(self) -> Background:
        return Background(
            self.shelf,
            self.source,
            self.begin,
            current=lambda: self.current,
            clock=self.clock,
        )

    def begin(self) -> FakeConversion:
        self.begun.append(FakeConversion(self.outcome))
        return self.begun[-1]

    def steps(self, count: int = 6):
        found = []
        for _ in range(count):
            self.clock.advance(INTERVAL)
            found += [candidate for candidate in [self.feed.step()] if candidate]
        return found


@pytest.fixture
def world(tmp_path):
    return World(tmp_path, kept())


def test_the_model_comes_again_once_the_proven_file_is_kept(world):
    assert world.shelf.find(sha256(MODEL)) is None
    (found,) = world.steps()
    assert found == (world.source.read(), world.current)
    twin = world.shelf.find(sha256(MODEL))
    assert (twin.artifact.data, twin.artifact.digest) == (DATA, sha256(DATA))
    assert len(world.begun) == 1
    assert world.begun[0].cancelled, "what a conversion leaves behind is cleared away"
    assert not world.feed.busy


def test_an_onnx_model_and_one_that_is_converted_already_are_left_alone(world):
    for facts in ({"format": Format.ONNX}, {"converted": "sha256:x"}):
        world.current = spec(MODEL, **facts)
        assert world.steps() == []
    assert world.begun == []


@pytest.mark.parametrize(
    ("outcome", "why"),
    [
        (kept(different=3), "it answers 3 of "),
        (kept(speed=SLOW), "it is not faster: 64 rows took 30 µs, and 31 µs converted"),
        (kept(speed={"1": (20.0, 0.0)}), "it is not faster: 1 rows took 20 µs, and 0 µs"),
        (ConversionError("There is no converter for Odd", "Serve it."), "no converter for Odd"),
    ],
    ids=["different", "slower", "not timed", "no converter"],
)
def test_what_is_not_worth_it_is_remembered(tmp_path, caplog, outcome, why):
    caplog.set_level("INFO")
    world = World(tmp_path, outcome)
    assert world.steps() == []
    assert why in world.shelf.refusal(sha256(MODEL))
    assert caplog.text.count("The model is served as it is, not converted") == 1
    assert world.shelf.find(sha256(MODEL)) is None
    world.feed = world.another()
    assert world.steps() == []
    assert len(world.begun) == 1, "a later start does not try again"


def test_a_missing_converter_is_not_remembered(tmp_path, caplog):
    caplog.set_level("INFO")
    world = World(tmp_path, MissingPackageError("No converters", "pip install them"))
    assert world.steps() == []
    assert "No converters (hint: pip install them)" in caplog.text
    world.outcome, world.feed = kept(), world.another()
    assert len(world.steps()) == 1


def test_one_of_several_converts_and_the_others_take_what_it_made(world):
    first, second = world.feed, world.another()
    assert first.step() is None
    assert first.busy
    world.feed = second
    assert world.steps() == []
    assert not second.busy
    world.feed = first
    assert len(world.steps()) == 1
    world.feed = second
    assert len(world.steps()) == 1
    assert len(world.begun) == 1


def test_another_takes_over_when_the_one_that_converts_goes(world):
    assert world.feed.step() is None
    world.feed.close()
    assert world.begun[0].cancelled
    world.feed = world.another()
    assert len(world.steps()) == 1
    assert len(world.begun) == 2


def test_a_newer_model_ends_the_conversion_of_the_older(world):
    assert world.feed.step() is None
    world.source.replace(OTHER)
    world.current = spec(OTHER)
    world.outcome = kept(model=OTHER)
    (found,) = world.steps()
    assert world.begun[0].cancelled
    assert found.artifact.data == OTHER
    assert world.shelf.find(sha256(MODEL)) is None


def test_what_the_converter_read_of_another_file_is_not_kept(world):
    world.outcome = kept(model=OTHER)
    assert world.feed.step() is None
    assert world.steps(1) == []
    assert not world.shelf.report(sha256(MODEL)).exists()
    world.outcome = kept()
    assert len(world.steps()) == 1


def test_nothing_is_converted_while_another_file_lies_there(world):
    world.source.replace(OTHER)
    assert world.steps() == []
    assert world.begun == []


def test_files_of_others_in_the_folder_stay(tmp_path):
    shelf = Shelf(tmp_path / "model.pkl", tmp_path, {})
    mine = [tmp_path / f"model{number}.pkl" for number in range(30)]
    for path in mine:
        path.write_bytes(MODEL)
    shelf.refuse(sha256(MODEL), "no")
    assert all(path.exists() for path in mine)


def test_a_failure_with_another_file_is_not_remembered_of_this_one(tmp_path):
    world = World(tmp_path, ConversionError("no converter", ""))
    assert world.feed.step() is None
    world.source.replace(OTHER)
    assert world.steps() == []
    assert world.shelf.refusal(sha256(MODEL)) is None


def test_a_file_that_is_not_the_model_in_service_is_not_brought(world):
    assert world.feed.step() is None
    world.source.replace(OTHER)
    assert world.steps() == []


def test_a_folder_that_cannot_be_written_is_said_once(tmp_path, caplog):
    caplog.set_level("INFO")
    (tmp_path / "kept").write_text("a file")
    world = World(tmp_path, kept())
    assert world.steps() == []
    assert caplog.text.count("cannot be written") == 1
    assert world.begun == []


def test_other_packages_or_another_declaration_are_another_conversion(world, tmp_path):
    assert len(world.steps()) == 1
    world.shelf = Shelf(tmp_path / "model.pkl", tmp_path / "kept", {"onnx": "2"})
    assert world.shelf.find(sha256(MODEL)) is None


@pytest.mark.parametrize("damage", ["file", "report", "no json"])
def test_what_its_report_does_not_prove_is_told_once_and_not_used(world, caplog, damage):
    assert len(world.steps()) == 1
    path = world.shelf.report(sha256(MODEL))
    if damage == "file":
        path.with_name(path.name.removesuffix(".parity.json")).write_bytes(b"changed")
    elif damage == "report":
        document = json.loads(path.read_bytes()) | {"equal": False}
        path.write_text(json.dumps(document))
    else:
        path.write_bytes(b"{")
    assert world.shelf.find(sha256(MODEL)) is None
    assert world.shelf.find(sha256(MODEL)) is None
    assert caplog.text.count("the model itself is served") == 1


def test_files_of_many_models_are_cleared_away_oldest_first(tmp_path):
    shelf = Shelf(tmp_path / "model.pkl", tmp_path / "kept", {})
    shelf.folder.mkdir()
    for number in range(30):
        digest = sha256(str(number).encode())
        shelf.keep(digest, DATA, kept(model=str(number).encode()).report)
        for path in (shelf.report(digest), shelf.report(digest).with_suffix("").with_suffix("")):
            os.utime(path, (number, number))
    left = [n for n in range(30) if shelf.find(sha256(str(n).encode()))]
    assert left == list(range(10, 30))


def test_a_file_is_proven_and_faster_or_there_is_a_reason():
    assert unproven(kept()) is None
    assert unproven(kept(speed=SLOW)).startswith("it is not faster")
