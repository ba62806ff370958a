"""An application of known answers, and a client that speaks ASGI to it: no socket, no HTTP."""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from shipway.model.signature import Feature, Outputs, Signature
from shipway.serving.app import build_app
from shipway.serving.metrics import Metrics
from shipway.serving.options import ApiOptions
from shipway.serving.slot import ModelSlot
from shipway.testing import FixedRuntime

JSON = (b"content-type", b"application/json")


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def exchange(
    app: Any,
    method: str,
    path: str,
    chunks: Iterable[bytes] = (),
    headers: Iterable[tuple[bytes, bytes]] = (JSON,),
) -> Reply:
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"model.test"), *headers],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    incoming = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    incoming.append({"type": "http.request", "body": b"", "more_body": False})
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return incoming.pop(0) if incoming else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start = sent[0]
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return Reply(start["status"], {k.decode(): v.decode() for k, v in start["headers"]}, body)


@pytest.fixture
def ask():
    """ask(app, method, path, *chunks, headers=...) -> Reply"""

    def ask(app, method, path, *chunks, headers=(JSON,)):
        return asyncio.run(exchange(app, method, path, chunks, headers))

    return ask


@pytest.fixture
def talk():
    """The same inside a running loop."""
    return exchange


def signature_of(kind: str) -> Signature:
    if kind == "iris":
        return Signature(
            "classifier",
            tuple(Feature(f"x{i}", example=float(i)) for i in range(4)),
            classes=(0, 1, 2),
            confidence=True,
        )
    if kind == "penguins":
        return Signature(
            "classifier",
            (
                Feature("island", "string", example="Dream", categories=("Dream", "Biscoe")),
                Feature("bill_length_mm", missing=True, example=39.1),
                Feature("sex", "string", missing=True),
            ),
            named=True,
            classes=("Adelie", "Gentoo"),
            confidence=True,
        )
    return Signature("regressor", (Feature("age"), Feature("bmi", missing=True)), named=True)


def answers(kind: str, rows: Any) -> Outputs:
    n = len(rows)
    if kind == "iris":
        return Outputs(np.arange(n) % 3, np.linspace(0.5, 0.9, n))
    if kind == "penguins":
        return Outputs(np.array(["Adelie"] * n, dtype=object), np.full(n, 0.75))
    with np.errstate(over="ignore"):
        return Outputs(np.nansum(rows, axis=1))


@pytest.fixture
def make():
    """make(kind, ...) -> the application for a runtime of known answers"""

    def make(kind="iris", *, runtime=None, slot=None, metrics=None, **options):
        runtime = runtime or FixedRuntime(signature_of(kind), lambda rows: answers(kind, rows))
        api = {name: options.pop(name) for name in ("max_rows", "max_body") if name in options}
        return build_app(
            slot if slot is not None else ModelSlot(runtime),
            ApiOptions(**api),
            metrics=metrics or Metrics(),
            model_version="v7",
            **options,
        )

    return make
