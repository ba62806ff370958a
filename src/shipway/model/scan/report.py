"""What a scan gathers on its way, shared by all parts of one file."""

from __future__ import annotations

from shipway.model import allowlist
from shipway.model.allowlist import Use
from shipway.model.scan.findings import Finding
from shipway.model.spec import TrustPolicy

__all__ = ["Gathered"]

_MOST = 100


class Gathered:
    """Findings, names and versions; each offending name is told once."""

    def __init__(self, policy: TrustPolicy) -> None:
        self.policy = policy
        self.findings: list[Finding] = []
        self.names: set[str] = set()
        self.versions: dict[str, str] = {}
        self._told: set[tuple[str, str]] = set()

    def find(self, name: str, reason: str, where: str, *, allowable: bool = False) -> None:
        """Note something that nobody allowed."""
        if (name, reason) in self._told or len(self.findings) >= _MOST:
            return
        self._told.add((name, reason))
        self.findings.append(Finding(name, reason, where, allowable))

    def use(self, module: str, name: str, where: str) -> Use:
        """Note that a global is referred to; the answer is what it may be used for."""
        full = f"{module}.{name}"
        self.names.add(full)
        use = allowlist.permitted(module, name, self.policy)
        if not use:
            self.find(full, "it is not on the allow-list", where, allowable=True)
        return use

    def version(self, package: str, version: str) -> None:
        """Note the version that the artifact records for a package; the first one counts."""
        self.versions.setdefault(package, version)
