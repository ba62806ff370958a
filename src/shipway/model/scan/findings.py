"""What a scan reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shipway.model.spec import Format

__all__ = ["Finding", "ScanReport"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that loading the file would do and that nobody allowed.

    ``name`` is the offending name ("os.system") or, where no name is at fault, what was met
    ("trailing bytes"). ``where`` says in which part and at which byte. ``allowable`` tells
    whether ``[model] allow`` can permit it: a name can, a broken or lying structure cannot.
    """

    name: str
    reason: str
    where: str
    allowable: bool = False


@dataclass(frozen=True, slots=True)
class ScanReport:
    """What an artifact would do when it is loaded, found without loading it.

    ``names`` are all globals that it refers to, as "module.name". ``versions`` maps a package
    (by its name on the index) to the version that the artifact records.
    """

    format: Format
    findings: tuple[Finding, ...] = ()
    names: frozenset[str] = frozenset()
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def safe(self) -> bool:
        """Nothing was found."""
        return not self.findings
