"""What a container has to install for a model: exact pins of everything, and nothing else.

The pins come from the environment that just loaded the model and got an answer from it, because
that set is known to work together (PEP 508 markers are evaluated for a Linux container).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata

from packaging.markers import default_environment
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

__all__ = ["Installed", "Lookup", "Pin", "closure", "container_environment", "installed", "pins"]


@dataclass(frozen=True, slots=True)
class Installed:
    """A distribution as the environment has it: its own spelling, version and needs."""

    name: str
    version: str
    requires: tuple[str, ...] = ()


Lookup = Callable[[str], Installed | None]
"""Canonical name → what is installed under it; None: nothing."""


@dataclass(frozen=True, slots=True)
class Pin:
    """One line of a requirements file: ``requirement`` and, when it needs one, the reason."""

    requirement: str
    reason: str = ""


@cache
def installed(name: str) -> Installed | None:
    """The running environment's distribution of that name."""
    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None
    return Installed(found.metadata["Name"], found.version, tuple(found.requires or ()))


def container_environment() -> dict[str, str]:
    """The PEP 508 environment of a Linux container with the running Python."""
    here = {name: str(value) for name, value in default_environment().items()}
    return here | {
        "os_name": "posix",
        "platform_system": "Linux",
        "sys_platform": "linux",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }


@dataclass(slots=True)
class _Need:
    """A distribution that somebody needs, and everything that is said about its version."""

    found: Installed | None
    said: dict[str, SpecifierSet]
    needs: set[str]
    extras: set[str]


def closure(
    roots: Iterable[str], lookup: Lookup, environment: Mapping[str, str]
) -> dict[str, _Need]:
    """Everything that ``roots`` (PEP 508) need, themselves included, by canonical name.

    Distributions that are not installed (a marker for another machine hid them) are kept, with
    nothing below them.
    """
    everything: dict[str, _Need] = {}
    todo = [("", Requirement(root)) for root in roots]
    while todo:
        by, requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        need = everything.get(name)
        fresh = need is None
        if need is None:
            need = everything[name] = _Need(lookup(name), {}, set(), set())
        if by:
            everything[by].needs.add(name)
        need.said[by] = need.said.get(by, SpecifierSet()) & requirement.specifier
        extras = requirement.extras - need.extras
        need.extras |= extras
        if need.found is not None and (fresh or extras):
            below = _requirements(need.found, need.extras, environment)
            todo += [(name, item) for item in below]
    return everything


def _requirements(
    found: Installed, extras: Iterable[str], environment: Mapping[str, str]
) -> list[Requirement]:
    wanted = []
    for text in found.requires:
        try:
            item = Requirement(text)
        except InvalidRequirement:
            continue  # as pip does with the metadata of very old distributions
        chosen = ["", *extras]
        if item.marker is None or any(
            item.marker.evaluate({**environment, "extra": extra}) for extra in chosen
        ):
            wanted.append(item)
    return wanted


def pins(
    needs: Mapping[str, _Need], recorded: Mapping[str, str], *, without: Iterable[str] = ()
) -> tuple[Pin, ...]:
    """One line per distribution, sorted by name; those ``without`` are installed by other means.

    ``recorded`` are versions that the artifact itself names (name → version): they win over the
    installed ones, because a pickle is only sure to load where it was made. What such a
    distribution needs, and what needs those in turn, was never seen beside that version: it gets
    a range, or no line when nothing else asks for it, and the installer chooses.
    """
    left_out = {str(canonicalize_name(name)) for name in without}
    old = {
        name: version
        for name, version in _canonical(recorded).items()
        if name in needs and _differs(needs[name].found, version)
    }
    free = _unproven(needs, old) - left_out
    lines = []
    for name in sorted(needs.keys() - left_out):
        need = needs[name]
        shown = need.found.name if need.found else name
        if name in old:
            has = need.found.version if need.found else "no version"
            lines.append(
                Pin(f"{shown}=={old[name]}", f"recorded in the model; {has} was installed")
            )
        elif name in free or need.found is None:
            asking = need.said.keys() - free - old.keys()
            if asking:
                why = f"must fit {_listed(old)}" if name in free else "not installed here"
                lines.append(Pin(f"{shown}{_range(need, asking)}", f"not pinned: {why}"))
        else:
            lines.append(Pin(f"{shown}=={Version(need.found.version).public}"))
    return tuple(lines)


def _canonical(recorded: Mapping[str, str]) -> dict[str, str]:
    """Only versions that an index can have: a nightly build of a library is on none."""
    kept = {}
    for name, text in recorded.items():
        try:
            version = Version(text)
        except InvalidVersion:
            continue
        if not version.is_devrelease:
            kept[str(canonicalize_name(name))] = version.public
    return kept


def _differs(found: Installed | None, version: str) -> bool:
    return found is None or Version(found.version).public != version


def _unproven(needs: Mapping[str, _Need], old: Mapping[str, str]) -> set[str]:
    below = {name for top in old for name in _reachable(needs, top)} - old.keys()
    above = {name for name in needs if _reachable(needs, name) & below}
    return (below | above) - old.keys()


def _reachable(needs: Mapping[str, _Need], top: str) -> set[str]:
    seen: set[str] = set()
    todo = set(needs[top].needs)
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo |= needs[name].needs
    return seen


def _range(need: _Need, asking: Iterable[str]) -> str:
    said = SpecifierSet()
    for by in asking:
        said &= need.said[by]
    return str(said)


def _listed(old: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in sorted(old.items()))
