"""What the numbers say: who was the limit, and how many workers this machine should have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from shipway.loadtest.measured import Load

__all__ = ["Advice", "Limit", "Seen", "advise", "limit_of"]

Limit = Literal["server", "generator", "machine", "model", "unknown"]

_BUSY = 0.85
"""Share of a core from which on a worker has nothing left to give."""
_FULL = 0.92
"""Share of all cores, likewise."""
_IDLE = 0.05
"""A process that used less of a core than this beside the busiest one answers nothing."""
_ALMOST = 0.1


@dataclass(frozen=True, slots=True)
class Seen:
    """The server's processes while it was saturated; empty when they are on another machine."""

    cores: int
    spent: Mapping[int, float]
    """CPU seconds by process."""
    seconds: float
    memory: int | None = None
    """Bytes of all its processes together."""
    free: int = 0
    """Bytes that the machine has left."""

    @property
    def workers(self) -> int:
        """Processes that answered: a supervisor only watches."""
        most = max(self.spent.values(), default=0.0)
        return sum(spent > _IDLE * most for spent in self.spent.values())

    @property
    def share(self) -> float:
        """Cores that one worker used, on average."""
        return sum(self.spent.values()) / self.seconds / max(self.workers, 1)


@dataclass(frozen=True, slots=True)
class Advice:
    """How many workers, and why in one sentence."""

    workers: int | None
    why: str


def limit_of(load: Load, seen: Seen) -> Limit:
    """What kept the rate from being higher."""
    if not seen.workers:
        return "generator" if load.busy >= _BUSY else "unknown"
    if seen.share >= _BUSY:
        return "server"
    if load.busy >= _BUSY:
        return "generator"
    total = seen.share * seen.workers + load.busy
    return "machine" if total >= _FULL * seen.cores else "model"


def advise(limit: Limit, seen: Seen) -> Advice:
    """How many workers to start on this machine."""
    if not seen.workers:
        why = "the server's processes are not on this machine, or belong to another user"
        return Advice(None, why)
    workers = f"{seen.workers} worker{'s' * (seen.workers != 1)}"
    each = f"{'each of ' * (seen.workers != 1)}{workers} used {seen.share:.2f} of a core"
    machine = f"this machine has {seen.cores}"
    if limit == "generator":
        return Advice(
            None, f"{each} only, because the generator was the limit: that says nothing about more"
        )
    if limit == "model":
        why = f"{each} at saturation, so that another would wait as well"
        return Advice(seen.workers, why)
    fit = max(1, int(seen.cores / max(seen.share, 1.0) + _ALMOST))
    if (room := _room(seen)) is not None and room < fit:
        return Advice(room, f"{each} at saturation, but there is memory for no more")
    return Advice(fit, f"{each} at saturation, and {machine}")


def _room(seen: Seen) -> int | None:
    """Workers for which there is memory, when each needs as much as those that run."""
    if not seen.memory:
        return None
    each = seen.memory / seen.workers
    return max(1, int((seen.memory + seen.free) / each))
