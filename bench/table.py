"""The servers that are compared: ``servers.toml`` as data."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PEERS = HERE / "peers"
SCRATCH = ROOT / ".bench"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One row of the table; the fields are told at the top of ``servers.toml``."""

    name: str
    title: str
    settings: str
    command: Sequence[str]
    port: int
    path: str
    body: str
    environment: str = ""
    model: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    prediction: Sequence[str | int] = ()
    confidence: Sequence[str | int] = ()
    patience: float = 60.0

    def request(self, row: Sequence[float]) -> str:
        """The body that asks for one row."""
        return self.body.replace("ROW", json.dumps(list(row)))

    def understand(self, answer: bytes) -> tuple[float | None, float | None]:
        """The label and the confidence in an answer; None for what this server does not say."""
        document = json.loads(answer)
        label = _follow(document, self.prediction) if self.prediction else None
        confidence = _follow(document, self.confidence) if self.confidence else None
        if isinstance(confidence, list):
            label, confidence = confidence.index(max(confidence)), max(confidence)
        return label, confidence


def _follow(document: Any, way: Iterable[str | int]) -> Any:
    for step in way:
        document = document[step]
    return document


def read(wanted: Sequence[str] = ()) -> tuple[list[Server], dict[str, list[str]]]:
    """The servers and the packages of each environment; ``shipway`` takes ``shipway-onnx`` along.

    Raises:
        SystemExit: a name that is not in the table.
    """
    table = tomllib.loads((HERE / "servers.toml").read_text())
    servers = [Server(**row) for row in table["server"]]
    unknown = [name for name in wanted if not any(_is(server, name) for server in servers)]
    if unknown:
        known = ", ".join(server.name for server in servers)
        raise SystemExit(f"No server is called {', '.join(unknown)}; known: {known}")
    chosen = [one for one in servers if not wanted or any(_is(one, name) for name in wanted)]
    return chosen, table["environments"]


def _is(server: Server, name: str) -> bool:
    return server.name == name or server.name.startswith(name + "-")
