"""The page of results, as Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from bench import goals
from bench.load import CALM
from bench.models import KINDS
from bench.summary import Line, failures, lines, others

PACKAGES = ("bentoml", "fastapi", "litserve", "mlflow", "mlserver", "numpy", "onnxruntime", "ray")
PACKAGES += ("scikit-learn", "shipway", "uvicorn")
MIB, MB = 2**20, 10**6

HEAD = """# Benchmarks

<!-- Written by `make bench`; do not edit. -->

The same models, row, cores and load for Shipway, for a server written by hand, and for the usual
model servers. `make bench` measures anew and writes this page; `make bench PEERS="handwritten
shipway"` measures a few and writes to `.bench/`. It needs two cores, and `wrk` and `taskset` from
Debian.

![Right answers a second, by server](benchmarks.svg)

Absolute numbers differ from machine to machine; the ratios within one run are what counts. Each
ratio is taken to the hand-written server in the same round, then the median over the rounds.
[Performance](performance.md) tells where the time of a request goes.
"""

HOW = """## How it was measured

- Every server runs alone, with one worker, pinned to one core; `wrk -t1 -c32` loads it from the
  other core. Libraries for linear algebra get one thread. Nobody writes an access log.
- One request is one row of 30 numbers as JSON. A server takes part only if its first answer is
  right: the label, and the probability within 1e-5 of what the pickled model says.
- Rounds: {rounds}, all servers in turn in each. Each is started anew, warmed up for a second, and
  measured for {seconds:g} s at saturation, then for {seconds:g} s at half of that rate (each
  connection waits between its requests, exponentially distributed; where the rate that was reached
  is more than a tenth off, its share of the highest is given).
- Only answers with a status below 400 count as throughput; the others are counted as refused.
- p50 and p99 are in milliseconds, as wrk sees them; at saturation 32 requests are always under way,
  so that p50 tells the rate once more. A few dozen requests a second are too few for a p99.
- A lone request is one of a hundred that come one by one to the idle server. Two workers are
  measured with 100 rows in a request: the load generator shares the two cores, and takes little.
- Start is the time from the start of the process to the first right answer. Memory is the
  proportional set size of all processes of the server after the load. The size on disk is that of
  the installed packages, compiled bytecode included.
- While nothing of ours ran, others used {busy:.1f} of the 2 cores in the median before a
  measurement, {most:.1f} at most.{care}
"""
BUSY = " **The machine was busy: take the numbers with care.**"


def page(results: Mapping[str, Any]) -> str:
    """The whole of docs/benchmarks.md."""
    busy, most = others(results)
    facts = f"{results['date']}, {results['machine']}, {results['system']}.\n"
    counts = Counter((run["server"], run["kind"]) for run in results["runs"]).values()
    rounds = f"{min(counts)}–{max(counts)}" if min(counts) < max(counts) else f"{max(counts)}"
    how = HOW.format(
        rounds=rounds,
        seconds=results["seconds"],
        busy=busy,
        most=most,
        care=BUSY if busy > CALM else "",
    )
    parts = [
        HEAD,
        facts,
        _goals(results),
        *(_model(results, kind) for kind in KINDS),
        _environments(results),
        how,
    ]
    return "\n".join([*parts, _settings(results)])


def _goals(results: Mapping[str, Any]) -> str:
    rows = [
        (goal.what, f"{goal.sign} {goal.limit:g} ×", _reached(goal), goal.verdict)
        for goal in goals.goals(results)
    ]
    table = _table(("what", "goal", "reached", ""), rows)
    note = "[Performance](performance.md#goals) tells of each goal that is missed why, in numbers."
    return "\n".join(["## Goals", "", *table, "", note, ""])


def _reached(goal: goals.Goal) -> str:
    return "not measured" if goal.reached is None else f"{_number(goal.reached)} ×"


def _model(results: Mapping[str, Any], kind: str) -> str:
    found = lines(results, kind)
    head = ("server", "answers/s", "lowest–highest", "× hand-written")
    head += ("p50 / p99", "at half: p50 / p99", "start", "memory")
    rows = [_row(line) for line in found]
    missing = [f"- {title}: {_short(why)}" for title, why in failures(results, kind).items()]
    absent = ["", "Could not take part here:", "", *missing] if missing else []
    return "\n".join([f"## {KINDS[kind]}", "", *_table(head, rows), *absent, ""])


def _row(line: Line) -> tuple[str, ...]:
    refused = f", and {_number(line.refused)} refused" if line.refused >= 1 else ""
    broken = f", {line.broken} broken" if line.broken else ""
    half = "–"
    if line.half:
        share, p50, p99 = line.half
        half = f"{_number(p50)} / {_number(p99)}"
        half += "" if abs(share - 0.5) < 0.05 else f" (at {share:.0%})"
    return (
        f"**{line.title}**" if line.own else line.title,
        _number(line.rate) + refused + broken,
        f"{_number(line.lowest)}–{_number(line.highest)}",
        "–" if line.ratio is None else _number(line.ratio),
        f"{_number(line.p50)} / {_number(line.p99)}",
        half,
        f"{line.start:.1f} s",
        f"{line.memory / MIB:,.0f} MiB",
    )


def _environments(results: Mapping[str, Any]) -> str:
    rows = []
    for name, found in results["environments"].items():
        packages = ", ".join(
            f"{package} {version}" for package, version in found["versions"].items()
        )
        size = f"{found['size'] / MB:,.0f} MB"
        rows.append((results["servers"][name]["title"], size, packages))
    return "\n".join(["## Environments", "", *_table(("server", "on disk", "versions"), rows), ""])


def _settings(results: Mapping[str, Any]) -> str:
    rows = [(words["title"], words["settings"]) for words in results["servers"].values()]
    return "\n".join(["## Settings", "", *_table(("server", "settings"), rows), ""])


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = [head, ("---",) * len(head), *rows]
    return ["| " + " | ".join(cells) + " |" for cells in lines]


def _short(why: str) -> str:
    return why.strip().splitlines()[0][:200]


def _number(value: float) -> str:
    """Three digits that say something, thousands with commas."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
