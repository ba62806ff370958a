"""What the project set out to reach, as ratios within one run, and what this run says."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.summary import Line, lines

__all__ = ["Goal", "goals"]


@dataclass(frozen=True, slots=True)
class Goal:
    """A ratio that has to be at least, or at most, ``limit``."""

    what: str
    sign: str
    limit: float
    reached: float | None

    @property
    def verdict(self) -> str:
        """Whether it is met, in a word."""
        if self.reached is None:
            return ""
        met = self.reached >= self.limit if self.sign == "≥" else self.reached <= self.limit
        return "met" if met else "**missed**"


def goals(results: Mapping[str, Any]) -> list[Goal]:
    """All of them, in the order in which they matter."""
    forest, linear = (
        {line.name: line for line in lines(results, kind)} for kind in ("forest", "linear")
    )
    hand, ours = forest.get("handwritten"), forest.get("shipway-onnx")
    at_least = [
        ("converted forest, to hand-written", 800, _rates(forest, "shipway-onnx", "handwritten")),
        ("converted forest, to the best peer", 80, _best(forest, "shipway-onnx")),
        ("converted linear model, to hand-written", 40,
         _rates(linear, "shipway-onnx", "handwritten")),
        ("converted linear model, to the best peer", 30, _best(linear, "shipway-onnx")),
        ("converted forest, to the bare ASGI server's `{}`", 1.2,
         _rates(forest, "shipway-onnx", "bare")),
        ("converted forest, to nginx's constant answer", 0.35,
         _rates(forest, "shipway-onnx", "nginx")),
        ("pickled forest, to hand-written", 40, _rates(forest, "shipway", "handwritten")),
        ("pickled forest, to the best peer", 4, _best(forest, "shipway")),
        ("two workers on two cores, throughput", 1.8, _workers(results, "rate")),
    ]  # fmt: skip
    at_most = [
        ("lone request, pickled forest, p50 to the model's own time and bare HTTP", 1.05,
         _lone(results, forest, "forest")),
        ("lone request, pickled linear model, the same", 1.05, _lone(results, linear, "linear")),
        ("p99 at half load to p50, converted forest", 3, _tail(ours)),
        ("p99 at half load to p50, pickled forest", 3, _tail(forest.get("shipway"))),
        ("two workers on two cores, memory (PSS)", 1.3, _workers(results, "memory")),
        ("start to the first right answer, converted", 0.5,
         ours.start / hand.start if ours and hand else None),
        ("memory, converted, one worker", 0.6,
         ours.memory / hand.memory if ours and hand else None),
        ("environment on disk, converted", 0.5, _size(results)),
    ]  # fmt: skip
    return [
        *(Goal(what, "≥", limit, reached) for what, limit, reached in at_least),
        *(Goal(what, "≤", limit, reached) for what, limit, reached in at_most),
    ]


def _rates(found: Mapping[str, Line], one: str, other: str) -> float | None:
    if one not in found or other not in found or not found[other].rate:
        return None
    return found[one].rate / found[other].rate


def _best(found: Mapping[str, Line], name: str) -> float | None:
    peers = [
        line.rate
        for line in found.values()
        if not (line.own or line.mark or line.name == "handwritten")
    ]
    return found[name].rate / max(peers) if name in found and peers else None


def _tail(line: Line | None) -> float | None:
    return line.half[2] / line.half[1] if line and line.half else None


def _lone(results: Mapping[str, Any], found: Mapping[str, Line], kind: str) -> float | None:
    if "shipway" not in found or "bare" not in found:
        return None
    return found["shipway"].lone / (results["own_time"][kind] + found["bare"].lone)


def _workers(results: Mapping[str, Any], what: str) -> float | None:
    rounds: Sequence[Mapping[str, Any]] = results.get("scaling", ())
    return statistics.median(one["2"][what] / one["1"][what] for one in rounds) if rounds else None


def _size(results: Mapping[str, Any]) -> float | None:
    found = results["environments"]
    if not {"shipway-onnx", "handwritten"} <= found.keys():
        return None
    return float(found["shipway-onnx"]["size"] / found["handwritten"]["size"])
