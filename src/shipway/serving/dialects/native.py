"""The project's own wire format: ``{"features": …}`` and ``{"instances": […]}``.

The batch form is that of TensorFlow Serving's row format and KServe's V1 protocol
(https://kserve.github.io/website/docs/concepts/architecture/data-plane/v1-protocol).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np

from shipway.errors import InputError, Issue
from shipway.model.signature import Outputs, Rows, Signature
from shipway.serving.dialects.rows import Loc, read_rows
from shipway.serving.dialects.strict_json import parse

__all__ = [
    "Decode",
    "Decoded",
    "PlainRows",
    "ReadPlain",
    "compile_decoder",
    "decode_value",
    "encode",
    "encode_many",
    "encode_one",
    "plain_confidences",
    "plain_values",
]


@dataclass(frozen=True, slots=True)
class Decoded:
    """A request's rows, and whether it asked for one prediction or for a list."""

    rows: Rows
    batch: bool

    def located(self, error: InputError) -> InputError:
        """A runtime's error, which knows (row, column), with places in the body instead."""
        return InputError([replace(issue, loc=self._place(issue.loc)) for issue in error.issues])

    def _place(self, loc: Loc) -> Loc:
        if loc[:1] == ("body",):
            return loc
        return ("body", "instances", *loc) if self.batch else ("body", "features", *loc[1:])


Decode = Callable[[bytes, int], Decoded]
"""A body and the limit of rows → rows. Raises InputError."""

PlainRows = tuple[list[list[float]], bool]
"""Rows as plain lists (None in them: missing), and whether they are a batch."""

ReadPlain = Callable[[bytes, int], PlainRows | None]
"""A body and the limit of rows → rows, when the body is plain numbers and certainly right."""

_encode = msgspec.json.Encoder().encode


def compile_decoder(signature: Signature) -> tuple[Decode, ReadPlain]:
    """The decoder for one signature, and its quick part, which reads plain numbers only.

    The quick way only answers when it is certain; all errors and all rare forms come from
    ``decode_value``, so there is one wording and one set of rules.
    """
    read_plain = _compile_plain(signature)

    def decode(body: bytes, max_rows: int) -> Decoded:
        found = read_plain(body, max_rows)
        if found is not None:
            rows, batch = found
            return Decoded(np.array(rows, dtype=np.float64), batch)
        return decode_value(signature, parse(body), max_rows)

    return decode, read_plain


def decode_value(signature: Signature, value: Any, max_rows: int) -> Decoded:
    """Rows from parsed JSON; names at the top level that nobody knows are ignored.

    Of ``features`` and ``instances`` one has to be there; the other may be null.

    Raises:
        InputError: it does not fit the signature.
    """
    if not isinstance(value, dict):
        text = "Input should be a valid dictionary or object to extract fields from"
        raise InputError([Issue("model_attributes_type", ("body",), text, value)])
    one, many = value.get("features"), value.get("instances")
    if one is not None and many is not None:
        text = 'Give "features" for one row or "instances" for many, not both'
        raise InputError([Issue("value_error", ("body", "instances"), text)])
    if many is not None or ("instances" in value and "features" not in value):
        return _decode_batch(signature, many, max_rows)
    if "features" not in value:
        text = 'Field required: "features" for one row, or "instances" for a list of rows'
        raise InputError([Issue("missing", ("body", "features"), text, value)])
    return Decoded(read_rows(signature, [(("body", "features"), one)]), batch=False)


def _decode_batch(signature: Signature, instances: Any, max_rows: int) -> Decoded:
    loc = ("body", "instances")
    if not isinstance(instances, list):
        raise InputError([Issue("list_type", loc, "Input should be a valid list", instances)])
    if not instances:
        text = "The batch is empty: give at least one row"
        raise InputError([Issue("too_short", loc, text, instances)])
    if len(instances) > max_rows:
        text = f"A request takes at most {max_rows} rows, {len(instances)} given"
        raise InputError([Issue("too_long", loc, text, f"{len(instances)} rows")])
    values = [((*loc, index), row) for index, row in enumerate(instances)]
    return Decoded(read_rows(signature, values), batch=True)


def _compile_plain(signature: Signature) -> ReadPlain:
    if not signature.numeric or any(":" in name for name in signature.names):
        return lambda _body, _max_rows: None
    cell: Any = float | None if all(feature.missing for feature in signature.features) else float
    row = list[cell] | dict[str, cell]
    shape = msgspec.defstruct(
        "Body",
        [("features", row | None, None), ("instances", list[row] | None, None)],
    )
    decode = msgspec.json.Decoder(shape).decode
    names = signature.names
    width = len(names)

    def read(body: bytes, max_rows: int) -> PlainRows | None:
        try:
            found: Any = decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        batch = found.features is None
        rows = found.instances if batch else [found.features]
        if not rows or len(rows) > max_rows or (not batch and found.instances is not None):
            return None
        keys = 1
        for index, values in enumerate(rows):
            if len(values) != width:
                return None
            if type(values) is dict:
                keys += width
                try:
                    rows[index] = [values[name] for name in names]
                except KeyError:
                    return None
        # Each name is followed by a colon. As many colons as names we know of: no name is given
        # twice and none is unknown. More: perhaps only a colon inside a string, so ask parse().
        return (rows, batch) if body.count(b":") == keys else None

    return read


def encode(outputs: Outputs, *, batch: bool) -> bytes:
    """The answer's body; the same outputs always give the same bytes.

    Numbers are written as JSON floats, labels as strings or booleans; a prediction or confidence
    that is NaN or infinite, which JSON cannot hold, is null.
    """
    predictions = plain_values(outputs.predictions)
    confidences = plain_confidences(outputs)
    if batch:
        return encode_many(predictions, confidences)
    return encode_one(predictions[0], None if confidences is None else confidences[0])


def encode_one(prediction: Any, confidence: float | None) -> bytes:
    """The answer to one row, from plain values."""
    return _encode({"prediction": prediction, "confidence": confidence})


def encode_many(predictions: list[Any], confidences: list[float] | None) -> bytes:
    """The answer to a batch, from plain values."""
    return _encode({"predictions": predictions, "confidences": confidences})


def plain_confidences(outputs: Outputs) -> list[float] | None:
    """Confidences as Python floats; None when the model gives none."""
    if outputs.confidences is None:
        return None
    found: list[float] = outputs.confidences.tolist()
    return found


def plain_values(predictions: np.ndarray[Any, Any]) -> list[Any]:
    """Predictions as Python floats, strings and booleans; nested lists for multi-output models."""
    if predictions.dtype.kind in "fiu":
        found: list[Any] = predictions.astype(np.float64).tolist()
        return found
    return [_plain(value) for value in predictions.tolist()]


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, int | float | np.number):
        return float(value)
    return str(value)
