"""The names that a model file may refer to: exact, audited, one a line.

The lists are data, ``allowed/<library>.txt``: ``module:qualname`` and, where needed, a flag.
``call`` marks a function: it may be called, but not kept as a value that the model might call
later. ``ref`` marks what may only be referred to. ``new`` marks a class that is created empty and
given its state: its constructor, which may open a file or take all memory, gets no arguments. A
name without a flag is a class that may be called with arguments.
Whole modules or packages are never listed: numpy and scikit-learn hold functions that run code
(ADR 0002).
"""

from __future__ import annotations

import _compat_pickle
from collections.abc import Iterable
from enum import Flag
from functools import cache
from importlib.resources import files

from shipway.model.spec import TrustPolicy

__all__ = ["NUMPY_ALIAS", "Use", "builtin_list", "canonical", "parse", "permitted"]


class Use(Flag):
    """What a listed name may be used for."""

    NONE = 0
    CALL = 1
    REFER = 2
    CREATE = 4
    """Created empty."""
    NEW = 6
    ANY = 7


_FLAGS = {"": Use.ANY, "call": Use.CALL, "new": Use.NEW, "ref": Use.REFER}

NUMPY_ALIAS = ("numpy.core", "numpy._core")
"""NumPy 2 renamed this package; pickles of either era mean the same."""

_MOVED = {
    "sklearn.externals.joblib.numpy_pickle": "joblib.numpy_pickle",
    "numpy.random.pickle": "numpy.random._pickle",
}


def canonical(module: str, name: str) -> tuple[str, str]:
    """The current spelling of a global: Python 2's names and NumPy 1's modules are translated.

    The scan and the unpickler both ask for names only in this spelling.
    """
    module, name = _compat_pickle.NAME_MAPPING.get((module, name), (module, name))
    module = _compat_pickle.IMPORT_MAPPING.get(module, module)
    old, new = NUMPY_ALIAS
    if module == old or module.startswith(old + "."):
        module = new + module[len(old) :]
    return _MOVED.get(module, module), name


def parse(lines: Iterable[str]) -> dict[tuple[str, str], Use]:
    """Read one list: canonical (module, qualname) to what it may be used for.

    Raises:
        ValueError: a line that is no entry.
    """
    found = {}
    for line in lines:
        entry = line.partition("#")[0].split()
        if not entry:
            continue
        module, colon, name = entry[0].partition(":")
        if not (colon and module and name) or len(entry) > 2:
            raise ValueError(f"not an entry of an allow-list: {line!r}")
        found[canonical(module, name)] = _FLAGS[entry[1] if len(entry) == 2 else ""]
    return found


@cache
def builtin_list() -> dict[tuple[str, str], Use]:
    """All lists that ship with the package."""
    found: dict[tuple[str, str], Use] = {}
    for entry in (files("shipway.model") / "allowed").iterdir():
        if entry.name.endswith(".txt"):
            for key, use in parse(entry.read_text("utf-8").splitlines()).items():
                found[key] = found.get(key, Use.NONE) | use
    return found


def permitted(module: str, name: str, policy: TrustPolicy) -> Use:
    """What ``module.name`` (canonical) may be used for under ``policy``; ``Use.NONE``: nothing."""
    if f"{module}.{name}" in policy.names:
        return Use.ANY
    return builtin_list().get((module, name), Use.NONE)
