"""What every ports.ModelRegistry does: the fake as well as a real MLflow tracking server."""

import uuid

import pytest

from shipway.errors import ModelNotFoundError
from shipway.model.registered import RegistryName
from shipway.stores.location import registry
from shipway.stores.options import MlflowOptions
from shipway.testing import MemoryRegistry


class Fake:
    def __init__(self):
        self.registry = MemoryRegistry()
        self.add, self.point = self.registry.add, self.registry.point

    def tags(self, name, number):
        found = self.registry.tags.items()
        return {key: value for (*of, key), value in found if of == [name, number]}


class Real:
    def __init__(self, tracking):
        self.registry = registry(MlflowOptions(tracking_uri=tracking.url))
        self.add, self.point, self.tags = tracking.add, tracking.point, tracking.tags


@pytest.fixture(params=["fake", "mlflow"])
def world(request):
    if request.param == "fake":
        return Fake()
    return Real(request.getfixturevalue("tracking"))


@pytest.fixture
def name():
    return f"iris {uuid.uuid4().hex}"


pytestmark = pytest.mark.timeout(300)


def test_an_alias_stands_for_the_version_that_it_was_last_pointed_at(world, name):
    first, second = world.add(name, {"MLmodel": b"1"}), world.add(name, {"MLmodel": b"2"})
    world.point(name, "champion", first)
    assert world.registry.find(RegistryName(name, "champion")).number == first
    world.point(name, "champion", second)
    found = world.registry.find(RegistryName(name, "champion"))
    assert (found.name, found.number) == (name, second)
    assert found == world.registry.find(RegistryName(name, number=second))
    assert found.token != world.registry.find(RegistryName(name, number=first)).token


def test_all_files_are_downloaded_as_they_are(world, name, tmp_path):
    files = {"MLmodel": b"flavors: {}\n", "data/deep/model.pt": bytes(range(256)) * 5000}
    number = world.add(name, files | {"a name.txt": b"x"})
    world.registry.download(world.registry.find(RegistryName(name, number=number)), tmp_path)
    found = {
        str(path.relative_to(tmp_path)): path.read_bytes()
        for path in tmp_path.rglob("*")
        if path.is_file()
    }
    assert found == files | {"a name.txt": b"x"}


def test_a_tag_is_written_over_the_earlier_one(world, name):
    number = world.add(name, {"MLmodel": b"1"})
    for value in ("once", "twice"):
        world.registry.tag(name, number, "shipway.serving.here.8000", value)
    assert world.tags(name, number) == {"shipway.serving.here.8000": "twice"}


def test_what_is_not_there_is_an_error_of_its_class(world, name):
    with pytest.raises(ModelNotFoundError):
        world.registry.find(RegistryName(name, "champion"))
    world.add(name, {"MLmodel": b"1"})
    for missing in (RegistryName(name, "champion"), RegistryName(name, number="7")):
        with pytest.raises(ModelNotFoundError):
            world.registry.find(missing)
