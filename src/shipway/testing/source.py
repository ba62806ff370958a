"""A model file without a disk."""

from __future__ import annotations

from shipway.errors import ModelNotFoundError
from shipway.model.spec import Artifact, sha256

__all__ = ["MemorySource"]


class MemorySource:
    """A ports.ModelSource over bytes in memory; None: nothing there."""

    def __init__(self, data: bytes | None, name: str = "model.pkl") -> None:
        self._data = data
        self._name = name
        self._generation = 0
        self._registered: str | None = None

    def replace(self, data: bytes | None) -> None:
        """Put another file in place, or take it away; equal bytes are a new file all the same."""
        self._data = data
        self._generation += 1

    def register(self, name: str) -> None:
        """Say that the file is this version of a registered model: ``NAME/VERSION``."""
        self._registered = name
        self._generation += 1

    def fingerprint(self) -> str | None:
        """Another one after each ``replace``."""
        return None if self._data is None else str(self._generation)

    def read(self) -> Artifact:
        """The bytes."""
        if self._data is None:
            raise ModelNotFoundError(f"There is no model {self._name}")
        facts = {"registered": self._registered} if self._registered else None
        return Artifact(self._name, self._data, sha256(self._data), mlmodel=facts)
