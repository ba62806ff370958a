"""Answers that the model gave before: rows that come again are not asked again.

A key is a digest of the model's digest and of the decoded row, so neither spelling (``1``, ``1.0``,
``1e0``; a list or an object, in any order) nor HTTP header fields make a difference, and no model
ever answers for another. Of a request with several rows, only those that are new go to the model.
Only answers are kept, no errors. Off unless ``[cache]`` turns it on: then nothing here runs.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec
import numpy as np

from shipway.errors import InputError, NotReadyError, PredictionError
from shipway.model.signature import Outputs, Rows
from shipway.serving.batching import Answered, Job
from shipway.serving.options import CacheOptions
from shipway.serving.slot import Loaded

__all__ = ["CacheCount", "ResponseCache", "keys_of"]

KEY = 16
"""Bytes: two rows share a digest of 128 bits less often than a memory error strikes."""
OVERHEAD = 300
"""Bytes of an entry beside what it says: objects and their places in the table."""


class CacheCount(NamedTuple):
    """What happened in one look: rows known and not, entries given up; and what is kept now."""

    hits: int
    misses: int
    evicted: int
    entries: int
    size: int


class _Said(NamedTuple):
    """The model's answer to one row, as plain values."""

    prediction: Any
    confidence: float | None
    dtype: Any


@dataclass(slots=True)
class _Entry:
    said: _Said
    expires: float
    size: int


class ResponseCache:
    """Bounded by entries, bytes and age; what was not asked for longest goes first (LRU).

    ``clock`` tells seconds and never goes back; ``count`` hears of each look, ``answered`` of the
    rows that are answered from here. Everything runs on the event loop: no lock.
    """

    def __init__(
        self,
        options: CacheOptions,
        *,
        clock: Callable[[], float],
        count: Callable[[CacheCount], None] = lambda _: None,
        answered: Callable[[Loaded, Outputs], None] = lambda *_: None,
    ) -> None:
        self._options = options
        self._clock = clock
        self._count = count
        self._tell_answered = answered
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()
        self._size = 0
        self._evicted = 0

    def __len__(self) -> int:
        return len(self._entries)

    def clear(self) -> None:
        """Forget everything: another model is in service."""
        self._entries.clear()
        self._size = 0

    def answer(self, job: Job, ask: Callable[[Job], None]) -> None:
        """Answer the rows that are known, and have ``ask`` bring the others.

        Raises:
            NotReadyError: as ``ask`` does; nothing is answered then.
        """
        rows = np.array(job.rows, dtype=np.float64) if isinstance(job.rows, list) else job.rows
        keys = keys_of(job.loaded.runtime.spec.digest, rows)
        found = [self._get(key) for key in keys]
        new = [index for index, said in enumerate(found) if said is None]
        if not new:
            outputs = _outputs([said for said in found if said is not None])
            self._tell(len(rows), 0)
            self._tell_answered(job.loaded, outputs)
            job.done(Answered(outputs, 0.0), 0)
            return

        def done(came: Answered | Exception, at: int) -> None:
            if isinstance(came, Answered):
                said = _said(came.outputs, at, len(new))
                for index, one in zip(new, said, strict=True):
                    found[index] = one
                    self._put(keys[index], one)
                self._tell(len(rows) - len(new), len(new))
                outputs = _outputs([one for one in found if one is not None])
                if len(new) < len(rows):
                    known = [one for index, one in enumerate(found) if one and index not in fresh]
                    self._tell_answered(job.loaded, _outputs(known))
                job.done(Answered(outputs, came.seconds), 0)
            elif isinstance(came, InputError | PredictionError) and len(new) < len(rows):
                # The message tells of places among all rows, so the model has to see them all.
                try:
                    ask(replace(job, rows=rows))
                except NotReadyError as error:
                    job.done(error, 0)
            else:
                job.done(came, 0)

        fresh = set(new)
        ask(replace(job, rows=rows if len(new) == len(rows) else rows[new], done=done))

    def _get(self, key: bytes) -> _Said | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry.expires <= self._clock():
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return entry.said

    def _put(self, key: bytes, said: _Said) -> None:
        size = OVERHEAD + len(msgspec.msgpack.encode(said[:2]))
        if size > self._options.max_bytes:
            return
        if key in self._entries:
            self._drop(key)
        self._entries[key] = _Entry(said, self._clock() + self._options.ttl, size)
        self._size += size
        while (
            len(self._entries) > self._options.max_entries or self._size > self._options.max_bytes
        ):
            self._drop(next(iter(self._entries)))
            self._evicted += 1

    def _drop(self, key: bytes) -> None:
        self._size -= self._entries.pop(key).size

    def _tell(self, hits: int, misses: int) -> None:
        evicted, self._evicted = self._evicted, 0
        self._count(CacheCount(hits, misses, evicted, len(self._entries), self._size))


def keys_of(digest: str, rows: Rows) -> list[bytes]:
    """A key for each row of shape (n, features), from its values and the model's digest.

    Equal values give equal keys. 0.0 and -0.0 are two values: a model may tell them apart.
    """
    begin = blake2b(digest.encode(), digest_size=KEY)

    def key(row: bytes) -> bytes:
        made = begin.copy()
        made.update(row)
        return made.digest()

    if rows.dtype == object:
        return [key(msgspec.msgpack.encode(row)) for row in rows.tolist()]
    return [key(row.tobytes()) for row in np.ascontiguousarray(rows)]


def _said(outputs: Outputs, at: int, count: int) -> list[_Said]:
    predictions = outputs.predictions[at : at + count]
    confidences = outputs.confidences
    sure = [None] * count if confidences is None else confidences[at : at + count].tolist()
    dtype = predictions.dtype if predictions.dtype.kind in "biuf" else np.dtype(object)
    return [
        _Said(prediction, confidence, dtype)
        for prediction, confidence in zip(predictions.tolist(), sure, strict=True)
    ]


def _outputs(said: Sequence[_Said]) -> Outputs:
    """The arrays that the model would have given."""
    predictions = np.array([one.prediction for one in said], dtype=said[0].dtype)
    if said[0].confidence is None:
        return Outputs(predictions)
    confidences = np.array([one.confidence for one in said], dtype=np.float64)
    return Outputs(predictions, confidences)
