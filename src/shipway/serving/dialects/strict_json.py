"""JSON as RFC 8259 means it: UTF-8, one value for each name, any nesting answered by an error."""

from __future__ import annotations

import json
import math
from typing import Any

from shipway.errors import InputError, Issue

__all__ = ["parse"]

_LONGEST_INTEGER = 400
"""Digits; float64 ends at 309, and Python's ``int`` takes quadratic time on long ones."""

_MOST_ISSUES = 10


def parse(body: bytes) -> Any:
    """The value that ``body`` holds; NaN, Infinity and numbers beyond float64 become such floats.

    Raises:
        InputError: no JSON (worded as FastAPI does: ``json_invalid``), an empty body
            (``missing``) or a name given twice (``duplicate_key``).
    """
    if not body or body.isspace():
        raise InputError([Issue("missing", ("body",), "Field required: the body is empty")])
    repeated: list[str] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(items)
        if len(found) != len(items):
            seen: set[str] = set()
            repeated.extend(key for key, _ in items if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        return found

    try:
        value = json.loads(body.decode("utf-8-sig"), object_pairs_hook=pairs, parse_int=_integer)
    except json.JSONDecodeError as exc:
        raise _invalid(exc.pos, exc.msg) from exc
    except UnicodeDecodeError as exc:
        raise _invalid(exc.start, "The body is not valid UTF-8") from exc
    except RecursionError as exc:
        raise _invalid(0, "Nested too deeply") from exc
    if repeated:
        raise InputError(
            [
                Issue("duplicate_key", ("body",), f"{json.dumps(key[:80])} is given twice", key)
                for key in list(dict.fromkeys(repeated))[:_MOST_ISSUES]
            ]
        )
    return value


def _integer(digits: str) -> int | float:
    if len(digits) > _LONGEST_INTEGER:
        return -math.inf if digits.startswith("-") else math.inf
    return int(digits)


def _invalid(position: int, reason: str) -> InputError:
    return InputError(
        [Issue("json_invalid", ("body", position), f"JSON decode error: {reason}", {})]
    )
