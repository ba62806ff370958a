"""Medians over the rounds, and ratios within each round."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

BASE = "handwritten"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One server with one model."""

    name: str
    title: str
    own: bool
    """Ours, rather than somebody else's."""
    mark: bool
    """Answers a constant: a mark to compare with."""
    rate: float
    lowest: float
    highest: float
    refused: float
    broken: int
    ratio: float | None
    """To the hand-written server in the same round; None where that did not run."""
    p50: float
    p99: float
    half: tuple[float, float, float] | None
    """Share of the highest rate that was reached, then p50 and p99 there."""
    start: float
    memory: float
    lone: float
    """Milliseconds of a request that comes alone, the median."""


def lines(results: Mapping[str, Any], kind: str) -> list[Line]:
    """The servers that answered with this model, in the order of the table."""
    runs = [run for run in results["runs"] if "full" in run]
    base = {run["round"]: _rate(run) for run in runs if _is(run, kind, BASE)}
    found = []
    for name, words in results["servers"].items():
        mine = [run for run in runs if _is(run, kind if words["model"] else "forest", name)]
        if mine:
            ratios = [_rate(run) / base[run["round"]] for run in mine if base.get(run["round"])]
            found.append(_line(name, words, mine, ratios))
    return found


def _line(
    name: str, words: Mapping[str, str], mine: Sequence[Mapping[str, Any]], ratios: Sequence[float]
) -> Line:
    def middle(value: Callable[[Mapping[str, Any]], float]) -> float:
        return statistics.median(map(value, mine))

    rates = [_rate(run) for run in mine]
    halves = [
        (run["half"]["rate"] / _rate(run), run["half"]["p50"], run["half"]["p99"])
        for run in mine
        if "half" in run
    ]
    return Line(
        name=name,
        title=words["title"],
        own=name.split("-", maxsplit=1)[0] == "shipway",
        mark=not words["model"],
        rate=statistics.median(rates),
        lowest=min(rates),
        highest=max(rates),
        refused=middle(lambda run: run["full"]["refused"]),
        broken=sum(run["full"]["broken"] for run in mine),
        ratio=statistics.median(ratios) if ratios else None,
        p50=middle(lambda run: run["full"]["p50"]),
        p99=middle(lambda run: run["full"]["p99"]),
        half=_medians(halves) if halves else None,
        start=middle(lambda run: run["start"]),
        memory=middle(lambda run: run["memory"]),
        lone=middle(lambda run: run["lone"]),
    )


def failures(results: Mapping[str, Any], kind: str) -> dict[str, str]:
    """Servers that could not be installed, or gave no right answer in any round, and why."""
    told = {run["server"]: run["failed"] for run in results["runs"]
            if "failed" in run and run["kind"] == kind}  # fmt: skip
    answered = {run["server"] for run in results["runs"] if "full" in run and run["kind"] == kind}
    reasons = results["absent"] | {name: why for name, why in told.items() if name not in answered}
    return {results["servers"][name]["title"]: why for name, why in reasons.items()}


def others(results: Mapping[str, Any]) -> tuple[float, float]:
    """Cores that others used when a measurement began: the median and the most."""
    busy = [run["others_busy"] for run in results["runs"]]
    return statistics.median(busy), max(busy)


def _is(run: Mapping[str, Any], kind: str, name: str) -> bool:
    return bool(run["kind"] == kind and run["server"] == name)


def _rate(run: Mapping[str, Any]) -> float:
    return float(run["full"]["rate"])


def _medians(rows: Sequence[tuple[float, float, float]]) -> tuple[float, float, float]:
    share, p50, p99 = (statistics.median(column) for column in zip(*rows, strict=True))
    return share, p50, p99
