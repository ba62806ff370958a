"""A project's own functions around the model: their type hints are the API's schema."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pydantic
from starlette.concurrency import run_in_threadpool

from shipway.errors import Error, InputError, Issue, SettingError
from shipway.model.signature import Outputs, Signature
from shipway.serving.dialects.native import Decoded, plain_values
from shipway.serving.dialects.rows import read_rows
from shipway.serving.dialects.strict_json import parse

__all__ = ["CompiledHooks", "Hooks", "Prediction", "Reader", "Writer", "compile_hooks"]

_REF = "#/components/schemas/{model}"


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the model said about one row, as ``after`` gets it."""

    prediction: float | str | bool | list[Any] | None
    confidence: float | None


@dataclass(frozen=True, slots=True)
class Hooks:
    """Plain functions, sync (run in a thread) or async.

    ``before(request: Model) -> list | dict`` makes one row of features from a body of its own
    type; a ValueError in it is the client's mistake and answers 422. ``after(prediction:
    Prediction) -> Response`` makes the answer.
    """

    before: Callable[..., Any] | None = None
    after: Callable[..., Any] | None = None


@dataclass(frozen=True, slots=True)
class Reader:
    """``before`` with the type of its body worked out."""

    hook: Callable[..., Any]
    body: pydantic.TypeAdapter[Any]

    async def decode(self, signature: Signature, body: bytes) -> Decoded:
        """The row that ``before`` makes of a body.

        Raises:
            InputError: the body is not of the type, ``before`` raised ValueError, or its row does
                not fit the model.
        """
        try:
            value = self.body.validate_python(parse(body))
        except pydantic.ValidationError as exc:
            raise InputError(
                [
                    Issue(item["type"], ("body", *item["loc"]), item["msg"], item["input"])
                    for item in exc.errors(include_url=False, include_context=False)
                ]
            ) from exc
        try:
            row = await _call(self.hook, value)
        except Error:
            raise
        except ValueError as exc:
            raise InputError([Issue("value_error", ("body",), f"Value error, {exc}")]) from exc
        return Decoded(read_rows(signature, [(("body",), _plain(row))]), batch=False)


@dataclass(frozen=True, slots=True)
class Writer:
    """``after`` with the type of its answer worked out."""

    hook: Callable[..., Any]
    answer: pydantic.TypeAdapter[Any]

    async def encode(self, outputs: Outputs, *, batch: bool) -> bytes:
        """What ``after`` makes of each prediction, as JSON."""
        values = plain_values(outputs.predictions)
        confidences = [None] * len(values)
        if outputs.confidences is not None:
            confidences = outputs.confidences.tolist()
        answers = []
        for value, confidence in zip(values, confidences, strict=True):
            answer = await _call(self.hook, Prediction(value, confidence))
            answers.append(self.answer.dump_json(self.answer.validate_python(answer)))
        if batch:
            return b'{"predictions":[' + b",".join(answers) + b"]}"
        return answers[0]


@dataclass(frozen=True, slots=True)
class CompiledHooks:
    """Hooks with their types worked out."""

    reader: Reader | None = None
    writer: Writer | None = None

    @property
    def plain(self) -> bool:
        """Whether requests and answers are in the project's own wire format."""
        return self.reader is None and self.writer is None

    def schemas(self) -> tuple[dict[str, Any] | None, dict[str, Any] | None, dict[str, Any]]:
        """The schemas of request and response (None: the model's own), and what they refer to."""
        request = response = None
        shared: dict[str, Any] = {}
        if self.reader is not None:
            request = self.reader.body.json_schema(ref_template=_REF, mode="validation")
            shared |= request.pop("$defs", {})
        if self.writer is not None:
            one = self.writer.answer.json_schema(ref_template=_REF, mode="serialization")
            shared |= one.pop("$defs", {})
            response = one if self.reader is not None else {"anyOf": [one, _many(one)]}
        return request, response, shared


def _many(one: dict[str, Any]) -> dict[str, Any]:
    listed = {"type": "array", "items": one}
    return {
        "title": "Many rows",
        "type": "object",
        "properties": {"predictions": listed},
        "required": ["predictions"],
    }


def compile_hooks(hooks: Hooks) -> CompiledHooks:
    """Work out the types of hooks.

    Raises:
        SettingError: a hook is not a function of one argument, or pydantic knows nothing of its
            type.
    """
    before, after = hooks.before, hooks.after
    return CompiledHooks(
        None if before is None else Reader(before, _adapter(before, "before")),
        None if after is None else Writer(after, _adapter(after, "after")),
    )


def _adapter(hook: Callable[..., Any], role: str) -> pydantic.TypeAdapter[Any]:
    name = getattr(hook, "__qualname__", repr(hook))
    try:
        parameters = list(inspect.signature(hook).parameters.values())
        hints: Mapping[str, Any] = typing.get_type_hints(hook, include_extras=True)
    except (TypeError, ValueError, NameError) as exc:
        raise SettingError(
            f"The hook {role}={name} cannot be read: {exc}.",
            f"Give a plain function: def {role}(value: MyType) -> …",
        ) from exc
    required = [p for p in parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
    if not parameters or len(required) > 1 or parameters[0].kind is parameters[0].KEYWORD_ONLY:
        raise SettingError(
            f"The hook {role}={name} has to take one argument by its place.",
            f"Write it as def {role}(value: MyType) -> …",
        )
    hint = hints.get(parameters[0].name if role == "before" else "return", Any)
    try:
        return pydantic.TypeAdapter(hint)
    except (pydantic.PydanticUserError, TypeError) as exc:
        raise SettingError(
            f"The hook {role}={name} uses a type without a schema: {hint!r}.",
            "Use a pydantic model, a dataclass, a TypedDict or plain JSON types.",
        ) from exc


async def _call(hook: Callable[..., Any], value: Any) -> Any:
    if inspect.iscoroutinefunction(hook):
        return await hook(value)
    return await run_in_threadpool(hook, value)


def _plain(row: Any) -> Any:
    """Arrays, tuples and numpy scalars as the lists and numbers that JSON would have given."""
    if isinstance(row, np.ndarray | np.generic):
        return _plain(row.tolist())
    if isinstance(row, Mapping):
        return {str(name): _plain(value) for name, value in row.items()}
    if isinstance(row, list | tuple):
        return [_plain(value) for value in row]
    return row
