"""The model in service is converted while it serves, and answers converted from then on.

Only when the proof holds and the converted file is faster, for one row and for many; else the
original goes on and the reason is kept.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass

from shipway.conversion.apart import Conversion, Kept
from shipway.conversion.shelf import Shelf
from shipway.errors import ConversionError, Error
from shipway.model.spec import Candidate, Format, ModelSpec
from shipway.ports import Clock, ModelSource

__all__ = ["Background", "unproven"]

logger = logging.getLogger(__name__)

INTERVAL = 1.0


@dataclass(frozen=True, slots=True)
class _Work:
    digest: str
    lock: int
    conversion: Conversion


class Background:
    """A ports.Feed: brings the model in service again when a proven converted file is there.

    ``begin`` starts a conversion; ``current`` says what is in service. Of several processes with
    one folder, one converts and the others wait for what it makes.
    """

    def __init__(
        self,
        shelf: Shelf,
        source: ModelSource,
        begin: Callable[[], Conversion],
        *,
        current: Callable[[], ModelSpec],
        clock: Clock,
    ) -> None:
        self._shelf = shelf
        self._source = source
        self._begin = begin
        self._current = current
        self._clock = clock
        self._next_look = clock.monotonic()
        self._work: _Work | None = None
        self._settled: set[str] = set()

    @property
    def busy(self) -> bool:
        """Whether a conversion is under way."""
        return self._work is not None

    def step(self) -> Candidate | None:
        """See ports.Feed."""
        spec = self._current()
        if self._work is not None and self._work.digest != spec.digest:
            self.close()  # a newer model came in between
        if spec.converted or spec.format is Format.ONNX or spec.digest in self._settled:
            return None
        try:
            ready = self._outcome(self._work) if self._work else self._look(spec.digest)
            if not ready:
                return None
            self._settled.add(spec.digest)
            artifact = self._source.read()
        except Error as error:
            self._settled.add(spec.digest)
            logger.info(
                "The model is served as it is, not converted: %s (hint: %s)",
                error.message,
                error.hint or "none",
            )
            return None
        # Another file may lie there by now: then that one is the watcher's business.
        return Candidate(artifact, spec) if artifact.digest == spec.digest else None

    def close(self) -> None:
        """See ports.Feed."""
        if self._work is not None:
            work, self._work = self._work, None
            work.conversion.cancel()
            os.close(work.lock)

    def _look(self, digest: str) -> bool:
        """Whether a proven file is there; else begin to make one, unless another process does."""
        if self._clock.monotonic() < self._next_look:
            return False
        self._next_look = self._clock.monotonic() + INTERVAL
        lock = self._shelf.lock(digest)
        if lock is None:
            return False
        try:
            if self._shelf.find(digest) is not None:
                return True
            if why := self._shelf.refusal(digest):
                raise ConversionError(why, "shipway convert MODEL tries again.")
            if not self._unchanged(digest):
                self._settled.add(digest)  # another file lies there, which the converter would read
                return False
            self._work = _Work(digest, lock, self._begin())
        finally:
            if self._work is None:
                os.close(lock)
        logger.info("The model is being converted in the background", extra={"digest": digest})
        return False

    def _outcome(self, work: _Work) -> bool:
        try:
            kept = work.conversion.poll()
            if kept is None:
                return False
        except Error as error:
            # What is not installed may be installed by the next start; all else stays as it is.
            try:
                if isinstance(error, ConversionError) and self._unchanged(work.digest):
                    self._shelf.refuse(work.digest, error.message)
            finally:
                self.close()
            raise
        except Exception:
            self.close()
            raise
        try:
            if kept.document["original_digest"] != work.digest:
                return False  # the file was replaced before the converter read it
            if why := unproven(kept):
                self._shelf.refuse(work.digest, why, kept.report)
                raise ConversionError(why, f"The report: {self._shelf.report(work.digest)}")
            self._shelf.keep(work.digest, kept.data, kept.report)
        finally:
            self.close()
        return True

    def _unchanged(self, digest: str) -> bool:
        """Whether the file is still the one that the converter was to read."""
        try:
            return self._source.read().digest == digest
        except Error:
            return False


def unproven(kept: Kept) -> str | None:
    """Why a converted file is not to answer in its original's place; None: it is."""
    document = kept.document
    if not document["equal"]:
        count = sum(group["different"] for group in document["groups"])
        return f"it answers {count} of {document['compared']} rows otherwise"
    # 0 stands for rows that could not be timed.
    for rows, (before, after) in (document["speed"] or {}).items():
        if not 0 < after < before:
            return f"it is not faster: {rows} rows took {before:g} µs, and {after:g} µs converted"
    return None
