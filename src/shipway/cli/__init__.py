"""Parse, call, print: no decisions here, and the one place where an Error becomes an exit code."""

from __future__ import annotations

from shipway.cli.frame import run

__all__ = ["run"]
