"""What a test found, for programs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from shipway.errors import LoadTestError
from shipway.loadtest.advice import Advice, Limit, Seen, advise, limit_of
from shipway.loadtest.measured import Latency, Load
from shipway.loadtest.search import Found

__all__ = ["Memory", "Report"]


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes for each worker; ``kind`` is PSS (shared pages shared out) or RSS (of one process)."""

    each: int
    workers: int
    kind: str


@dataclass(frozen=True, slots=True)
class Report:
    """What was measured, all of it or as far as it went."""

    url: str
    bodies: int
    """Different requests that were sent in turn."""
    connections: int
    loads: tuple[Load, ...]
    """Every load, in order."""
    saturation: Load | None
    seen: Seen | None
    resident: int | None
    """Bytes that /metrics says, of a server elsewhere."""
    found: Found | None
    interrupted: bool = False
    problem: LoadTestError | None = None

    @property
    def complete(self) -> bool:
        """Whether nothing ended it early."""
        return not self.interrupted and self.problem is None

    @property
    def answered(self) -> dict[int, int]:
        """Answers by status, of all loads together."""
        total: Counter[int] = Counter()
        for load in self.loads:
            total.update(load.statuses)
        return dict(sorted(total.items()))

    @property
    def memory(self) -> Memory | None:
        """What one worker needs."""
        if self.seen and self.seen.memory and self.seen.workers:
            return Memory(self.seen.memory // self.seen.workers, self.seen.workers, "PSS")
        return Memory(self.resident, 1, "RSS") if self.resident else None

    @property
    def limit(self) -> Limit:
        """What kept the rate at saturation from being higher."""
        if self.saturation is None or self.seen is None:
            return "unknown"
        return limit_of(self.saturation, self.seen)

    @property
    def advice(self) -> Advice | None:
        """How many workers; None before saturation."""
        return advise(self.limit, self.seen) if self.seen else None

    def document(self) -> dict[str, Any]:
        """All of it as JSON: rates a second, latencies in milliseconds, memory in bytes."""
        memory, advice = self.memory, self.advice
        return {
            "server": self.url,
            "requests": self.bodies,
            "connections": self.connections,
            "complete": self.complete,
            "error": self.problem.message if self.problem else None,
            "saturation": _load(self.saturation) if self.saturation else None,
            "limit": self.limit,
            "p99": _found(self.found) if self.found else None,
            "memory": memory
            and {"per_worker": memory.each, "workers": memory.workers, "kind": memory.kind},
            "suggestion": advice and {"workers": advice.workers, "why": advice.why},
            "answered": {str(status): count for status, count in self.answered.items()},
            "broken": sum(load.broken for load in self.loads),
        }


def _load(load: Load) -> dict[str, Any]:
    return {
        "rate": round(load.rate, 1),
        "latency_ms": _latency(load.latency) if load.latency else None,
        "errors": {str(one): count for one, count in load.statuses.items() if one // 100 != 2},
        "broken": load.broken,
        "seconds": round(load.seconds, 3),
        "generator": load.generator,
        "generator_busy": round(load.busy, 3),
    }


def _latency(found: Latency) -> dict[str, float]:
    return {name: round(getattr(found, name) * 1000, 3) for name in ("p50", "p90", "p99")}


def _found(found: Found) -> dict[str, Any]:
    return {
        "limit_ms": found.limit * 1000,
        "rate": round(found.best.rate, 1) if found.best else None,
        "generator_was_the_limit": found.generator_was_the_limit,
        "tried": [
            {"asked": round(step.rate, 1), "kept": step.kept, "late": step.late} | _load(step.load)
            for step in found.steps
        ],
    }
