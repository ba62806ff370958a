"""What a server is made of: settings become the parts of ``serving``.

The half of the composition root that knows of serving, loading and following; ``wiring`` has one
function for each command. Imports sit inside functions: a light start.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shipway.errors import Error, MissingPackageError

if TYPE_CHECKING:
    from shipway.conversion.shelf import Shelf
    from shipway.model.spec import Artifact, ModelSpec
    from shipway.ports import Feed, ModelSource, Runtime, Trial
    from shipway.runtimes.answering import ModelRuntime
    from shipway.serving.following import Follower
    from shipway.serving.hooks import Hooks
    from shipway.serving.metrics import Metrics
    from shipway.serving.server import Lifespan, Parts
    from shipway.serving.slot import ModelSlot
    from shipway.settings import Settings
    from shipway.stores.registered_model import RegisteredModel

__all__ = ["at", "load_model", "model_arguments", "parts_of"]


def load_model(artifact: Artifact, settings: Settings) -> ModelRuntime:
    """The model in these bytes, ready to answer rows.

    Raises:
        shipway.errors.ModelError: it cannot be used; the message says why.
    """
    from shipway import runtimes

    return runtimes.load(
        artifact, policy=settings.model.policy, threads=1, declared=settings.signature
    )


def parts_of(
    settings: Settings, hooks: Hooks | None = None
) -> tuple[Parts, Callable[[ModelSpec], None]]:
    """The parts of a server, and what is to be told once it answers."""
    from shipway.runtimes.trial import SubprocessTrial
    from shipway.serving.app import build_app
    from shipway.serving.metrics import Metrics
    from shipway.serving.server import Parts
    from shipway.stores.location import locate
    from shipway.stores.registered_model import RegisteredModel

    metrics = Metrics()
    source = locate(settings.model.path, settings.mlflow)
    here = at(settings, source.path)
    shelf = _shelf(here)
    follower = None
    if isinstance(source, RegisteredModel):
        follower = _follower(settings, source, metrics)

    def try_out() -> Trial:
        arguments = model_arguments(here)
        return SubprocessTrial(arguments, timeout=settings.reload.timeout, clock=time)

    def app(slot: ModelSlot, lifespan: Lifespan) -> Any:
        return build_app(
            slot,
            settings.api,
            metrics=metrics,
            hooks=hooks,
            lifespan=lifespan,
            model_version=settings.model.version,
            batching=settings.batching,
            cache=settings.cache,
        )

    parts = Parts(
        source=source,
        load=lambda artifact: _load_fastest(artifact, settings, shelf),
        try_out=try_out,
        app=app,
        metrics=metrics,
        version=settings.model.version,
        server=settings.serve,
        reload=settings.reload,
        clock=time,
        end=_end,
        improve=_improver(here, source, shelf),
        swapped=follower.swapped if follower else lambda _: None,
    )
    return parts, follower.begin if follower else lambda _: None


def _follower(settings: Settings, source: RegisteredModel, metrics: Metrics) -> Follower:
    import socket

    from shipway.serving.following import Follower, Reach
    from shipway.stores.location import registry

    where = f"{socket.gethostname()}.{settings.serve.port}"

    def note(name: str, number: str, text: str) -> None:
        registry(settings.mlflow).tag(name, number, f"shipway.serving.{where}", text)

    return Follower(
        source.refresh,
        note if settings.mlflow.record else None,
        Reach(metrics.registry),
        where=where,
        interval=settings.mlflow.interval if settings.reload.enabled else None,
    )


def _shelf(settings: Settings) -> Shelf | None:
    if settings.convert.mode == "off":
        return None
    import msgspec

    from shipway.conversion.shelf import Shelf
    from shipway.conversion.versions import versions

    declared = msgspec.json.encode(settings.signature).decode()
    return Shelf(
        Path(settings.model.path),
        Path(settings.convert.folder),
        depends={"declared": declared, **versions()},
    )


def _load_fastest(artifact: Artifact, settings: Settings, shelf: Shelf | None) -> Runtime:
    """The model's proven converted file under the model's name, or else the model itself."""
    found = shelf.find(artifact.digest) if shelf else None
    if shelf is None or found is None:
        return load_model(artifact, settings)
    from shipway.model.formats import detect

    try:
        converted = load_model(found.artifact, settings)
        spec = replace(
            converted.spec,
            format=detect(artifact.data, artifact.name),
            framework=found.framework,
            digest=artifact.digest,
            size=artifact.size,
            registered=artifact.registered,
            converted=found.artifact.digest,
        )
    except Error as error:
        name = found.artifact.name
        shelf.tell(
            f"{name} cannot be used, the model itself is served: {error.message}", error.hint
        )
        return load_model(artifact, settings)
    return replace(converted, spec=spec)


def _improver(
    settings: Settings, source: ModelSource, shelf: Shelf | None
) -> Callable[[Callable[[], ModelSpec]], Feed] | None:
    if shelf is None or settings.convert.mode != "auto":
        return None
    from shipway.conversion.apart import Conversion
    from shipway.conversion.background import Background

    def begin() -> Conversion:
        if any(importlib.util.find_spec(name) is None for name in ("onnx", "onnxruntime")):
            raise MissingPackageError(
                "the converters are not installed", "pip install 'shipway[convert]'"
            )
        arguments = model_arguments(settings)
        return Conversion(arguments, timeout=settings.convert.timeout, niceness=10)

    return lambda current: Background(shelf, source, begin, current=current, clock=time)


def at(settings: Settings, path: Path) -> Settings:
    """The same settings for a model at this path."""
    return replace(settings, model=replace(settings.model, path=str(path)))


def model_arguments(settings: Settings) -> list[str]:
    """The model and what it may do, for a command of ours in another process."""
    allowed = [word for name in settings.model.allow for word in ("--allow", name)]
    trusted = [word for digest in settings.model.trust for word in ("--trust", digest)]
    return [*allowed, *trusted, "--", settings.model.path]


def _end(code: int) -> None:
    logging.shutdown()
    os._exit(code)
