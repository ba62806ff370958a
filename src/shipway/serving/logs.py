"""Log lines: JSON for machines or text for a console, each with the id of its request."""

from __future__ import annotations

import json
import logging
import sys
import time
from contextvars import ContextVar
from datetime import UTC, datetime
from textwrap import indent

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from shipway.serving.options import LogOptions

__all__ = ["ACCESS", "configure", "request_id"]

ACCESS = "shipway.access"
"""The logger of the one line per request."""

request_id: ContextVar[str] = ContextVar("shipway_request_id", default="")
"""The id of the request being answered, "" outside of one."""

_EXTRA = ("method", "path", "status", "duration_ms", "rows", "reason", "digest", "version")
_OF_ACCESS = ("request_id", "method", "path", "status", "duration_ms", "rows")
_ACCESS_FIELDS = len(vars(logging.makeLogRecord({}))) + len(_OF_ACCESS)
_ESCAPES = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))} | {
    0x2028: "\\u2028",
    0x2029: "\\u2029",
}


def configure(options: LogOptions) -> None:
    """Send every log line of this process to stderr in one form, uvicorn's own included.

    uvicorn has to be started with ``log_config=None``, or this called after it set up its logs.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_with_request_id)
    handler.setFormatter(_json_formatter() if _wants_json(options) else _ConsoleFormatter())
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    level = options.level.upper()
    for name in ("shipway", "uvicorn"):
        logging.getLogger(name).setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    # As lines of the log, not as text of its own form in between.
    logging.captureWarnings(capture=True)
    # This access log has the request's id and its rows; uvicorn's would say the same again.
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger(ACCESS).disabled = not options.access


def _wants_json(options: LogOptions) -> bool:
    return options.format == "json" or (options.format == "auto" and not sys.stderr.isatty())


def _with_request_id(record: logging.LogRecord) -> bool:
    if not hasattr(record, "request_id"):
        record.request_id = request_id.get() or None
    return True


def _json_formatter() -> logging.Formatter:
    return _JsonFormatter(
        "{levelname}{name}{message}{request_id}",
        style="{",
        timestamp="time",
        # uvicorn's copy of the message with a terminal's colours in it.
        reserved_attrs=[*RESERVED_ATTRS, "color_message"],
        rename_fields={"levelname": "level", "name": "logger"},
        json_ensure_ascii=True,
    )


class _JsonFormatter(JsonFormatter):
    """The access line is one for each request: it is written without a search for more fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The same line as the library's, in half of the time where nobody added a field."""
        own = vars(record)
        if record.name != ACCESS or len(own) != _ACCESS_FIELDS:
            return super().format(record)
        line = {
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **{name: own[name] for name in _OF_ACCESS},
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
        }
        return json.dumps(line)


class _ConsoleFormatter(logging.Formatter):
    """``12:00:01 INFO  message  key=value …``: one line, whatever a client sent."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and a traceback below it where there is one."""
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        pairs = {name: getattr(record, name) for name in _EXTRA if hasattr(record, name)}
        if getattr(record, "request_id", None):
            pairs["request_id"] = record.request_id  # type: ignore[attr-defined]
        said = " ".join(f"{key}={value}" for key, value in pairs.items() if value is not None)
        line = f"{clock} {record.levelname:<8} {record.getMessage()}"
        line = (f"{line}  {said}" if said else line).translate(_ESCAPES)
        if record.exc_info:
            # Indented: text inside an exception's message cannot pass for a line of the log.
            line += "\n" + indent(self.formatException(record.exc_info), "    ", lambda _: True)
        return line
