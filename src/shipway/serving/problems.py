"""Errors as HTTP answers: one table from error type to status, one function that writes bodies."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from shipway.errors import (
    BodyTooLargeError,
    Error,
    HeadTooLargeError,
    InputError,
    Issue,
    MediaTypeError,
    NotReadyError,
    PredictionError,
    RequestError,
    SlowRequestError,
)

__all__ = ["TABLE", "Problem", "Row", "from_fastapi", "internal", "render", "row_for"]

JSON = "application/json"
_MOST_ISSUES = 10


@dataclass(frozen=True, slots=True)
class Row:
    """What the answer to one type of error looks like."""

    status: int
    summary: str
    """For the documentation."""
    retry_after: int | None = None
    """Seconds for the ``Retry-After`` header."""
    logged: bool = False
    """The error is this side's: it goes to the log with its cause."""


TABLE: dict[type[Error], Row] = {
    InputError: Row(422, "The rows do not fit the model; each issue is listed"),
    BodyTooLargeError: Row(413, "The request body is larger than the limit"),
    HeadTooLargeError: Row(431, "The request's header fields are larger than the limit"),
    SlowRequestError: Row(408, "The request did not arrive in time"),
    MediaTypeError: Row(415, "The request body is not JSON"),
    RequestError: Row(400, "The request cannot be read"),
    NotReadyError: Row(503, "The model is loading, or too many requests wait", retry_after=1),
    PredictionError: Row(500, "The model failed on rows that fit its signature", logged=True),
    Error: Row(500, "Anything else that goes wrong here", logged=True),
}
"""Looked up along the class's own line of descent, so a new subclass has an answer at once."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A whole answer: status, body and headers (without the request id's)."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = (("content-type", JSON),)


def row_for(error: type[Error]) -> Row:
    """The table's row for an error type, that of its nearest ancestor."""
    return next(TABLE[kind] for kind in error.__mro__ if kind in TABLE)


def render(error: Error, request_id: str = "") -> Problem:
    """The answer to an error; for an InputError in FastAPI's (pydantic's) shape."""
    row = row_for(type(error))
    headers: tuple[tuple[str, str], ...] = (("content-type", JSON),)
    if row.retry_after is not None:
        headers += (("retry-after", str(row.retry_after)),)
    if isinstance(error, InputError):
        return Problem(
            row.status, _json({"detail": [_item(i) for i in error.issues[:_MOST_ISSUES]]}), headers
        )
    detail = {"detail": _text(error.message)}
    if error.hint:
        detail["hint"] = _text(error.hint)
    if row.logged and request_id:
        detail["request_id"] = request_id
    return Problem(row.status, _json(detail), headers)


def internal(request_id: str) -> Problem:
    """The answer when something failed that nobody foresaw: the log has the rest by this id."""
    return Problem(500, _json({"detail": "Internal server error", "request_id": request_id}))


def _item(issue: Issue) -> dict[str, Any]:
    return {
        "type": issue.kind,
        "loc": [_text(part, 200) if isinstance(part, str) else part for part in issue.loc],
        "msg": _text(issue.message),
        "input": _bounded(issue.value),
    }


def _bounded(value: Any, depth: int = 3) -> Any:
    """The value for an error body: small, and such that JSON can hold it."""
    if isinstance(value, str):
        return _text(value, 100)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**63 else _text(_digits(value), 100)
    if isinstance(value, float):
        if math.isnan(value):
            return "NaN"
        return value if math.isfinite(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, list | tuple):
        if depth == 0:
            return "[…]" if value else []
        shown = [_bounded(item, depth - 1) for item in value[:10]]
        return [*shown, f"… {len(value) - 10} more"] if len(value) > 10 else shown
    if isinstance(value, dict):
        if depth == 0:
            return "{…}" if value else {}
        names = list(value)[:10]
        found = {_text(str(name), 100): _bounded(value[name], depth - 1) for name in names}
        if len(value) > 10:
            found["…"] = f"{len(value) - 10} more"
        return found
    return _text(repr(value), 100)


def _digits(value: int) -> str:
    # str() of an integer beyond 4,300 digits raises; nobody reads them anyway.
    return str(value) if value.bit_length() < 1_000 else f"an integer of {value.bit_length()} bits"


def _text(text: str, limit: int = 2_000) -> str:
    """Text that UTF-8 can hold, shortened."""
    clean = text.encode("utf-8", "backslashreplace").decode()
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value)


def from_fastapi(errors: Sequence[Mapping[str, Any]]) -> InputError:
    """FastAPI's own findings about a project's own routes, to be answered like ours."""
    return InputError(
        [
            Issue(item["type"], tuple(item["loc"]), item["msg"], item.get("input"))
            for item in errors[:_MOST_ISSUES]
        ]
    )
