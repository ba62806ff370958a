"""The seams between verbs and adapters: Protocols only."""

from __future__ import annotations

from typing import Protocol

from shipway.model.signature import Outputs, Rows
from shipway.model.spec import Artifact, Candidate, ModelSpec

__all__ = ["Clock", "Feed", "ModelSource", "Runtime", "Trial"]


class Runtime(Protocol):
    """A loaded model. ``predict`` may be called from several threads."""

    @property
    def spec(self) -> ModelSpec:
        """What was loaded."""
        ...

    def predict(self, rows: Rows) -> Outputs:
        """Answer rows of shape (n, features) as ``spec.signature`` describes them, n >= 1.

        Raises:
            shipway.errors.InputError: the model refuses a value that its signature allows
                (for example a number too large for float32).
            shipway.errors.PredictionError: anything else that goes wrong inside the model.
        """
        ...


class ModelSource(Protocol):
    """The place where a model comes from."""

    def fingerprint(self) -> str | None:
        """A cheap token that changes when the model may have changed; None: nothing there."""
        ...

    def read(self) -> Artifact:
        """The model's bytes.

        Raises:
            shipway.errors.ModelNotFoundError: nothing readable there.
        """
        ...


class Trial(Protocol):
    """A model file that is being tried out in another process, so that a crash is not ours."""

    def poll(self) -> ModelSpec | None:
        """What the file is once it loaded and answered a row there; None while it is at it.

        Raises:
            shipway.errors.ModelError: it cannot be served; the message says why.
        """
        ...

    def cancel(self) -> None:
        """End it, whatever it is doing."""
        ...


class Feed(Protocol):
    """Where models come from while another one is in service. Any loop can drive it."""

    @property
    def busy(self) -> bool:
        """Whether a process of its own is at work."""
        ...

    def step(self) -> Candidate | None:
        """Do what can be done now, without waiting; a model that is to be taken comes once."""
        ...

    def close(self) -> None:
        """End what is under way."""
        ...


class Clock(Protocol):
    """Time that a test can hold in its hand."""

    def monotonic(self) -> float:
        """Seconds since some fixed point; never goes back."""
        ...
