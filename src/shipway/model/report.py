"""What can be said of a model file: the facts behind ``shipway check``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from shipway.errors import Error
from shipway.model.scan import ScanReport
from shipway.model.spec import Artifact, ModelSpec

__all__ = ["CheckReport", "Verdict"]

Verdict = Literal["safe", "trusted", "refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """One model file, checked as far as it went: what stopped it is in ``error``.

    ``artifact``, ``scan`` and ``spec`` are None from the first step on that failed.
    """

    path: str
    artifact: Artifact | None = None
    scan: ScanReport | None = None
    trusted: bool = False
    spec: ModelSpec | None = None
    error: Error | None = None

    @property
    def verdict(self) -> Verdict | None:
        """Whether loading runs only what is allowed; None when the content is no model."""
        if self.trusted:
            return "trusted"
        if self.scan is None:
            return None
        return "safe" if self.scan.safe else "refused"

    @property
    def warnings(self) -> tuple[str, ...]:
        """What does not stop the model from being served, but deserves a look."""
        found = []
        if self.trusted and self.scan and not self.scan.safe:
            found.append("trusted by its digest: it may run anything while it loads")
        if self.spec and self.spec.recorded_version and self.spec.installed_version:
            found += _version_warning(self.spec)
        return tuple(found)

    def document(self) -> dict[str, Any]:
        """The report as plain data for ``--json``; the keys are part of the interface."""
        spec, artifact, scan = self.spec, self.artifact, self.scan
        return {
            "path": self.path,
            "size": artifact.size if artifact else None,
            "digest": artifact.digest if artifact else None,
            "format": str(scan.format) if scan else None,
            "framework": spec.framework if spec else None,
            "recorded_version": spec.recorded_version if spec else None,
            "installed_version": spec.installed_version if spec else None,
            "registered": artifact.registered if artifact else None,
            "signature": msgspec.to_builtins(spec.signature) if spec else None,
            "verdict": self.verdict,
            "findings": [msgspec.to_builtins(finding) for finding in scan.findings] if scan else [],
            "warnings": list(self.warnings),
            "error": _error(self.error) if self.error else None,
        }


def _error(error: Error) -> dict[str, str]:
    return {"type": type(error).__name__, "message": error.message, "hint": error.hint}


def _version_warning(spec: ModelSpec) -> list[str]:
    if spec.recorded_version == spec.installed_version:
        return []
    return [
        (
            f"made with {spec.framework} {spec.recorded_version}, "
            f"but {spec.installed_version} is installed: "
            f"it may answer differently; install {spec.framework}=={spec.recorded_version}"
        )
    ]
