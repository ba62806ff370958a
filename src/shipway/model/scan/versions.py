"""The library versions that an artifact records about itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from shipway.model.scan.values import Global, Table

if TYPE_CHECKING:
    from shipway.model.scan.report import Gathered

__all__ = ["from_state", "is_version"]

_VERSION = re.compile(r"\d+(\.\w+){0,5}([+.-]\w+){0,3}")
_KEYS = {"_sklearn_version": "scikit-learn"}


def is_version(text: object) -> bool:
    """Whether it looks like a version and is short enough to be printed."""
    return isinstance(text, str) and len(text) < 40 and _VERSION.fullmatch(text) is not None


def from_state(gathered: Gathered, owner: Global, state: Table) -> None:
    """Look for a version in the state of an instance.

    scikit-learn writes its version into the state of its own classes only (``BaseEstimator``'s
    ``__getstate__``), so a version in other packages' subclasses is theirs by accident.
    """
    if len(state.pairs) > 400 or not owner.module.startswith("sklearn."):
        return
    for key, package in _KEYS.items():
        version = state.get(key)
        if isinstance(version, str) and is_version(version):
            gathered.version(package, version)
