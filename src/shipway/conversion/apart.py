"""Conversion in a process of its own: what crashes or hangs there does no harm here.

The program that is run is ``shipway convert --inside FOLDER``: it leaves the file and the report
in that folder, or the error that it met, and this process judges what it finds.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shipway import errors
from shipway.errors import ConversionError

__all__ = [
    "ERROR",
    "FILE",
    "REPORT",
    "Conversion",
    "Kept",
    "convert_apart",
    "end_with",
    "leave_error",
]

FILE, REPORT, ERROR = "model.onnx", "report.json", "error.json"
PATIENCE = 3600.0
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


class Conversion:
    """The converter at work in another process with ``arguments``, for ``timeout`` seconds.

    ``niceness`` above 0 lets everything else on the machine go first.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        timeout: float,
        niceness: int = 0,
        program: Sequence[str] = (sys.executable, "-m", "shipway", "convert"),
    ) -> None:
        self._timeout = timeout
        self._deadline = time.monotonic() + timeout
        try:
            tempfile.gettempdir()
        except OSError as exc:
            raise ConversionError("There is no folder for temporary files", SERVE) from exc
        self._folder = tempfile.TemporaryDirectory(prefix="shipway-convert-")
        self._talk = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own program, no shell
                [
                    *program,
                    "--inside",
                    self._folder.name,
                    "--parent",
                    str(os.getpid()),
                    *arguments,
                ],
                stdin=subprocess.DEVNULL,
                stdout=self._talk,
                stderr=subprocess.STDOUT,
                env=_environment(os.environ),
                start_new_session=True,
            )
        except OSError as exc:
            self._clear()
            raise ConversionError(
                f"The converter could not be started: {exc.strerror}", SERVE
            ) from exc
        with contextlib.suppress(ProcessLookupError, PermissionError):
            resource.prlimit(self._process.pid, resource.RLIMIT_CORE, (0, 0))
            os.setpriority(os.PRIO_PROCESS, self._process.pid, niceness)

    def poll(self, wait: float = 0.0) -> Kept | None:
        """What it made; None while it is at it. ``wait`` is in seconds.

        Raises:
            shipway.errors.ConversionError: it crashed, took too long, or left nothing.
            shipway.errors.Error: the error that it met, as the same class.
        """
        left = self._deadline - time.monotonic()
        try:
            code = self._process.wait(max(0.0, min(wait, left)))
        except subprocess.TimeoutExpired as exc:
            if time.monotonic() < self._deadline:
                return None
            self.cancel()
            raise ConversionError(
                f"The conversion was not done within {self._timeout:g} s and was ended",
                f"Give it more time with --timeout. {SERVE}",
            ) from exc
        try:
            return self._judge(code)
        finally:
            self.cancel()

    def cancel(self) -> None:
        """End it, and leave nothing of it."""
        if self._talk.closed:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._clear()

    def _judge(self, code: int) -> Kept:
        place = Path(self._folder.name)
        if (place / ERROR).exists():
            raise _told(json.loads((place / ERROR).read_bytes()))
        if code < 0:
            raise ConversionError(f"The converter crashed ({_signal_name(-code)})", SERVE)
        if code or not (place / REPORT).exists() or not (place / FILE).exists():
            raise ConversionError(
                f"The converter ended with exit code {code}: {self._last_line()}", SERVE
            )
        return Kept((place / FILE).read_bytes(), (place / REPORT).read_bytes())

    def _last_line(self) -> str:
        self._talk.seek(0)
        lines = self._talk.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "no message"

    def _clear(self) -> None:
        self._talk.close()
        self._folder.cleanup()


def convert_apart(conversion: Conversion) -> Kept:
    """Wait for a conversion; whatever happens, nothing of it stays.

    Raises:
        shipway.errors.Error: as ``Conversion.poll`` tells.
    """
    try:
        while True:
            if kept := conversion.poll(wait=PATIENCE):
                return kept
    finally:
        conversion.cancel()


def end_with(parent: int, folder: Path) -> None:
    """End this process when the one that waits for it is gone, and take its folder along.

    A server that is killed cannot end its converter itself.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def leave_error(folder: Path, error: errors.Error) -> None:
    """Tell the process that waits what went wrong."""
    document = {"type": type(error).__name__, "message": error.message, "hint": error.hint}
    (folder / ERROR).write_text(json.dumps(document), encoding="utf-8")


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Ours, but for the folder in which the workers count: the converter is none of them."""
    return {name: value for name, value in environ.items() if name != "PROMETHEUS_MULTIPROC_DIR"}


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
