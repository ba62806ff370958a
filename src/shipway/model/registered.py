"""A model in a registry: the name that a user writes, and the version that it stands for."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from urllib.parse import quote

from shipway.errors import SettingError

__all__ = ["RegisteredVersion", "RegistryName", "is_registry_name"]

SCHEME = "models:/"
EXPECTED = re.compile(r"models:/+([^/:@]+)(?:@([\w-]+)|/([1-9]\d*))")


def is_registry_name(text: str) -> bool:
    """Whether this is meant as a name in a registry rather than as a path."""
    return text.startswith("models:")


@dataclass(frozen=True, slots=True)
class RegistryName:
    """``models:/NAME@ALIAS`` or ``models:/NAME/VERSION``; one of alias and number is None."""

    name: str
    alias: str | None = None
    number: str | None = None

    @classmethod
    def parse(cls, text: str) -> RegistryName:
        """The name in this text.

        Raises:
            shipway.errors.SettingError: it names neither an alias nor a version.
        """
        found = EXPECTED.fullmatch(text)
        if found is None:
            raise SettingError(
                f"{text} is no model in a registry",
                "Write models:/NAME@ALIAS, or models:/NAME/VERSION with a whole number.",
            )
        return cls(*found.groups())

    def __str__(self) -> str:
        return SCHEME + self.name + (f"@{self.alias}" if self.alias else f"/{self.number}")

    @property
    def place(self) -> str:
        """A name for a folder: no other model, alias or version has the same."""
        # MLflow keeps v<number> from being an alias, so that both fit behind the same sign.
        return f"{quote(self.name, safe='')}@{self.alias or f'v{self.number}'}"


@dataclass(frozen=True, slots=True)
class RegisteredVersion:
    """One version of a registered model; ``source`` and ``created`` tell it from a namesake."""

    name: str
    number: str
    source: str
    created: int

    @property
    def token(self) -> str:
        """A name for a folder: another one when the registry was emptied and filled anew."""
        facts = f"{self.name}\n{self.number}\n{self.source}\n{self.created}"
        return f"{self.number}-{hashlib.sha256(facts.encode()).hexdigest()[:12]}"
