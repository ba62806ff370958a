"""Single requests, before and between the loads: is it there, ready, and does it take our row?"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
from typing import Any

from shipway.errors import LoadTestError
from shipway.loadtest.target import Target

__all__ = ["answers", "check_ready", "check_row", "openapi", "resident_memory"]

_PATIENCE = 10.0
"""Seconds that one answer may take."""
_SHOWN = 300
_GIVE = "Give a row that it takes with --body FILE (JSON) or --rows FILE.csv"


def check_ready(target: Target) -> None:
    """Return when the server says that it is ready, or has no opinion.

    Raises:
        shipway.errors.LoadTestError: nobody there, or not ready.
    """
    status, body = _ask(target, "GET", "/health")
    if status == 503:
        raise LoadTestError(
            f"The server at {target.url} is not ready: {_shown(body)}",
            "Wait until its /health answers 200, then measure.",
        )


def check_row(target: Target, body: bytes) -> int:
    """The status of the answer to one row, which is 2xx.

    Raises:
        shipway.errors.LoadTestError: any other answer; the message quotes it.
    """
    status, answer = _ask(target, "POST", "/predict", body)
    if status // 100 == 2:
        return status
    if status in (404, 405):
        raise LoadTestError(
            f"The server at {target.url} has no POST /predict (it answers {status})",
            "Measured are servers with Shipway's API; name what comes before /predict in the URL.",
        )
    if status in (400, 415, 422):
        raise LoadTestError(
            f"The server at {target.url} refuses the row ({status}): {_shown(answer)}", _GIVE
        )
    if status == 503:
        raise LoadTestError(
            f"The server at {target.url} refuses requests (503): {_shown(answer)}",
            "It is loading, draining, or has too much to do already: measure when it is idle.",
        )
    raise LoadTestError(
        f"The server at {target.url} answers {status}: {_shown(answer)}",
        "Its log says more.",
    )


def openapi(target: Target) -> dict[str, Any]:
    """The server's description of itself; empty when it has none."""
    status, body = _ask(target, "GET", "/openapi.json")
    if status != 200:
        return {}
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def resident_memory(target: Target) -> int | None:
    """Bytes, as ``process_resident_memory_bytes`` on /metrics says; None without."""
    try:
        status, body = _ask(target, "GET", "/metrics")
    except LoadTestError:
        return None
    found = re.search(rb"^process_resident_memory_bytes(?:{.*})? (\S+)", body, re.MULTILINE)
    with contextlib.suppress(ValueError, OverflowError):
        return int(float(found[1])) if status == 200 and found else None
    return None


def answers(target: Target) -> bool:
    """Whether anybody accepts a connection and answers, whatever it says."""
    try:
        _ask(target, "GET", "/health")
    except LoadTestError:
        return False
    return True


def _ask(target: Target, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(target.host, target.port, timeout=_PATIENCE)
    headers = {"Content-Type": "application/json"} if body is not None else {}
    with contextlib.closing(connection):
        try:
            connection.request(method, target.base + path, body, headers)
            response = connection.getresponse()
            return response.status, response.read()
        except TimeoutError as exc:
            raise LoadTestError(
                f"The server at {target.url} gave no answer within {_PATIENCE:g} s"
            ) from exc
        except OSError as exc:
            raise LoadTestError(
                f"There is no server at {target.url}: {exc.strerror or exc}",
                "Start one (shipway serve MODEL), or name a model and it is started for you.",
            ) from exc
        except http.client.HTTPException as exc:
            raise LoadTestError(
                f"What answers at {target.url} does not speak HTTP: {exc!r}"
            ) from exc


def _shown(body: bytes) -> str:
    text = " ".join(body.decode("utf-8", "replace").split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} …"
