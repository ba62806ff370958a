import json
import logging
from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry

from shipway.errors import Error, ModelNotFoundError, TrackingError, UnreachableError
from shipway.model.spec import ModelSpec
from shipway.serving.following import Follower, Reach
from shipway.testing import FixedRuntime, numbers

AWAY = UnreachableError("The tracking server is away")
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def spec(registered: str | None = "iris/3@champion") -> ModelSpec:
    from dataclasses import replace

    return replace(FixedRuntime(numbers(2), lambda rows: rows[:, 0]).spec, registered=registered)


class World:
    """A registry that does what a test says; nothing here waits."""

    def __init__(self, interval: float | None = 0.001) -> None:
        self.refreshes = 0
        self.trouble: Error | None = None
        self.refusal: Error | None = None
        self.notes: list[tuple[str, str, dict[str, str]]] = []
        self.registry = CollectorRegistry()
        self.follower = Follower(
            self.refresh,
            self.note,
            Reach(self.registry),
            where="here.8000",
            interval=interval,
            now=lambda: NOW,
        )

    def refresh(self) -> None:
        self.refreshes += 1
        if self.trouble:
            raise self.trouble

    def note(self, name: str, number: str, text: str) -> None:
        if self.trouble or self.refusal:
            raise self.trouble or self.refusal  # type: ignore[misc]
        self.notes.append((name, number, json.loads(text)))

    def up(self) -> float | None:
        return self.registry.get_sample_value("shipway_model_registry_up")


@pytest.fixture
def world(caplog):
    caplog.set_level(logging.INFO)
    return World()


def warnings(caplog):
    return [record.message for record in caplog.records if record.levelno == logging.WARNING]


def test_it_looks_and_says_that_the_registry_answers(world, caplog):
    world.follower.step()
    world.follower.step()
    assert world.refreshes == 2
    assert world.up() == 1.0
    assert caplog.records == []


def test_a_registry_that_is_away_is_told_once_and_so_is_its_return(world, caplog):
    world.trouble = AWAY
    for _ in range(3):
        world.follower.step()
    assert len(warnings(caplog)) == 1
    assert world.up() == 0.0
    world.trouble = None
    world.follower.step()
    world.follower.step()
    assert world.up() == 1.0
    assert [record.message for record in caplog.records][1:] == [
        "The model registry answers again as it should"
    ]


def test_before_it_is_asked_the_registry_counts_as_up(world):
    assert world.up() == 1.0


def test_an_alias_that_was_removed_is_told_once_and_the_registry_is_up(world, caplog):
    world.trouble = ModelNotFoundError("There is no alias", "Give one.")
    for _ in range(3):
        world.follower.step()
    (told,) = warnings(caplog)
    assert told.endswith("There is no alias (hint: Give one.)")
    assert world.up() == 1.0


def test_a_swap_is_noted_on_the_version_that_serves(world):
    world.follower.swapped(spec())
    world.follower.step()
    facts = {
        "event": "swap",
        "where": "here.8000",
        "when": "2026-01-02T03:04:05+00:00",
        "digest": spec().digest,
    }
    assert world.notes == [("iris", "3", facts)]


def test_a_model_that_came_as_a_file_is_not_noted(world):
    world.follower.swapped(spec(None))
    world.follower.step()
    assert world.notes == []


def test_a_note_waits_for_a_registry_that_is_away(world):
    world.trouble = AWAY
    world.follower.swapped(spec())
    world.follower.step()
    world.follower.step()
    assert world.notes == []
    world.trouble = None
    world.follower.step()
    assert [number for _, number, _ in world.notes] == ["3"]
    world.follower.step()
    assert len(world.notes) == 1


def test_a_note_that_is_refused_is_a_warning_and_not_tried_again(world, caplog):
    world.refusal = TrackingError("no right to write")
    world.follower.swapped(spec())
    for _ in range(3):
        world.follower.step()
    assert len(warnings(caplog)) == 1
    assert "could not be recorded: no right to write" in caplog.text


def test_without_an_interval_it_never_looks_but_notes(caplog):
    world = World(interval=None)
    world.follower.swapped(spec())
    world.follower.step()
    assert (world.refreshes, len(world.notes)) == (0, 1)
