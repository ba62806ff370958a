"""The words in which a scan's findings are told."""

from __future__ import annotations

from shipway.errors import UnsafeModelError
from shipway.model.scan.findings import ScanReport
from shipway.model.spec import Artifact

__all__ = ["refusal"]

_TOLD = 5


def refusal(artifact: Artifact, report: ScanReport) -> UnsafeModelError:
    """The error for an artifact with findings; its hint says how to allow them, where one can."""
    told = [f"{item.name} ({item.reason}; {item.where})" for item in report.findings[:_TOLD]]
    more = len(report.findings) - len(told)
    if more > 0:
        told.append(f"and {more} more")
    names = list(dict.fromkeys(item.name for item in report.findings))
    trust = f'the whole file: [model] trust = ["{artifact.digest}"]'
    if all(item.allowable for item in report.findings):
        quoted = ", ".join(f'"{name}"' for name in names)
        allow = f"[model] allow = [{quoted}]"
        hint = f"If you know what they do, allow them in shipway.toml: {allow}, or {trust}"
    else:
        hint = f"Do not load it unless you know who made it and how. Then allow {trust}"
    return UnsafeModelError(
        f"Loading {artifact.name} would do what nobody allowed: {'; '.join(told)}.",
        f"{hint}.",
        findings=names,
    )
