"""A converted file and its proof on disk: both or neither, and never half of one."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from shipway.conversion.report import require_proof
from shipway.errors import ParityError, UsageError
from shipway.model.spec import sha256

__all__ = ["check_file", "keep", "keep_report", "report_path"]


def report_path(target: Path) -> Path:
    """Where the parity report of a converted file lies: model.onnx → model.onnx.parity.json."""
    return target.with_name(target.name + ".parity.json")


def keep(target: Path, data: bytes, report: bytes) -> None:
    """Put the report and then the file in place; what was there before is replaced at once.

    Raises:
        shipway.errors.UsageError: the folder cannot be written to.
    """
    _replace(report_path(target), report)
    _replace(target, data)


def keep_report(target: Path, report: bytes) -> None:
    """Put the report of a failed proof in place; a file that an older report proved goes.

    Raises:
        shipway.errors.UsageError: the folder cannot be written to.
    """
    if report_path(target).exists():
        target.unlink(missing_ok=True)
    _replace(report_path(target), report)


def check_file(target: Path) -> None:
    """Make sure that a converted file is the one that the report beside it proves.

    Raises:
        shipway.errors.ParityError: there is no report, or it proves another file.
        shipway.errors.UsageError: the file cannot be read.
    """
    try:
        data = target.read_bytes()
    except OSError as exc:
        raise UsageError(f"{target} cannot be read: {exc.strerror}") from exc
    try:
        report = report_path(target).read_bytes()
    except OSError as exc:
        raise ParityError(
            f"There is no parity report {report_path(target)}: nothing proves {target.name}",
            "Convert the model again: shipway convert MODEL",
        ) from exc
    require_proof(sha256(data), report, str(target))


def _replace(path: Path, data: bytes) -> None:
    """Write aside, flush to the disk, rename."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as exc:
        raise UsageError(f"{path} cannot be written: {exc.strerror}") from exc
    aside = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        aside.chmod(0o666 & ~mask)
        aside.replace(path)
    except OSError as exc:
        with contextlib.suppress(OSError):
            aside.unlink()
        raise UsageError(f"{path} cannot be written: {exc.strerror}") from exc
    with contextlib.suppress(OSError):
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
