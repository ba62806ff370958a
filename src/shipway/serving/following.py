"""A registered model is followed while it serves: where its alias points, and who serves it.

One thread asks the registry, so that a slow network delays no request and no other duty. It makes
the local copy current, and that is all: the watch over the model's path does the rest, as for any
file. What it writes to the registry is best effort.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal

from prometheus_client import CollectorRegistry, Gauge

from shipway.errors import Error, UnreachableError
from shipway.model.spec import ModelSpec

__all__ = ["Follower", "Note", "Reach"]

logger = logging.getLogger(__name__)

SLOWEST = 60.0
"""Seconds between looks when the same version cannot be had time and again."""

Event = Literal["start", "swap"]
Note = Callable[[str, str, str], None]
"""Writes a text on a version: name, number, text."""

_telling = threading.Lock()
# A process that is forked off while this thread holds a lock of the metrics would wait for ever.
os.register_at_fork(
    before=_telling.acquire,
    after_in_parent=_telling.release,
    after_in_child=_telling.release,
)


class Reach:
    """Says in the log, once for each change, and on /metrics whether the registry answers."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._up = Gauge(
            "shipway_model_registry_up",
            "1 when the model registry answered the last time it was asked.",
            # What forked processes inherit and never set is 0.
            multiprocess_mode="livemax",
            registry=registry,
        )
        # The first model came from it; when it did not, the first look says so.
        self._up.set(1)
        self._told = ""

    def well(self) -> None:
        """It answered."""
        with _telling:
            self._up.set(1)
            if self._told:
                logger.info("The model registry answers again as it should")
            self._told = ""

    def troubled(self, error: Error) -> None:
        """It did not, or what it names cannot be had."""
        away = isinstance(error, UnreachableError)
        told = "away" if away else error.message
        with _telling:
            self._up.set(not away)
            if told != self._told:
                logger.warning(
                    "The model in service stays, for the registry's cannot be had: %s (hint: %s)",
                    error.message,
                    error.hint or "none",
                )
            self._told = told


class Follower:
    """Calls ``refresh`` every ``interval`` seconds (None: never) from a thread of its own.

    ``begin`` and ``swapped`` are told what serves, and return at once; ``note`` then writes it to
    the version, with ``where`` as the writer. Only the latest waits for a registry that is away.
    """

    def __init__(
        self,
        refresh: Callable[[], object],
        note: Note | None,
        reach: Reach,
        *,
        where: str,
        interval: float | None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._refresh = refresh
        self._note = note
        self._reach = reach
        self._where = where
        self._interval = interval
        self._now = now
        self._events: queue.SimpleQueue[tuple[str, str, str]] = queue.SimpleQueue()
        self._waiting: tuple[str, str, str] | None = None
        self._failures = 0

    def begin(self, spec: ModelSpec) -> None:
        """A server answers with its first model: follow from now on, until the process ends."""
        self._serves(spec, "start")
        threading.Thread(target=self._run, name="registry", daemon=True).start()

    def swapped(self, spec: ModelSpec) -> None:
        """A newer model is in service."""
        self._serves(spec, "swap")

    def _serves(self, spec: ModelSpec, event: Event) -> None:
        if self._note is None or spec.registered is None:
            return
        name, _, rest = spec.registered.partition("/")
        when = self._now().isoformat(timespec="seconds")
        facts = {"event": event, "where": self._where, "when": when, "digest": spec.digest}
        self._events.put((name, rest.partition("@")[0], json.dumps(facts)))

    def _run(self) -> None:
        due = self.step if self._interval is None else self._look
        while True:
            try:
                due()
            except Exception:
                # A mistake in here must not end the following for good without a word.
                logger.exception("The model registry could not be asked")
            due = self.step

    def step(self) -> None:
        """Wait for something to write, or until it is time to look; then do that."""
        try:
            self._waiting = self._events.get(timeout=self._pause)
        except queue.Empty:
            if self._interval is not None:
                self._look()
        self._write()

    @property
    def _pause(self) -> float | None:
        if self._interval is None:
            return SLOWEST if self._waiting else None
        # Not while it is merely away: it is missed as short a time as can be.
        return max(self._interval, min(self._interval * 2.0 ** min(self._failures, 10), SLOWEST))

    def _look(self) -> None:
        try:
            self._refresh()
        except Error as error:
            self._failures = 0 if isinstance(error, UnreachableError) else self._failures + 1
            self._reach.troubled(error)
        else:
            self._failures = 0
            self._reach.well()

    def _write(self) -> None:
        if self._waiting is None or self._note is None:
            return
        try:
            self._note(*self._waiting)
        except UnreachableError as error:
            self._reach.troubled(error)  # and try again after the next look
        except Error as error:
            self._waiting = None
            with _telling:
                logger.warning(
                    "That this version is served could not be recorded: %s (hint: %s)",
                    error.message,
                    error.hint or "none",
                )
        else:
            self._waiting = None
