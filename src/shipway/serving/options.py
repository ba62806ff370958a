"""What can be set about serving: one small frozen dataclass per feature, filled by ``settings``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

__all__ = [
    "ApiOptions",
    "BatchingOptions",
    "CacheOptions",
    "ConvertOptions",
    "LogOptions",
    "ReloadOptions",
    "ServerOptions",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiOptions:
    """The model API: what it says of itself and what it lets in."""

    title: str = "ML Model API"
    version: str = "1.0"
    max_rows: Annotated[int, Meta(ge=1)] = 10_000
    """Rows in one request."""
    max_body: Annotated[int, Meta(ge=1)] = 8 * 1024 * 1024
    """Bytes in one request body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchingOptions:
    """How requests that wait share a call of the model."""

    mode: Literal["auto", "inline", "thread"] = "auto"
    """auto: on the event loop when a call is cheaper than a hop to a thread, else in one."""
    max_rows: Annotated[int, Meta(ge=1)] = 1024
    """Rows in one call, unless a single request has more."""
    max_waiting: Annotated[int, Meta(ge=1)] = 1024
    """Requests that may wait for the model; one more is answered 503."""
    timeout: Annotated[float, Meta(gt=0, le=3600)] = 30.0
    """Seconds after which an answer is not computed any more; X-Request-Timeout may say less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheOptions:
    """Answers that are kept in each process, for rows that come again."""

    enabled: bool = False
    max_entries: Annotated[int, Meta(ge=1)] = 100_000
    """Rows whose answers are kept; what was not asked for longest goes first."""
    max_bytes: Annotated[int, Meta(ge=1)] = 64 * 1024 * 1024
    """Memory that they may take, about."""
    ttl: Annotated[float, Meta(gt=0, le=31_536_000)] = 300.0
    """Seconds for which an answer is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvertOptions:
    """Whether a converted file may answer in the model's place, and where such files are kept."""

    mode: Literal["auto", "found", "off"] = "auto"
    """found: a proven file that is there already; auto: made in the background if there is none."""
    folder: str = ".shipway/converted"
    """What is made in the background is kept here for the next start."""
    timeout: Annotated[float, Meta(gt=0, le=86400)] = 600.0
    """Seconds that a conversion may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """The server processes."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8000
    """0 takes a free one."""
    workers: Annotated[int, Meta(ge=1, le=512)] = 1
    arrival: Annotated[float, Meta(gt=0, le=3600)] = 60.0
    """Seconds in which a request, head and body, has to arrive; then 408."""
    drain: Annotated[float, Meta(ge=0, le=3600)] = 0.5
    """Seconds between readiness turning 503 and the listening socket closing."""
    grace: Annotated[float, Meta(ge=0, le=3600)] = 8.0
    """Seconds that requests in flight get to finish; below the 10 s of ``docker stop``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadOptions:
    """How a new file at the model's path is noticed."""

    enabled: bool = True
    interval: Annotated[float, Meta(gt=0, le=86400)] = 1.0
    """Seconds between two looks at the file."""
    timeout: Annotated[float, Meta(gt=0, le=86400)] = 120.0
    """Seconds that a new file has to load and answer before it is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOptions:
    """Log lines on stderr."""

    level: Literal["debug", "info", "warning", "error", "critical"] = "info"
    format: Literal["auto", "console", "json"] = "auto"
    """auto: console on a terminal, json elsewhere."""
    access: bool = True
    """One line per request."""
