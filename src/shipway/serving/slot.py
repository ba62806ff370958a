"""The place where the model in service sits: filled, swapped and emptied in one step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from shipway.errors import IncompatibleModelError, NotReadyError
from shipway.model.signature import Signature
from shipway.ports import Runtime
from shipway.serving.cost import Cost, measure
from shipway.serving.dialects.native import Decode, ReadPlain, compile_decoder

__all__ = ["Loaded", "ModelSlot", "State", "require_same_features"]

State = Literal["loading", "ready", "draining"]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A runtime with all that is worked out once for it. A request holds one from start to end."""

    runtime: Runtime
    decode: Decode
    read_plain: ReadPlain
    cost: Cost

    @property
    def signature(self) -> Signature:
        """What the runtime takes and gives."""
        return self.runtime.spec.signature


class ModelSlot:
    """Holds the model in service.

    Reading is one attribute load and ``swap`` one attribute store, so threads need no lock and a
    request sees either the old model or the new one, never a mixture.
    """

    def __init__(self, runtime: Runtime | None = None) -> None:
        self._loaded: Loaded | None = None
        self._draining = False
        self._tell: Callable[[Loaded], None] = lambda _: None
        if runtime is not None:
            self.swap(runtime)

    @property
    def state(self) -> State:
        """``loading`` until there is a model, ``draining`` once the process is to end."""
        if self._draining:
            return "draining"
        return "loading" if self._loaded is None else "ready"

    @property
    def loaded(self) -> Loaded:
        """The model in service, also while draining: accepted requests still get answers.

        Raises:
            NotReadyError: there is none yet.
        """
        loaded = self._loaded
        if loaded is None:
            raise NotReadyError(
                "The model is still loading.", "Try again in a moment, or watch /health/ready."
            )
        return loaded

    @property
    def current(self) -> Runtime:
        """The runtime in service.

        Raises:
            NotReadyError: there is none yet.
        """
        return self.loaded.runtime

    def swap(self, runtime: Runtime) -> None:
        """Put a runtime into service; requests under way finish with the one they began with.

        Its cost is measured first, so this takes some calls of the model.

        Raises:
            IncompatibleModelError: its features differ in number, name or kind from those of the
                model in service, so that clients would have to change.
        """
        new = runtime.spec.signature
        if self._loaded is not None:
            require_same_features(self._loaded.signature, new)
        decode, read_plain = compile_decoder(new)
        loaded = Loaded(runtime, decode, read_plain, measure(runtime))
        self._loaded = loaded
        self._tell(loaded)

    def tell(self, listener: Callable[[Loaded], None]) -> None:
        """Have each model that comes into service told, the present one at once."""
        self._tell = listener
        if self._loaded is not None:
            listener(self._loaded)

    def drain(self) -> None:
        """Say from now on that this process is about to end; there is no way back."""
        self._draining = True


def require_same_features(old: Signature, new: Signature) -> None:
    """Whether clients of the old model can go on with the new one.

    Raises:
        IncompatibleModelError: features differ in number, name or kind.
    """
    hint = "Serve a model with other features under another path or as another service."
    if len(old.features) != len(new.features):
        raise IncompatibleModelError(
            f"The new model takes {len(new.features)} features, "
            f"the one in service {len(old.features)}.",
            hint,
        )
    if old.named != new.named:
        has, other = ("names", "none") if new.named else ("no names", "names")
        raise IncompatibleModelError(
            f"The new model has {has} for its features, the one in service has {other}.", hint
        )
    for index, (was, now) in enumerate(zip(old.features, new.features, strict=True)):
        if was.name != now.name:
            raise IncompatibleModelError(
                f'Feature {index} of the new model is "{now.name}", '
                f'of the one in service "{was.name}".',
                hint,
            )
        if was.kind != now.kind:
            raise IncompatibleModelError(
                f'The new model takes a {now.kind} for "{now.name}", '
                f"the one in service a {was.kind}.",
                hint,
            )
