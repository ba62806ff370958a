"""``shipway bench``."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from shipway.cli import talk
from shipway.cli.exits import INTERRUPTED, exit_code
from shipway.cli.policy import trust_options
from shipway.errors import UsageError

if TYPE_CHECKING:
    from shipway.loadtest.course import Progress
    from shipway.loadtest.measured import Latency, Load
    from shipway.loadtest.report import Report
    from shipway.loadtest.search import Found

__all__ = ["command"]

ENDS = (signal.SIGINT, signal.SIGTERM)
UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}
NOTES = {
    "generator": "the load generator: it had no more to give, so that the server may do better",
    "machine": "the machine: server and load generator share its cores; "
    "asked from another machine it may do better",
    "server": "the server: its workers were busy",
    "model": "neither was busy: the model waits for something, or more --connections are needed",
    "unknown": "not known: the server's processes cannot be seen from here",
}
INSTALL_WRK = "wrk (https://github.com/wg/wrk, a package of most systems) asks more quickly"


class Duration(click.ParamType[float]):
    """A time with its unit, as seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read ``250us``, ``10ms``, ``5s`` or ``1m``."""
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(us|ms|s|m)", value)
        seconds = float(found[1]) * UNITS[found[2]] if found else 0.0
        if not seconds:
            self.fail(f"{value!r} is not a time such as 250us, 10ms or 5s.", param, ctx)
        return seconds


@click.command
@click.argument("server", metavar="URL|MODEL")
@click.option("--body", type=click.Path(path_type=Path), help="Send this JSON document.")
@click.option(
    "--rows",
    type=click.Path(path_type=Path),
    help="Send these rows in turn, one in a request: .csv, with a header line for names.",
)
@click.option(
    "--p99",
    "limit",
    type=Duration(),
    default="10ms",
    show_default=True,
    metavar="TIME",
    help="Find the highest rate at which 99 of 100 answers take no longer.",
)
@click.option(
    "--duration",
    type=Duration(),
    default="5s",
    show_default=True,
    metavar="TIME",
    help="Of each measurement; there are about ten.",
)
@click.option(
    "--connections",
    type=click.IntRange(1, 1000),
    default=32,
    show_default=True,
    help="Connections that ask at the same time.",
)
@click.option("--workers", type=int, metavar="NUMBER", help="For a MODEL, as in shipway serve.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
@trust_options
def command(
    server: str,
    *,
    body: Path | None,
    rows: Path | None,
    limit: float,
    duration: float,
    connections: int,
    workers: int | None,
    as_json: bool,
    allow: tuple[str, ...],
    trust: tuple[str, ...],
) -> int:
    r"""Measure a server: rate, latency, errors, memory, and how many workers it should have.

    URL is a running server that answers POST /predict. A MODEL is served on a free port while it
    is measured, without its access log, and the server is ended afterwards. What is asked is the
    example of the server's /openapi.json, unless --body or --rows says otherwise.

    Ctrl-C prints what was measured so far. Exit code 10: the server is not there, not ready,
    refuses the row, or went away.

    \b
    Examples:
      shipway bench http://localhost:8000
      shipway bench models/model.pkl --workers 2 --p99 5ms
      shipway bench http://localhost:8000 --rows rows.csv --json > bench.json
    """
    from shipway.loadtest.course import Plan

    if body and rows:
        raise UsageError("--body and --rows both say what to send", "Give one of them")
    plan = Plan(connections=connections, seconds=duration, limit=limit)
    with _bar() as bar, _interruptible(bar) as progress:
        report = _measure(
            server,
            plan,
            workers,
            {"allow": allow or None, "trust": trust or None},
            body,
            rows,
            progress,
        )
    if as_json:
        talk.data(report.document())
    elif table := _table(report):
        talk.table(table)
    if report.problem:
        talk.problem(report.problem)
        return exit_code(report.problem)
    if report.interrupted:
        talk.warn("ended early: what is above is what was measured until then")
        return INTERRUPTED
    return 0


def _measure(
    server: str,
    plan: Any,
    workers: int | None,
    policy: dict[str, Any],
    body: Path | None,
    rows: Path | None,
    progress: Progress,
) -> Report:
    from shipway.loadtest.target import is_url, parse_url
    from shipway.settings import read_settings
    from shipway.wiring import bench_model, bench_server

    if is_url(server) and not Path(server).exists():
        if workers is not None:
            raise UsageError(
                "--workers is for a MODEL: a running server has the workers that it has",
                "shipway serve --workers sets them",
            )
        return bench_server(parse_url(server), plan, body=body, rows=rows, progress=progress)
    settings = read_settings(
        options={"model": {"path": server, **policy}, "serve": {"workers": workers}}
    )
    return bench_model(settings, plan, body=body, rows=rows, progress=progress)


@contextmanager
def _interruptible(progress: Progress) -> Iterator[Progress]:
    """Let SIGTERM end it as Ctrl-C does: a server that was started must not be left behind.

    A KeyboardInterrupt is lost where Python or a parser swallows exceptions of callbacks; the next
    step of the progress then raises it again.
    """
    asked = False

    def interrupt(*_: object) -> NoReturn:
        nonlocal asked
        asked = True
        raise KeyboardInterrupt

    def tell(what: str, share: float) -> None:
        if asked:
            raise KeyboardInterrupt
        progress(what, share)

    before = {number: signal.signal(number, interrupt) for number in ENDS}
    try:
        yield tell
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _bar() -> Iterator[Progress]:
    """Progress on stderr, for a person only."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    with click.progressbar(
        length=100, file=sys.stderr, item_show_func=lambda what: what, show_eta=False
    ) as bar:

        def show(what: str, share: float) -> None:
            bar.update(int(share * 100) - bar.pos, what)

        yield show


