"""``make bench``: every server with every model, in turn, round after round.

Each is started anew for each round, alone on one core; wrk loads it from the other. Results go to
.bench/results.json after each step, and to docs/ when all servers took part.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import functools
import json
import os
import platform
import shutil
import time
from pathlib import Path
from typing import Any

from bench import environments, load, models, plot, process, report, scaling, table

RESULTS = table.SCRATCH / "results.json"
DOCS = table.ROOT / "docs"
WARM_UP = 1


def main() -> None:
    """Measure, then write the page and the picture."""
    options = _options()
    if options.render is None:
        _need("wrk", "taskset")
        process.take_our_core()
        results = _run(options)
    else:
        results = json.loads(options.render.read_text())
    target = DOCS if not options.servers else table.SCRATCH
    (target / "benchmarks.svg").write_text(plot.draw(results))
    (target / "benchmarks.md").write_text(report.page(results))
    print(f"wrote {target.relative_to(table.ROOT)}/benchmarks.md and .svg")


def _need(*programs: str) -> None:
    missing = [program for program in programs if shutil.which(program) is None]
    if missing or (os.cpu_count() or 1) < 2:
        what = f"{' and '.join(missing)} (Debian: wrk, util-linux)" if missing else "a second core"
        raise SystemExit(f"The benchmark needs {what}.")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("servers", nargs="*", help="names of servers.toml (default: all)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4, help="of each measurement")
    parser.add_argument("--patience", type=float, default=20, help="seconds to wait for calm")
    parser.add_argument("--render", type=Path, help="write the page from this file, run nothing")
    return parser.parse_args()


def _run(options: argparse.Namespace) -> dict[str, Any]:
    servers, packages = table.read(options.servers)
    folders, absent = _prepare(servers, packages)
    files = {
        (one.name, kind): models.model(kind, one.model, folders[one.name]) if one.model else None
        for one in servers
        for kind in models.KINDS
        if one.name not in absent
    }
    results = _facts(options) | {"absent": absent, "environments": _describe(folders)}
    results |= {"servers": {one.name: _words(one) for one in servers}, "runs": []}
    results["own_time"] = {kind: models.own_time(kind) for kind in models.KINDS}
    results["scaling"] = []
    for turn in range(options.rounds):
        for kind in models.KINDS:
            for server in servers:
                if server.name not in absent and (server.model or kind == "forest"):
                    run = {"round": turn, "kind": kind, "server": server.name}
                    run |= {"others_busy": _calm(options.patience)}
                    path = files[server.name, kind]
                    run |= _measure(server, kind, path, folders[server.name], options.seconds)
                    results["runs"].append(run)
                    RESULTS.write_text(json.dumps(results, indent=1))
                    print(_line(run), flush=True)
        if "shipway" in folders:
            results["scaling"].append(scaling.measure(servers, folders, options.seconds))
            RESULTS.write_text(json.dumps(results, indent=1))
            print(f"{turn + 1} workers {results['scaling'][-1]}", flush=True)
    return results


def _prepare(
    servers: list[table.Server], packages: dict[str, list[str]]
) -> tuple[dict[str, Path], dict[str, str]]:
    """The folder of programs of each server, and why others cannot run here."""
    folders, absent = {}, {}
    prepare = functools.cache(environments.prepare)
    for server in servers:
        if not server.environment:
            found = shutil.which(server.command[0], path=f"{os.environ['PATH']}:/usr/sbin")
            folders[server.name] = Path(found or "/usr/sbin").parent
            if found is None:
                absent[server.name] = f"{server.command[0]} is not installed"
            continue
        try:
            folders[server.name] = prepare(server.environment, tuple(packages[server.environment]))
        except environments.InstallError as exc:
            absent[server.name] = f"cannot be installed here: {exc}"
    return folders, absent


def _measure(
    server: table.Server, kind: str, path: Path | None, bin_folder: Path, seconds: int
) -> dict[str, Any]:
    try:
        with process.serving(server, kind, path, bin_folder) as running:
            load.press(server, running.body, WARM_UP)
            full = load.press(server, running.body, seconds)
            told = {"start": running.start, "full": dataclasses.asdict(full)}
            told["lone"] = load.lone(server, running.body)
            if full.rate > 0 and server.model:
                half = load.press_at(server, running.body, seconds, full.rate / 2)
                told["half"] = dataclasses.asdict(half)
            return told | {"memory": process.memory()}
    except process.FailedError as exc:
        return {"failed": str(exc)}


def _calm(patience: float) -> float:
    """What others use of the machine, after waiting a while for it to be little."""
    ends = time.monotonic() + patience
    while (busy := load.others_busy()) > load.CALM and time.monotonic() < ends:
        time.sleep(0.5)
    return round(busy, 2)


def _line(run: dict[str, Any]) -> str:
    head = f"{run['round'] + 1} {run['kind']:7}{run['server']:14}"
    if "failed" in run:
        return f"{head} failed: {run['failed']}"
    full = run["full"]
    return (
        f"{head}{full['rate']:10,.0f}/s  refused {full['refused']:.0f}/s  p50 {full['p50']:.2f} ms"
        f"  p99 {full['p99']:.2f} ms  start {run['start']:.1f} s  {run['memory'] / 2**20:.0f} MiB"
        f"  others {run['others_busy']:.1f}"
    )


def _facts(options: argparse.Namespace) -> dict[str, Any]:
    names = {
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    }
    return {
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} cores, {', '.join(names)}",
        "system": f"Linux {platform.release()}, Python {platform.python_version()}",
        "seconds": options.seconds,
    }


def _describe(folders: dict[str, Path]) -> dict[str, Any]:
    return {
        name: {
            "size": environments.size(folder),
            "versions": environments.versions(folder, report.PACKAGES),
        }
        for name, folder in folders.items()
        if folder.is_relative_to(table.SCRATCH)
    }


def _words(server: table.Server) -> dict[str, str]:
    return {"title": server.title, "settings": server.settings, "model": server.model}


if __name__ == "__main__":
    main()
