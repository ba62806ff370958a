"""A converted file and its proof on disk: both or neither, and never half of one."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from shipway.conversion.report import require_proof
from shipway.errors import ParityError, UsageError
from shipway.model.spec import Artifact, sha256

__all__ = ["Twin", "check_file", "keep", "keep_report", "replace", "report_path", "twin"]


AGAIN = "Convert the model again: shipway convert MODEL"


@dataclass(frozen=True, slots=True)
class Twin:
    """A converted file, and the library of the model that it was made of."""

    artifact: Artifact
    framework: str


def report_path(target: Path) -> Path:
    """Where the parity report of a converted file lies: model.onnx → model.onnx.parity.json."""
    return target.with_name(target.name + ".parity.json")


def keep(target: Path, data: bytes, report: bytes) -> None:
    """Put the report and then the file in place; what was there before is replaced at once.

    Raises:
        shipway.errors.UsageError: the folder cannot be written to.
    """
    replace(report_path(target), report)
    replace(target, data)


def keep_report(target: Path, report: bytes) -> None:
    """Put the report of a failed proof in place; a file that an older report proved goes.

    Raises:
        shipway.errors.UsageError: the folder cannot be written to.
    """
    if report_path(target).exists():
        target.unlink(missing_ok=True)
    replace(report_path(target), report)


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
            AGAIN,
        ) from exc
    require_proof(sha256(data), report, str(target))


def twin(target: Path, original: str) -> Twin | None:
    """The proven file at ``target`` if it was made of the model with the digest ``original``.

    None when there is no file, no report (it is somebody's own), or when it tells of another model.

    Raises:
        shipway.errors.ParityError: the report tells of this model, but does not prove this file.
        shipway.errors.UsageError: the file cannot be read.
    """
    try:
        report = report_path(target).read_bytes()
        data = target.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as exc:
        raise UsageError(f"{target} cannot be read: {exc.strerror}") from exc
    try:
        document = json.loads(report)
        of, framework = document["original_digest"], str(document["framework"])
    except (ValueError, KeyError, TypeError) as exc:
        raise ParityError(f"The parity report of {target} cannot be read", AGAIN) from exc
    if of != original:
        return None
    digest = sha256(data)
    require_proof(digest, report, str(target))
    return Twin(Artifact(target.name, data, digest), framework)


def replace(path: Path, data: bytes) -> None:
    """Write aside, flush to the disk, rename.

    Raises:
        shipway.errors.UsageError: the folder cannot be written to.
    """
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