def _table(report: Report) -> list[tuple[str, str]]:
    load = report.saturation
    if load is None:
        return []
    rows = [
        ("server", report.url),
        ("saturation", f"{_rate(load.rate)} right answers ({_how(report, load)})"),
        ("latency", f"{_latency(load.latency)} at saturation" if load.latency else "no answer"),
        ("errors", _errors(load)),
    ]
    if report.found:
        rows.append((f"p99 ≤ {_time(report.found.limit)}", _under(report.found)))
    if memory := report.memory:
        kind = "PSS" if memory.kind == "PSS" else "RSS, as its /metrics say"
        size = f"{memory.each / 1e6:,.0f} MB for each of {memory.workers}"
        rows.append(("memory", f"{size} worker{'s' * (memory.workers != 1)} ({kind})"))
    else:
        rows.append(("memory", "not known: its processes cannot be seen from here"))
    if advice := report.advice:
        count = "no suggestion" if advice.workers is None else str(advice.workers)
        rows.append(("workers", f"{count}: {advice.why}"))
    note = NOTES[report.limit]
    if report.limit == "generator" and load.generator != "wrk":
        note = f"{note}\n{INSTALL_WRK}"
    return [*rows, ("limit", note)]


def _how(report: Report, load: Load) -> str:
    asked = "1 request" if report.bodies == 1 else f"{report.bodies:,} requests in turn"
    by = "wrk" if load.generator == "wrk" else "Shipway's own generator"
    return f"{report.connections} connections, {load.seconds:.1f} s, {asked}, by {by}"


def _errors(load: Load) -> str:
    if not load.failed:
        return "none"
    told = [
        f"{count:,} × {status}" for status, count in load.statuses.items() if status // 100 != 2
    ]
    if load.broken:
        told.append(f"{load.broken:,} without an answer")
    return ", ".join(told) + f" of {sum(load.statuses.values()) + load.broken:,} requests"


def _under(found: Found) -> str:
    best = found.best
    if best is None or best.load.latency is None:
        lowest = min(found.steps, key=lambda step: step.rate)
        text = f"not even at {_rate(lowest.rate)}"
        return f"{text}: {_latency(lowest.load.latency)}" if lowest.load.latency else text
    text = f"{_rate(best.rate)} ({_latency(best.load.latency)})"
    if found.generator_was_the_limit:
        text = f"at least {text}\na higher rate was more than the load generator could send on time"
    return text


def _latency(found: Latency) -> str:
    return f"p50 {_time(found.p50)}, p90 {_time(found.p90)}, p99 {_time(found.p99)}"


def _rate(rate: float) -> str:
    return f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.2g}/s"


def _time(seconds: float) -> str:
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"
