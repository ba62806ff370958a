"""What a server is asked: the body of a file, the rows of a CSV file, or its own example."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from shipway.errors import LoadTestError, UsageError

__all__ = ["bodies_of_rows", "body_of_file", "choose", "example", "example_columns"]

_MOST = 10_000
"""Rows of a file that are used; more would only fill memory."""

_HINT = "Give one with --body FILE (JSON) or --rows FILE.csv"


def choose(
    body: Path | None, rows: Path | None, openapi: Callable[[], Mapping[str, Any]]
) -> list[bytes]:
    """What to send: the body, else the rows, else the example of the server's own description."""
    if body is not None:
        return [body_of_file(body)]
    if rows is not None:
        return bodies_of_rows(rows, example_columns(openapi()))
    return [example(openapi())]


def body_of_file(path: Path) -> bytes:
    """The JSON document in a file, on one line.

    Raises:
        shipway.errors.UsageError: unreadable, or not JSON.
    """
    try:
        document = json.loads(_read(path))
    except ValueError as exc:
        raise UsageError(f"The body {path} is not JSON: {exc}") from exc
    return _json(document)


def bodies_of_rows(path: Path, columns: Mapping[str, Any] | None) -> list[bytes]:
    """One body for each line of a CSV file; with a header line, by name.

    ``columns`` is an example row of the server's by name, where it has one: columns that it does
    not take are left out, and a column of texts stays text. An empty cell is null.

    Raises:
        shipway.errors.UsageError: unreadable, not CSV, without rows, or without such a column.
    """
    try:
        lines = [line for line in csv.reader(io.StringIO(_read(path))) if line]
    except csv.Error as exc:
        raise UsageError(f"The rows {path} are not CSV: {exc}") from exc
    names = lines[0] if lines and any(isinstance(_cell(cell), str) for cell in lines[0]) else None
    rows = lines[1:] if names else lines
    if not rows:
        raise UsageError(f"The rows {path} have no row")
    width = len(lines[0])
    for number, line in enumerate(rows, 2 if names else 1):
        if len(line) != width:
            raise UsageError(f"Line {number} of {path} has {len(line)} columns, not {width}")
    if names is None:
        return [_json({"features": [_cell(cell) for cell in line]}) for line in rows[:_MOST]]
    names = [name.strip() for name in names]
    wanted = list(columns or names)
    if lost := [name for name in wanted if name not in names]:
        raise UsageError(
            f"The rows {path} have no column {lost[0]!r}",
            f"The server takes: {', '.join(wanted[:20])}",
        )
    places = [
        (name, names.index(name), isinstance((columns or {}).get(name), str)) for name in wanted
    ]
    return [
        _json(
            {"features": {name: _cell(line[place], text_only=text) for name, place, text in places}}
        )
        for line in rows[:_MOST]
    ]


def _cell(text: str, *, text_only: bool = False) -> Any:
    if not text.strip():
        return None
    if text_only:
        return text
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else None


def example(document: Mapping[str, Any]) -> bytes:
    """The first example of ``POST /predict`` in an OpenAPI document.

    Raises:
        shipway.errors.LoadTestError: it has none.
    """
    found = _examples(document)
    if not found:
        raise LoadTestError("The server's /openapi.json has no example of a request", _HINT)
    return _json(found[0])


def example_columns(document: Mapping[str, Any]) -> dict[str, Any] | None:
    """The example row by name, where the document has one."""
    for value in _examples(document):
        features = value.get("features") if isinstance(value, dict) else None
        if isinstance(features, dict):
            return features
    return None


def _examples(document: Mapping[str, Any]) -> list[Any]:
    """In the media type (OpenAPI) or in its schema, where pydantic's models have them."""
    content = _at(document, "paths", "/predict", "post", "requestBody", "content")
    media = _at(content, "application/json")
    schema = _at(media, "schema")
    if name := _at(schema, "$ref"):
        schema = _at(document, *str(name).removeprefix("#/").split("/"))
    named = _at(media, "examples")
    found = [_at(one, "value") for one in named.values()] if isinstance(named, dict) else []
    found += [_at(media, "example"), *(_at(schema, "examples") or ()), _at(schema, "example")]
    return [one for one in found if one is not None]


def _at(value: Any, *path: str) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as exc:
        raise UsageError(f"{path} cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise UsageError(f"{path} is not text in UTF-8: {exc}") from exc


def _json(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()
