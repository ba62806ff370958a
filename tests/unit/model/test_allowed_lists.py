"""The allow-lists as data: a reviewer can read them, and no known gadget slipped in."""

import itertools
import re
from fnmatch import fnmatchcase
from importlib.resources import files
from pathlib import Path

import pytest

LISTS = {
    entry.name: entry.read_text("utf-8").splitlines()
    for entry in (files("shipway.model") / "allowed").iterdir()
}
ENTRY = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*( call| new| ref)?")
MODULES_OF_LIST = {
    "catboost.txt": {"catboost"},
    "joblib.txt": {"joblib"},
    "lightgbm.txt": {"lightgbm"},
    "numpy.txt": {"numpy"},
    "pandas.txt": {"pandas"},
    "python.txt": {"_codecs", "builtins", "collections", "copyreg", "datetime", "functools"},
    "scikit-learn.txt": {"_loss", "sklearn"},
    "scipy.txt": {"scipy"},
    "torch.txt": {"torch"},
    "xgboost.txt": {"xgboost"},
}
GADGETS = [
    line
    for line in Path(__file__).with_name("gadgets.txt").read_text("utf-8").splitlines()
    if not line.startswith("#")
]


def sections(lines):
    """The entries below each title of one list."""
    found, title = {}, ""
    for line in lines:
        if line.startswith("## "):
            title = line.removeprefix("## ")
            found[title] = []
        elif line and not line.startswith("#"):
            found[title].append(line)
    return found


def entries():
    for name, lines in LISTS.items():
        for title, group in sections(lines).items():
            for entry in group:
                yield name, title, entry


def test_there_is_one_list_for_each_library():
    assert LISTS.keys() == MODULES_OF_LIST.keys()


@pytest.mark.parametrize("name", sorted(LISTS))
def test_a_list_says_what_it_is_and_what_it_leaves_out(name):
    head = list(itertools.takewhile(lambda line: line.startswith("#"), LISTS[name]))
    assert re.match(r"# [A-Za-z-]+: ", head[0])
    assert "Not listed on purpose" in " ".join(head)


@pytest.mark.parametrize("name", sorted(LISTS))
def test_entries_are_well_formed_and_sorted(name):
    groups = sections(LISTS[name])
    assert groups
    for title, group in groups.items():
        assert group, f"nothing below {title!r}"
        assert [line for line in group if not ENTRY.fullmatch(line)] == []
        names = [line.split()[0] for line in group]
        assert names == sorted(names), title
        assert {entry.partition(".")[0].partition(":")[0] for entry in names} <= MODULES_OF_LIST[
            name
        ]


def test_no_name_is_listed_twice():
    names = sorted(entry.split()[0] for _, _, entry in entries())
    assert [one for one, next_ in itertools.pairwise(names) if one == next_] == []


def test_no_name_is_a_module_or_a_wildcard():
    assert [entry for _, _, entry in entries() if "*" in entry or entry.count(":") != 1] == []


@pytest.mark.parametrize("pattern", GADGETS)
def test_no_known_gadget_is_listed(pattern):
    names = [entry.split()[0] for _, _, entry in entries()]
    assert [name for name in names if fnmatchcase(name, pattern)] == []
