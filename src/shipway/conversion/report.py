"""The parity report: what was compared, what was found, of which files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from shipway.conversion.parity import Difference, GroupResult
from shipway.errors import ParityError

__all__ = ["FORMAT", "ParityReport", "require_proof"]

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityReport:
    """One conversion and its proof; as JSON it is kept beside the converted file.

    ``digest`` is the converted file's, None when it was not kept. ``speed``: rows in a call →
    microseconds a call of the original and of the converted model, on one thread.
    """

    model: str
    original_digest: str
    digest: str | None
    framework: str
    tolerance: float
    groups: tuple[GroupResult, ...]
    versions: Mapping[str, str]
    sample: str | None = None
    speed: Mapping[str, tuple[float, float]] | None = None
    format: int = FORMAT

    @property
    def equal(self) -> bool:
        """Whether the two answer alike, on one row at least."""
        return self.compared > 0 and not any(group.different for group in self.groups)

    @property
    def compared(self) -> int:
        """Rows that both models answered."""
        return sum(group.rows - group.refused for group in self.groups)

    @property
    def largest(self) -> float:
        """The largest relative difference of numbers."""
        return max((group.largest for group in self.groups), default=0.0)

    @property
    def differences(self) -> Sequence[Difference]:
        """Some of the rows on which they differ."""
        return [item for group in self.groups for item in group.differences]

    def document(self) -> dict[str, Any]:
        """The report as plain data; the keys are part of the interface."""
        document: dict[str, Any] = msgspec.to_builtins(self)
        verdict = {"equal": self.equal, "compared": self.compared, "largest": self.largest}
        return {"format": self.format, **verdict, **document}

    def to_json(self) -> bytes:
        """One JSON document, the same for the same report."""
        return (json.dumps(self.document(), indent=2, ensure_ascii=False) + "\n").encode()


def require_proof(digest: str, report: bytes, name: str) -> None:
    """Make sure that a report proves the file with this digest.

    Raises:
        shipway.errors.ParityError: it is no report, it proves another file, or it tells of
            differences.
    """
    hint = "Convert the model again: shipway convert MODEL"
    try:
        document = json.loads(report)
        said, equal = document["digest"], document["equal"]
    except (ValueError, KeyError, TypeError) as exc:
        raise ParityError(f"The parity report of {name} cannot be read", hint) from exc
    if equal is not True:
        raise ParityError(f"The parity report of {name} tells of differences", hint)
    if said != digest:
        raise ParityError(
            f"{name} is not the file that its parity report proves: it has the digest {digest}, "
            f"the report tells of {said}",
            f"Somebody changed the file or the report. {hint}",
        )
