"""Pickle and joblib files, from their first byte to their last."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from shipway.errors import CorruptModelError
from shipway.model.scan.expansion import expands_beyond
from shipway.model.scan.machine import Machine
from shipway.model.scan.report import Gathered
from shipway.model.scan.stream import Stream

__all__ = ["scan_pickle"]

_TAILS = 8
_EXPANDED = 10_000_000


def scan_pickle(data: bytes, gathered: Gathered, *, inline: bool, part: str) -> None:
    """Scan one pickle and whatever follows it.

    A loader reads the first pickle only: what follows is hidden from it, but not from another
    loader, so it is refused, and scanned for names to tell.

    Raises:
        CorruptModelError: no unpickler could load it, and nothing was found up to there.
    """
    machine = Machine(Stream(data, 0, part), gathered, inline=inline)
    try:
        with _without_collector():
            value = machine.run()
    except CorruptModelError as exc:
        if not gathered.findings:
            raise
        gathered.find("broken pickle", exc.message, machine.stream.where)
        return
    except RecursionError as exc:
        raise machine.stream.fail("it is nested too deeply") from exc
    if expands_beyond(value, max(_EXPANDED, 50 * len(data))):
        gathered.find("nested containers", "they expand without end when they are walked", part)
    _tails(data, machine.stream.position, gathered, part)


@contextmanager
def _without_collector() -> Iterator[None]:
    """Millions of small objects are made and all are kept: looking for garbage takes 3/4 of it."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _tails(data: bytes, position: int, gathered: Gathered, part: str) -> None:
    for _ in range(_TAILS):
        if position >= len(data):
            return
        stream = Stream(data, position, part)
        gathered.find(
            "trailing bytes",
            f"{len(data) - position} bytes follow the end of the pickle, hidden from its loader",
            stream.where,
        )
        try:
            Machine(stream, gathered).run()
        except CorruptModelError:
            return
        position = stream.position
