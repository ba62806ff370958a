"""Conversion in a process of its own: what crashes or hangs there does no harm here.

The program that is run is ``shipway convert --inside FOLDER``: it leaves the file and the report
in that folder, or the error that it met, and this process judges what it finds.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shipway import errors
from shipway.errors import ConversionError

__all__ = ["ERROR", "FILE", "REPORT", "Kept", "convert_apart", "leave_error"]

FILE, REPORT, ERROR = "model.onnx", "report.json", "error.json"
SERVE = "The original can be served as it is: shipway serve MODEL"


@dataclass(frozen=True, slots=True)
class Kept:
    """What the other process left: the converted file and the report as JSON."""

    data: bytes
    report: bytes

    @property
    def document(self) -> dict[str, Any]:
        """The report's content."""
        found: dict[str, Any] = json.loads(self.report)
        return found


def convert_apart(
    arguments: Sequence[str],
    *,
    timeout: float,
    program: Sequence[str] = (sys.executable, "-m", "shipway", "convert"),
) -> Kept:
    """Run the converter with ``arguments`` for at most ``timeout`` seconds.

    Raises:
        shipway.errors.ConversionError: it crashed, took too long, or left nothing.
        shipway.errors.Error: the error that it met, as the same class.
    """
    with tempfile.TemporaryDirectory(prefix="shipway-convert-") as folder:
        code, last = _run([*program, "--inside", folder, *arguments], timeout)
        place = Path(folder)
        if (place / ERROR).exists():
            raise _told(json.loads((place / ERROR).read_bytes()))
        if code < 0:
            raise ConversionError(f"The converter crashed ({_signal_name(-code)})", SERVE)
        if code or not (place / REPORT).exists() or not (place / FILE).exists():
            raise ConversionError(
                f"The converter ended with exit code {code}: {last or 'no message'}", SERVE
            )
        return Kept((place / FILE).read_bytes(), (place / REPORT).read_bytes())


def leave_error(folder: Path, error: errors.Error) -> None:
    """Tell the process that waits what went wrong."""
    document = {"type": type(error).__name__, "message": error.message, "hint": error.hint}
    (folder / ERROR).write_text(json.dumps(document), encoding="utf-8")


def _run(command: Sequence[str], timeout: float) -> tuple[int, str]:
    with tempfile.TemporaryFile() as talk:
        process = subprocess.Popen(  # noqa: S603 - our own program, no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=talk,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        with contextlib.suppress(ProcessLookupError, PermissionError):
            resource.prlimit(process.pid, resource.RLIMIT_CORE, (0, 0))
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired as exc:
            raise ConversionError(
                f"The conversion was not done within {timeout:g} s and was ended",
                f"Give it more time with --timeout. {SERVE}",
            ) from exc
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        talk.seek(0)
        lines = talk.read().decode(errors="replace").strip().splitlines()
    return code, lines[-1] if lines else ""


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _told(document: dict[str, str]) -> errors.Error:
    kind = getattr(errors, document["type"], None)
    message, hint = document["message"], document["hint"]
    if isinstance(kind, type) and issubclass(kind, errors.Error) and kind is not errors.InputError:
        return kind(message, hint)
    return ConversionError(message, hint)
