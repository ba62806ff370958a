"""A model registry without a server."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from shipway.errors import Error, ModelNotFoundError
from shipway.model.registered import RegisteredVersion, RegistryName

__all__ = ["MemoryRegistry"]


class MemoryRegistry:
    """A ports.ModelRegistry in memory; ``trouble``, when set, is raised by every call."""

    def __init__(self) -> None:
        self.trouble: Error | None = None
        self.tags: dict[tuple[str, str, str], str] = {}
        self._versions: dict[str, list[Mapping[str, bytes]]] = {}
        self._aliases: dict[tuple[str, str], str] = {}

    def add(self, name: str, files: Mapping[str, bytes]) -> str:
        """Register files, by their path in the model's folder; the number of the version."""
        self._versions.setdefault(name, []).append(dict(files))
        return str(len(self._versions[name]))

    def point(self, name: str, alias: str, number: str) -> None:
        """Let the alias stand for this version."""
        self._aliases[name, alias] = number

    def find(self, name: RegistryName) -> RegisteredVersion:
        """See ports.ModelRegistry."""
        self._answer()
        versions = self._versions.get(name.name, [])
        number = self._aliases.get((name.name, name.alias)) if name.alias else name.number
        if number is None or not 0 < int(number) <= len(versions):
            raise ModelNotFoundError(f"There is no {name}")
        return RegisteredVersion(name.name, number, "memory", int(number))

    def download(self, version: RegisteredVersion, folder: Path) -> None:
        """See ports.ModelRegistry."""
        self._answer()
        for name, content in self._versions[version.name][int(version.number) - 1].items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)

    def tag(self, name: str, number: str, key: str, value: str) -> None:
        """See ports.ModelRegistry."""
        self._answer()
        self.tags[name, number, key] = value

    def _answer(self) -> None:
        if self.trouble is not None:
            raise self.trouble
