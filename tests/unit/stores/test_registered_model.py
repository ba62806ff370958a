import json
import logging

import pytest

from shipway.errors import ModelNotFoundError, TrackingError, UnreachableError, UsageError
from shipway.model.registered import RegistryName
from shipway.stores.registered_model import RegisteredModel
from shipway.testing import MemoryRegistry

FILES = {"MLmodel": b"flavors: {sklearn: {pickled_model: model.pkl}}\n"}
AWAY = UnreachableError("The tracking server is away")


@pytest.fixture
def registry():
    made = MemoryRegistry()
    for version in (b"one", b"two", b"three", b"four", b"five"):
        made.add("iris", FILES | {"model.pkl": version})
    made.point("iris", "champion", "1")
    return made


def source(registry, folder, name="models:/iris@champion"):
    return RegisteredModel(registry, RegistryName.parse(name), folder)


def left(folder):
    return sorted(path.name for path in (folder / "iris@champion").glob("*"))


def test_the_first_read_brings_the_model_here(registry, tmp_path):
    model = source(registry, tmp_path)
    assert model.fingerprint() is None
    artifact = model.read()
    assert artifact.data == b"one"
    assert artifact.registered == "iris/1@champion"
    assert model.fingerprint() is not None


def test_a_fixed_version_is_named_without_an_alias(registry, tmp_path):
    artifact = source(registry, tmp_path, "models:/iris/2").read()
    assert (artifact.data, artifact.registered) == (b"two", "iris/2")


def test_reading_again_asks_nobody(registry, tmp_path):
    model = source(registry, tmp_path)
    model.read()
    registry.trouble = AWAY
    assert model.read().data == b"one"


def test_an_alias_that_moved_is_seen_after_a_refresh(registry, tmp_path):
    model = source(registry, tmp_path)
    model.read()
    before = model.fingerprint()
    registry.point("iris", "champion", "2")
    assert model.fingerprint() == before
    model.refresh()
    assert model.fingerprint() != before
    assert model.read().registered == "iris/2@champion"


def test_a_refresh_without_news_changes_nothing(registry, tmp_path):
    model = source(registry, tmp_path)
    model.read()
    before = model.fingerprint()
    model.refresh()
    assert model.fingerprint() == before


def test_a_registry_that_is_away_at_start_leaves_the_earlier_copy_in_use(
    registry, tmp_path, caplog
):
    source(registry, tmp_path).read()
    registry.trouble = AWAY
    with caplog.at_level(logging.WARNING):
        assert source(registry, tmp_path).read().data == b"one"
    assert "the copy of an earlier start is used" in caplog.text


@pytest.mark.parametrize("trouble", [AWAY, TrackingError("no access")])
def test_trouble_at_the_first_start_is_an_error_and_leaves_nothing(registry, tmp_path, trouble):
    registry.trouble = trouble
    with pytest.raises(type(trouble)):
        source(registry, tmp_path).read()
    assert list(tmp_path.iterdir()) == []


def test_no_access_is_an_error_although_there_is_a_copy(registry, tmp_path):
    source(registry, tmp_path).read()
    registry.trouble = TrackingError("no access")
    with pytest.raises(TrackingError):
        source(registry, tmp_path).read()


def test_a_download_that_fails_leaves_the_old_version_and_no_part(registry, tmp_path):
    model = source(registry, tmp_path)
    model.read()
    before = left(tmp_path)
    registry.add("iris", {"README.md": b"no model"})
    registry.point("iris", "champion", "6")
    with pytest.raises(ModelNotFoundError, match="files of version 6 of iris are missing"):
        model.refresh()
    assert left(tmp_path) == before
    assert model.read().data == b"one"


def test_the_latest_versions_are_kept_and_older_ones_go(registry, tmp_path):
    model = source(registry, tmp_path)
    for number in "12345":
        registry.point("iris", "champion", number)
        model.refresh()
    kept = left(tmp_path)
    assert [name.partition("-")[0] for name in kept] == ["3", "4", "5", "current"]
    assert model.read().data == b"five"


def test_what_the_folder_says_of_itself_is_overwritten(registry, tmp_path):
    lie = json.dumps({"model_name": "other", "model_version": "9"}).encode()
    number = registry.add("iris", FILES | {"model.pkl": b"x", "registered_model_meta": lie})
    registry.point("iris", "champion", number)
    assert source(registry, tmp_path).read().registered == f"iris/{number}@champion"


def test_two_processes_with_one_folder_do_not_disturb_each_other(registry, tmp_path):
    one, other = source(registry, tmp_path), source(registry, tmp_path)
    one.read()
    registry.point("iris", "champion", "2")
    other.read()
    assert one.read().data == other.read().data == b"two"
    one.refresh()
    assert one.read().data == b"two"


def test_a_folder_that_cannot_be_made_is_told(registry, tmp_path):
    (tmp_path / "iris@champion").write_text("in the way")
    with pytest.raises(UsageError, match="cannot be written to"):
        source(registry, tmp_path).read()


def test_names_of_models_cannot_leave_the_folder(tmp_path):
    registry = MemoryRegistry()
    registry.add("..", FILES | {"model.pkl": b"x"})
    model = source(registry, tmp_path / "models", "models:/../1")
    assert model.read().registered == "../1"
    assert [path.name for path in tmp_path.iterdir()] == ["models"]
