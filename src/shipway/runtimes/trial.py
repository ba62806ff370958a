"""A model file is loaded by another process first: what crashes or hangs there does no harm here.

The loaders of XGBoost, LightGBM, CatBoost and ONNX Runtime are C++; a broken file can end the
process that reads it, and no ``except`` helps. ``shipway check --json`` is the program that is
run, so that a user can repeat by hand what the server saw.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from shipway import errors
from shipway.model.spec import ModelSpec
from shipway.ports import Clock

__all__ = ["SubprocessTrial"]

# The server answers requests meanwhile: they come first.
NICE = 5


class SubprocessTrial:
    """A ports.Trial: ``shipway check --json`` with ``arguments`` (the path, and what is allowed).

    ``timeout`` is in seconds; ``memory``, when given, is the largest address space in bytes
    (RLIMIT_AS: libraries reserve far more than they use, so leave it room).
    """

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        timeout: float,
        clock: Clock,
        memory: int | None = None,
        program: Sequence[str] = (sys.executable, "-m", "shipway", "check", "--json"),
    ) -> None:
        self._clock = clock
        self._timeout = timeout
        self._deadline = clock.monotonic() + timeout
        # Memory files, not pipes: nobody has to read along, and no writable disk is needed.
        self._out = os.memfd_create("shipway-trial-out")
        self._err = os.memfd_create("shipway-trial-err")
        try:
            self._process = subprocess.Popen(  # noqa: S603 -- our own program, no shell
                [*program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=self._out,
                stderr=self._err,
                env=_environment(os.environ),
                start_new_session=True,
            )
        except OSError as exc:
            self._close()
            raise errors.UnsupportedModelError(
                f"The new model could not be tried out: {exc.strerror}",
                "The machine may be short of memory or processes; touch the file to try again.",
            ) from exc
        _limit(self._process.pid, timeout, memory)

    def poll(self) -> ModelSpec | None:
        """See ports.Trial."""
        code = self._process.poll()
        if code is None:
            if self._clock.monotonic() < self._deadline:
                return None
            self.cancel()
            raise errors.UnsupportedModelError(
                f"The model did not load and answer a row within {self._timeout:g} s",
                "Raise timeout in section [reload], or look at: shipway check",
            )
        out, err = _content(self._out), _content(self._err)
        self._close()
        return _judge(code, out, err)

    def cancel(self) -> None:
        """See ports.Trial."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._close()

    def _close(self) -> None:
        for handle in {self._out, self._err} - {-1}:
            os.close(handle)
        self._out = self._err = -1


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Ours, but for the folder in which the workers count: the trial is none of them."""
    return {name: value for name, value in environ.items() if name != "PROMETHEUS_MULTIPROC_DIR"}


def _limit(pid: int, timeout: float, memory: int | None) -> None:
    """Bound a process that has just begun, from outside: code between fork and exec is unsafe.

    The limit on processor time ends it should this server be killed before the trial is over.
    """
    seconds = math.ceil(timeout) * (os.cpu_count() or 1) + 1
    with contextlib.suppress(ProcessLookupError, PermissionError):
        resource.prlimit(pid, resource.RLIMIT_CPU, (seconds, seconds))
        resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))
        if memory is not None:
            resource.prlimit(pid, resource.RLIMIT_AS, (memory, memory))
        os.setpriority(os.PRIO_PROCESS, pid, NICE)


def _content(handle: int) -> bytes:
    return os.pread(handle, os.fstat(handle).st_size, 0)


def _judge(code: int, out: bytes, err: bytes) -> ModelSpec:
    if code < 0:
        raise errors.CorruptModelError(
            f"Loading the model crashed the process that tried it ({_signal_name(-code)})",
            "The file is broken, or made by an incompatible version of its library.",
        )
    document = _document(out)
    if document is None:
        last = err.decode(errors="replace").strip().splitlines()[-1:] or ["no message"]
        raise errors.UnsupportedModelError(
            f"Trying the model out ended with exit code {code}: {last[0]}",
            "Look at: shipway check",
        )
    if document.get("error"):
        raise _told(document)
    try:
        return msgspec.convert(document, ModelSpec)
    except msgspec.ValidationError as exc:
        raise errors.UnsupportedModelError(
            f"Trying the model out gave a report that cannot be read: {exc}"
        ) from exc


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _document(out: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(out)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _told(document: Mapping[str, Any]) -> errors.ModelError:
    """The error that the other process met, as the same class here."""
    error = document["error"]
    message, hint = str(error["message"]), str(error["hint"])
    kind = getattr(errors, str(error["type"]), None)
    if kind is errors.UnsafeModelError:
        names = [str(finding["name"]) for finding in document.get("findings") or ()]
        return errors.UnsafeModelError(message, hint, findings=names)
    if isinstance(kind, type) and issubclass(kind, errors.ModelError):
        return kind(message, hint)
    return errors.UnsupportedModelError(message, hint)
