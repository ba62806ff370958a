"""Every listed name is what its list says, in the libraries that are installed."""

import importlib
import importlib.util
import inspect
from importlib.resources import files
from pathlib import Path

import pytest
from tests.honest.case import quiet

LISTS = sorted(
    (Path(str(entry)) for entry in (files("shipway.model") / "allowed").iterdir()),
    key=lambda path: path.name,
)


def current(path):
    """(name, flag) of each entry that is no older spelling."""
    text = path.read_text("utf-8").partition("## Older spellings")[0]
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, _, flag = line.partition(" ")
            yield name, flag


def resolve(name):
    module, _, path = name.partition(":")
    found = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    return found


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.stem)
def test_every_name_of_an_installed_library_exists(path):
    missing = []
    with quiet():
        for name, _ in current(path):
            library = name.partition(":")[0].partition(".")[0]
            if importlib.util.find_spec(library) is None:
                pytest.skip(f"{library} is not installed")
            try:
                resolve(name)
            except (ImportError, AttributeError):
                missing.append(name)
    assert missing == []


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.stem)
def test_only_classes_are_created_and_no_class_is_marked_as_a_function(path):
    wrong = []
    with quiet():
        for name, flag in current(path):
            if importlib.util.find_spec(name.partition(":")[0].partition(".")[0]) is None:
                pytest.skip(f"{name} is not installed")
            kind = inspect.isclass(resolve(name))
            # It is handed over as an argument and called: a function with the rights of a class.
            if name == "numpy.random._pickle:__bit_generator_ctor":
                continue
            if (flag in {"", "new"} and not kind) or (flag == "call" and kind):
                wrong.append(name)
    assert wrong == []
