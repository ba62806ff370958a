"""Every exception that leaves the package, drawn as one tree.

::

    Error                              what happened, and a hint what to do about it
    ├── UsageError                     a command or a setting cannot be carried out as written
    │   ├── SettingError               a wrong value in the environment, shipway.toml or an option
    │   ├── ProjectExistsError         a file would be overwritten
    │   └── PortInUseError             the address is taken
    ├── ModelError                     a model file cannot be used
    │   ├── ModelNotFoundError         nothing readable at that path
    │   ├── UnknownFormatError         the content is none of the model formats
    │   ├── CorruptModelError          a known format, but broken or cut off
    │   ├── UnsafeModelError           loading it would run something that nobody allowed
    │   ├── MissingPackageError        the library that the model needs is not installed
    │   ├── UnsupportedModelError      it loads, but it cannot be served
    │   ├── IncompatibleModelError     it does not fit the model that it is to replace
    │   └── ConversionError            it cannot become a portable file
    │       └── ParityError            the converted model is not proven to answer the same
    ├── InputError                     the rows of a request do not fit the model's signature
    ├── RequestError                   a request is refused before its rows are read
    │   ├── BodyTooLargeError
    │   ├── HeadTooLargeError
    │   ├── SlowRequestError
    │   └── MediaTypeError
    ├── NotReadyError                  no answer now: loading, draining or too much to do
    │   └── DeadlineError              the answer would come later than the client waits
    ├── PredictionError                the model itself failed on rows that fit its signature
    ├── LoadTestError                  a server cannot be measured: not there, not ready, gone
    └── TrackingError                  a tracking server gives no usable answer, or no access
        ├── AbsentError                it has nothing of that name
        └── UnreachableError           it is not there, too slow, or out of order

Nothing in here knows of HTTP or of exit codes: ``serving.problems`` maps errors to responses and
``cli`` maps them to exit codes, each in one table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = [
    "AbsentError",
    "BodyTooLargeError",
    "ConversionError",
    "CorruptModelError",
    "DeadlineError",
    "Error",
    "HeadTooLargeError",
    "IncompatibleModelError",
    "InputError",
    "Issue",
    "LoadTestError",
    "MediaTypeError",
    "MissingPackageError",
    "ModelError",
    "ModelNotFoundError",
    "NotReadyError",
    "ParityError",
    "PortInUseError",
    "PredictionError",
    "ProjectExistsError",
    "RequestError",
    "SettingError",
    "SlowRequestError",
    "TrackingError",
    "UnknownFormatError",
    "UnreachableError",
    "UnsafeModelError",
    "UnsupportedModelError",
    "UsageError",
]


class Error(Exception):
    """The base of all: ``message`` says what happened and why, ``hint`` what to do next."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(Error):
    """A command or a setting cannot be carried out as written."""


class SettingError(UsageError):
    """A wrong value in the environment, in shipway.toml or in an option."""


class ProjectExistsError(UsageError):
    """A file would be overwritten."""


class PortInUseError(UsageError):
    """The address to listen on is taken."""


class ModelError(Error):
    """A model file cannot be used."""


class ModelNotFoundError(ModelError):
    """Nothing readable at that path."""


class UnknownFormatError(ModelError):
    """The content is none of the model formats."""


class CorruptModelError(ModelError):
    """A known format, but broken or cut off."""


class UnsafeModelError(ModelError):
    """Loading would run something that nobody allowed; ``findings`` names each thing."""

    def __init__(self, message: str, hint: str = "", *, findings: Sequence[str] = ()) -> None:
        super().__init__(message, hint)
        self.findings = tuple(findings)


class MissingPackageError(ModelError):
    """The library that a model needs is not installed; ``package`` is its name on the index."""

    def __init__(self, message: str, hint: str = "", *, package: str = "") -> None:
        super().__init__(message, hint)
        self.package = package


class UnsupportedModelError(ModelError):
    """The model loads, but it cannot be served."""


class IncompatibleModelError(ModelError):
    """The model does not fit the one that it is to replace."""


class ConversionError(ModelError):
    """The model cannot become a portable file; it can be served as it is."""


class ParityError(ConversionError):
    """The converted model is not proven to answer as its original does."""


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing wrong with a request, as FastAPI (pydantic) words validation errors.

    ``kind`` is the machine-readable type ("float_type"), ``loc`` the path to the value
    ("body", "features", 3), ``value`` the value found there.
    """

    kind: str
    loc: tuple[str | int, ...]
    message: str
    value: Any = None


class InputError(Error):
    """The rows of a request do not fit the model's signature; ``issues`` has at least one."""

    def __init__(self, issues: Sequence[Issue]) -> None:
        super().__init__(issues[0].message)
        self.issues = tuple(issues)


class RequestError(Error):
    """A request is refused before its rows are read."""


class BodyTooLargeError(RequestError):
    """The body is larger than the limit."""


class HeadTooLargeError(RequestError):
    """The request's header fields are larger than the limit."""


class SlowRequestError(RequestError):
    """A request did not arrive in time."""


class MediaTypeError(RequestError):
    """The body's content type is not one that is decoded here."""


class NotReadyError(Error):
    """No answer now: the model is loading, the process drains, or too many requests wait."""


class DeadlineError(NotReadyError):
    """The answer would come later than the client waits for it."""


class PredictionError(Error):
    """The model itself failed on rows that fit its signature."""


class LoadTestError(Error):
    """A server cannot be measured: it is not there, not ready, refuses the row, or went away."""


class TrackingError(Error):
    """A tracking server gives no answer that can be used: not there, no access, not MLflow."""


class AbsentError(TrackingError):
    """The tracking server understood, and has nothing of that name."""


class UnreachableError(TrackingError):
    """The tracking server is not there, too slow, or out of order: later it may answer."""
