"""Two workers on two cores against one on one: throughput and memory.

The load generator has to share the two cores. So that it takes little of them, a request has many
rows: the server then works a hundred times as long for it as wrk does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bench import load, models, process
from bench.table import Server

ROWS = 100
ONE, OTHER = str(process.SERVER_CORE), str(process.OUR_CORE)
BOTH = f"{ONE},{OTHER}"


def measure(
    servers: Sequence[Server], folders: Mapping[str, Path], seconds: int
) -> dict[str, dict[str, float]]:
    """Requests a second and bytes (PSS), by the number of workers."""
    (server,) = (one for one in servers if one.name == "shipway")
    folder = folders[server.name]
    path = models.model("forest", server.model, folder)
    rows = ", ".join([str(models.row())] * ROWS)
    body = f'{{"instances": [{rows}]}}'
    found = {}
    for workers, cores in ((1, ONE), (2, BOTH)):
        several = replace(server, command=[*server.command, "--workers", str(workers)])
        with process.serving(several, "forest", path, folder, cores=cores):
            ours = OTHER if workers == 1 else BOTH
            load.press(several, body, 1, cores=ours)
            full = load.press(several, body, seconds, cores=ours)
            found[str(workers)] = {"rate": full.rate, "memory": float(process.memory())}
    return found
