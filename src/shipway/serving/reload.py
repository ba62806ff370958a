"""A newer model file takes over while requests go on; a bad one leaves the old model serving.

The file is looked at every second or so. Notification (inotify) would be quicker where it
works, but it says nothing about a file that another machine wrote to a network volume, nothing
when a bind mount's source is replaced, and it watches an inode where Kubernetes switches a link
(``..data``) two folders up. One ``stat`` a second costs nothing and sees them all.

A change is acted upon when two looks in a row see the same file. Then the bytes are read once,
tried out in another process, and those very bytes (by digest) are what is loaded here.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shipway.errors import Error
from shipway.model.signature import Signature
from shipway.model.spec import Artifact, Candidate, Identity, ModelSpec
from shipway.ports import Clock, Feed, ModelSource, Runtime, Trial
from shipway.serving.slot import ModelSlot

__all__ = ["Refusals", "Taker", "Watcher", "follow", "kind_of", "warm"]

logger = logging.getLogger(__name__)

TICK = 0.05


def kind_of(error: Error) -> str:
    """A word for a metric's label: ``UnsafeModelError`` is ``unsafe_model``."""
    name = type(error).__name__.removesuffix("Error")
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_") or "other"


@dataclass(frozen=True, slots=True)
class Refusals:
    """Where a new file that cannot be taken is told: one log line, one count by kind."""

    count: Callable[[str], None]

    def __call__(self, error: Error) -> None:
        """Tell it."""
        kind = kind_of(error)
        self.count(kind)
        logger.error(
            "The new model file is refused, the model in service stays: %s (hint: %s)",
            error.message,
            error.hint or "none",
            extra={"reason": kind},
        )


def warm(runtime: Runtime) -> Runtime:
    """Let a model answer an example row: the first call of most libraries is the slowest.

    Raises:
        shipway.errors.Error: it cannot answer the row that its own signature suggests.
    """
    runtime.predict(runtime.spec.signature.example_rows())
    return runtime


@dataclass(frozen=True, slots=True, kw_only=True)
class Taker:
    """Loads a new model beside the old one and puts it into service in one step.

    The model in service itself comes again when a converted file can answer in its place: to the
    outside it stays the same model.
    """

    slot: ModelSlot
    load: Callable[[Artifact], Runtime]
    swapped: Callable[[ModelSpec], None]
    converted: Callable[[ModelSpec], None]
    refused: Callable[[Error], None]

    def __call__(self, artifact: Artifact) -> None:
        """Take this model; when it cannot be taken, say so and keep the old one."""
        again = artifact.identity == self.slot.current.spec.identity
        try:
            runtime = warm(self.load(artifact))
            if again and runtime.spec.converted is None:
                return
            self.slot.swap(runtime)
        except Error as error:
            self.refused(error)
        except MemoryError:
            self.refused(
                Error("There is no memory for a second model.", "Give the process more memory.")
            )
        else:
            facts = {"digest": artifact.digest}
            if again:
                self.converted(runtime.spec)
                logger.info("The converted model answers from now on", extra=facts)
            else:
                self.swapped(runtime.spec)
                logger.info("A new model is in service", extra=facts)


class Watcher:
    """A ports.Feed: decides which file is to be taken next.

    ``seen`` is the fingerprint from before the model in service was read, ``current`` says that
    model's identity, ``fits`` raises when a signature does not fit the one in service.
    """

    def __init__(
        self,
        source: ModelSource,
        try_out: Callable[[], Trial],
        *,
        current: Callable[[], Identity],
        fits: Callable[[Signature], None],
        refused: Callable[[Error], None],
        clock: Clock,
        interval: float,
        seen: str | None,
    ) -> None:
        self._source = source
        self._try_out = try_out
        self._current = current
        self._fits = fits
        self._refused = refused
        self._clock = clock
        self._interval = interval
        self._settled = self._last = seen
        self._next_look = clock.monotonic() + interval
        self._tried: tuple[Artifact, Trial] | None = None

    @property
    def busy(self) -> bool:
        """Whether a trial is under way."""
        return self._tried is not None

    def step(self) -> Candidate | None:
        """Do what can be done now; a model that is to be taken is returned once."""
        if self._tried is None:
            if self._clock.monotonic() < self._next_look:
                return None
            self._next_look = self._clock.monotonic() + self._interval
            self._look()
        return self._outcome()

    def close(self) -> None:
        """End a trial that is under way."""
        if self._tried is not None:
            self._tried[1].cancel()
            self._tried = None

    def _look(self) -> None:
        found = self._source.fingerprint()
        stable, self._last = found == self._last, found
        if found is None or not stable or found == self._settled:
            return
        # Whatever comes of it: the same bad file is not tried again until it changes.
        self._settled = found
        try:
            artifact = self._source.read()
            if artifact.identity == self._current():
                return
            logger.info(
                "A new model file is being tried out",
                extra={"digest": artifact.digest},
            )
            self._tried = artifact, self._try_out()
        except Error as error:
            self._refused(error)

    def _outcome(self) -> Candidate | None:
        if self._tried is None:
            return None
        artifact, trial = self._tried
        try:
            spec = trial.poll()
            if spec is None:
                return None
            self._tried = None
            if spec.identity != artifact.identity:
                # The file was replaced between our reading and the trial's: look afresh.
                self._settled = None
                return None
            self._fits(spec.signature)
        except Error as error:
            self._tried = None
            self._refused(error)
            return None
        return Candidate(artifact, spec)


def follow(feeds: Sequence[Feed], take: Callable[[Artifact], None], stop: threading.Event) -> None:
    """Take what the feeds bring until ``stop`` is set; blocks, so give it a thread."""
    while feeds and not stop.wait(TICK):
        for feed in feeds:
            try:
                found = feed.step()
                if found is not None:
                    take(found.artifact)
            except Exception:
                # A mistake in here must not end the watch for good without a word.
                logger.exception("The new model file could not be taken")
    for feed in feeds:
        feed.close()
