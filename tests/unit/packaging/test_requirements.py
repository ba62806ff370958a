"""The pins of a project, over environments made up here."""

import pytest

from shipway.packaging.requirements import (
    Installed,
    Pin,
    closure,
    container_environment,
    installed,
    pins,
)

LINUX = container_environment() | {"python_version": "3.11", "python_full_version": "3.11.9"}


def world(**distributions):
    """name="version: need, need" with _ for - in names."""
    found = {}
    for name, text in distributions.items():
        version, _, needs = text.partition(": ")
        dashed = name.replace("_", "-")
        found[dashed] = Installed(dashed, version, tuple(filter(None, needs.split(" & "))))
    return found.get


def lines(lookup, *roots, recorded=None, without=()):
    return [
        pin.requirement
        for pin in pins(closure(roots, lookup, LINUX), recorded or {}, without=without)
    ]


def test_everything_below_a_root_is_pinned_and_nothing_else():
    lookup = world(app="1.0: web>=2 & maths", web="2.5: wire", wire="0.1", maths="3.0", pytest="9")
    assert lines(lookup, "app") == ["app==1.0", "maths==3.0", "web==2.5", "wire==0.1"]
    assert lines(lookup, "app", without=["App"]) == ["maths==3.0", "web==2.5", "wire==0.1"]


@pytest.mark.parametrize(
    ("need", "wanted"),
    [
        ("b; sys_platform != 'win32'", True),
        ("b; sys_platform == 'win32'", False),
        ("b; platform_system == 'Darwin'", False),
        ("b; os_name == 'posix' and python_version >= '3.11'", True),
        ("b; python_version < '3.11'", False),
        ("b; extra == 'more'", False),
    ],
)
def test_markers_are_those_of_a_linux_container(need, wanted):
    assert ("b==1" in lines(world(a=f"1: {need}", b="1"), "a")) is wanted


def test_extras_bring_their_packages():
    lookup = world(a="1: b & c[fast]", b="1: c", c="1: d ; extra == 'fast'", d="2")
    assert lines(lookup, "a") == ["a==1", "b==1", "c==1", "d==2"]


def test_circles_end():
    assert lines(world(a="1: b", b="1: a"), "a") == ["a==1", "b==1"]


def test_names_keep_their_own_spelling_and_are_one_however_they_are_written():
    lookup = {
        "typing-extensions": Installed("typing_extensions", "4.1"),
        "a": Installed("a", "1", ("Typing.Extensions",)),
    }.get
    assert lines(lookup, "a", "typing_extensions") == ["a==1", "typing_extensions==4.1"]


def test_a_local_version_is_pinned_by_what_an_index_knows():
    assert lines(world(torch="2.13.0+cpu"), "torch") == ["torch==2.13.0"]


def test_the_version_that_the_model_records_wins_and_frees_what_it_constrains():
    lookup = world(
        shipway="1: numpy>=1.26 & web",
        learn="1.9: numpy>=1.24 & science & newer",
        science="1.17: numpy",
        newer="1",
        numpy="2.4",
        frames="3: numpy>=2",
        web="1",
    )
    needs = closure(["shipway", "learn>=1.4", "frames>=2.2"], lookup, LINUX)
    assert pins(needs, {"learn": "1.5.2"}, without=["shipway"]) == (
        Pin("frames>=2.2", "not pinned: must fit learn 1.5.2"),
        Pin("learn==1.5.2", "recorded in the model; 1.9 was installed"),
        Pin("numpy>=1.26", "not pinned: must fit learn 1.5.2"),
        Pin("web==1"),
    )


def test_the_same_version_recorded_changes_nothing():
    lookup = world(learn="1.9.1: numpy", numpy="2.4")
    assert lines(lookup, "learn", recorded={"learn": "1.9.1"}) == ["learn==1.9.1", "numpy==2.4"]


@pytest.mark.parametrize("version", ["1.6.dev0", "what?", "1.9.1+mine"])
def test_a_recorded_version_that_no_index_has_does_not_win(version):
    assert lines(world(learn="1.9.1"), "learn", recorded={"learn": version}) == ["learn==1.9.1"]


def test_what_is_not_installed_here_gets_its_range():
    needs = closure(["a"], world(a="1: b>=2,<3"), LINUX)
    assert pins(needs, {}) == (Pin("a==1"), Pin("b<3,>=2", "not pinned: not installed here"))


def test_metadata_that_cannot_be_read_is_passed_over():
    lookup = {
        "a": Installed("a", "1", ("this is (not) a requirement", "b")),
        "b": Installed("b", "1"),
    }.get
    assert lines(lookup, "a") == ["a==1", "b==1"]


def test_the_running_environment_is_looked_up():
    found = installed("numpy")
    assert found is not None
    assert found.name == "numpy"
    assert installed("surely-not-installed") is None


def test_no_development_tool_gets_into_an_image():
    needs = closure(["shipway", "scikit-learn"], installed, LINUX)
    names = {pin.requirement.partition("=")[0] for pin in pins(needs, {})}
    assert {"fastapi", "uvicorn", "numpy", "scikit-learn", "scipy"} <= names
    assert not names & {"pytest", "ruff", "mypy", "hypothesis", "httpx", "uv", "hatchling", "pip"}
