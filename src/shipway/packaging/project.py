"""The project that ``shipway init`` writes, as data: which file gets which bytes."""

from __future__ import annotations

from dataclasses import dataclass, field

from shipway.packaging.facts import Facts
from shipway.packaging.texts import TEMPLATES, placeholders, render, requirements_text

__all__ = ["PlannedFile", "ProjectPlan", "plan"]


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """One file: its path inside the project with ``/``, its bytes, its permission bits."""

    path: str
    data: bytes = field(repr=False)
    mode: int = 0o644


@dataclass(frozen=True, slots=True)
class ProjectPlan:
    """Everything that a project consists of, sorted by path."""

    name: str
    model_path: str
    files: tuple[PlannedFile, ...]


def plan(facts: Facts) -> ProjectPlan:
    """The project around a model; pure, so that ``--dry-run`` shows exactly what would happen."""
    about = placeholders(facts)
    files = {path: render(template, about).encode() for path, template in TEMPLATES.items()}
    files |= {
        "requirements.txt": requirements_text(facts).encode(),
        "src/__init__.py": b"",
        f"wheels/{facts.wheel.name}": facts.wheel.data,
        **facts.model,
    }
    planned = tuple(PlannedFile(path, files[path]) for path in sorted(files))
    return ProjectPlan(facts.name, facts.model_path, planned)
