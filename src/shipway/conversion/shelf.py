"""Where converted files of one model's place are found, and where those made in serving are kept.

A file that ``shipway convert`` left beside the model comes first. What a server made itself lies
in a folder, by a key of all that it depends on: the model, the packages, what the user declares.
What turned out not to be worth it is kept as well, so that no start tries it again.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from shipway.conversion.beside import Twin, keep, replace, report_path, twin
from shipway.errors import Error, UsageError

__all__ = ["Shelf"]

logger = logging.getLogger(__name__)

KEY = re.compile(r"[0-9a-f]{32}")
MOST = 20
"""Models whose files are kept in the folder."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """The converted files of the model at ``model``; ``depends`` says on what they depend."""

    model: Path
    folder: Path
    depends: Mapping[str, str]
    _told: set[str] = field(default_factory=set)

    def find(self, digest: str) -> Twin | None:
        """The proven converted file of the model with this digest, if there is one.

        A file that is not what its report proves is told in the log, once, and left alone.
        """
        for target in (self.model.with_suffix(".onnx"), self._target(digest)):
            try:
                if found := twin(target, digest):
                    return found
            except Error as error:
                self.tell(f"{error.message}; the model itself is served", error.hint)
        return None

    def tell(self, message: str, hint: str) -> None:
        """Warn, but only once."""
        if message not in self._told:
            self._told.add(message)
            logger.warning("%s (hint: %s)", message, hint or "none")

    def refusal(self, digest: str) -> str | None:
        """Why no converted file of this model is to be used, as found earlier."""
        try:
            return str(json.loads(self._refusal(digest).read_bytes())["why"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def keep(self, digest: str, data: bytes, report: bytes) -> None:
        """Keep a converted file and its report.

        Raises:
            shipway.errors.UsageError: the folder cannot be written to.
        """
        keep(self._target(digest), data, report)
        self._prune()

    def refuse(self, digest: str, why: str, report: bytes | None = None) -> None:
        """Remember why there is none.

        Raises:
            shipway.errors.UsageError: the folder cannot be written to.
        """
        if report is not None:
            replace(report_path(self._target(digest)), report)
        replace(self._refusal(digest), (json.dumps({"model": digest, "why": why}) + "\n").encode())
        self._prune()

    def report(self, digest: str) -> Path:
        """Where the parity report of this model lies."""
        return report_path(self._target(digest))

    def lock(self, digest: str) -> int | None:
        """A descriptor that holds the right to convert this model; None: another process has it.

        It ends with the descriptor, so also with the process.

        Raises:
            shipway.errors.UsageError: the folder cannot be written to.
        """
        path = self._target(digest).with_suffix(".lock")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as exc:
            raise UsageError(f"{path} cannot be written: {exc.strerror}") from exc
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            return None
        return handle

    def _key(self, digest: str) -> str:
        text = json.dumps({"model": digest, **self.depends}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def _target(self, digest: str) -> Path:
        return self.folder / f"{self._key(digest)}.onnx"

    def _refusal(self, digest: str) -> Path:
        return self._target(digest).with_suffix(".refused.json")

    def _prune(self) -> None:
        by_age: dict[str, float] = {}
        for path, age in _ages(self.folder):
            key = path.name.partition(".")[0]
            if not KEY.fullmatch(key):
                continue  # somebody else's
            by_age[key] = max(by_age.get(key, 0.0), age)
        for key in sorted(by_age, key=by_age.__getitem__)[:-MOST]:
            for path in self.folder.glob(f"{key}.*"):
                with contextlib.suppress(OSError):
                    path.unlink()


def _ages(folder: Path) -> Iterator[tuple[Path, float]]:
    for path in folder.iterdir():
        with contextlib.suppress(OSError):
            yield path, path.stat().st_mtime
