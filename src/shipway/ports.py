"""The seams between verbs and adapters: Protocols only."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from shipway.model.registered import RegisteredVersion, RegistryName
from shipway.model.signature import Outputs, Rows
from shipway.model.spec import Artifact, Candidate, ModelSpec

__all__ = ["Clock", "Feed", "ModelRegistry", "ModelSource", "Runtime", "Trial"]


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


class ModelRegistry(Protocol):
    """Where versions of models are registered under names, and aliases point at them."""

    def find(self, name: RegistryName) -> RegisteredVersion:
        """The version that the name stands for now.

        Raises:
            shipway.errors.ModelNotFoundError: there is no such model, alias or version.
            shipway.errors.TrackingError: no answer, or no right to ask.
        """
        ...

    def download(self, version: RegisteredVersion, folder: Path) -> None:
        """Put the version's files into an empty folder; none are left out.

        Raises:
            shipway.errors.ModelError: there are none, or they cannot be had from here.
            shipway.errors.TrackingError: no answer, or no right to ask.
        """
        ...

    def tag(self, name: str, number: str, key: str, value: str) -> None:
        """Write a note on version ``number`` of a model, over an earlier one with this key.

        Raises:
            shipway.errors.TrackingError: no answer, or no right to write.
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
