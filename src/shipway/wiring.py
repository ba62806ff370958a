"""Composition root: settings → concrete adapters. Imports sit inside functions: a light start."""

from __future__ import annotations

import contextlib
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
    from shipway.conversion.proof import Converted
    from shipway.conversion.shelf import Shelf
    from shipway.loadtest.course import Plan, Progress
    from shipway.loadtest.report import Report
    from shipway.loadtest.target import Target
    from shipway.model.report import CheckReport
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

__all__ = [
    "application",
    "bench_model",
    "bench_server",
    "check_model",
    "convert",
    "convert_inside",
    "load_model",
    "serve",
]


def load_model(artifact: Artifact, settings: Settings) -> ModelRuntime:
    """The model in these bytes, ready to answer rows.

    Raises:
        shipway.errors.ModelError: it cannot be used; the message says why.
    """
    from shipway import runtimes

    return runtimes.load(
        artifact, policy=settings.model.policy, threads=1, declared=settings.signature
    )


def check_model(settings: Settings) -> CheckReport:
    """Check ``settings.model.path`` step by step, as far as it goes: read, scan, load, answer."""
    from shipway.model.report import CheckReport
    from shipway.model.scan import scan
    from shipway.model.spec import TrustPolicy
    from shipway.stores.location import locate

    path = settings.model.path
    artifact = found = spec = error = None
    trusted = False
    try:
        artifact = locate(path, settings.mlflow).read()
        trusted = artifact.digest in settings.model.policy.digests
        # Without the digests: what a trusted file would run is told all the same.
        found = scan(artifact, TrustPolicy(settings.model.policy.names))
        runtime = load_model(artifact, settings)
        spec = runtime.spec
        runtime.predict(spec.signature.example_rows())
    except Error as caught:
        error = caught
    return CheckReport(
        path=path, artifact=artifact, scan=found, trusted=trusted, spec=spec, error=error
    )


def convert(
    settings: Settings,
    target: Path,
    *,
    sample: Path | None,
    tolerance: float,
    timeout: float,
) -> dict[str, Any]:
    """Convert the model and keep it at ``target`` if it is proven; the report's document.

    A process of its own does the work, for at most ``timeout`` seconds. When the two models
    differ, the report is kept and the converted file is not.

    Raises:
        shipway.errors.ConversionError: there is no converter, or it failed.
        shipway.errors.UsageError: the sample or the target cannot be used.
        shipway.errors.ModelError: the model cannot be loaded.
    """
    from shipway.conversion.apart import Conversion, convert_apart
    from shipway.conversion.beside import keep, keep_report

    settings = _brought(settings)
    arguments = ["--tolerance", repr(tolerance)]
    if sample is not None:
        arguments += ["--sample", str(sample)]
    arguments += _model_arguments(settings)
    kept = convert_apart(Conversion(arguments, timeout=timeout))
    if kept.document["equal"]:
        keep(target, kept.data, kept.report)
    else:
        keep_report(target, kept.report)
    return kept.document


def convert_inside(settings: Settings, *, sample: Path | None, tolerance: float) -> Converted:
    """Convert and prove the model in this process.

    Raises:
        shipway.errors.Error: as ``convert`` tells.
    """
    from shipway.conversion.proof import convert_and_prove
    from shipway.conversion.sample import read_sample
    from shipway.conversion.versions import versions
    from shipway.runtimes.bare import load_object
    from shipway.stores.model_file import ModelFile

    artifact = ModelFile(settings.model.path).read()
    original = load_model(artifact, settings)
    rows = read_sample(sample, original.spec.signature) if sample else None
    return convert_and_prove(
        load_object(artifact, policy=settings.model.policy),
        original,
        load=lambda converted: load_model(converted, settings),
        sample=None if sample is None or rows is None else (sample.name, rows),
        tolerance=tolerance,
        versions=versions(),
    )


def application(
    settings: Settings,
    *,
    hooks: Hooks | None = None,
    failed: Callable[[Error], None],
    ready: Callable[[ModelSpec], None],
) -> Any:
    """The ASGI application of a project, to be run by any uvicorn, with one worker or several.

    ``failed`` is told, from a thread, when the first model cannot be loaded; ``ready`` when it
    answers.

    Raises:
        shipway.errors.SettingError: the hooks are not functions that can be called.
    """
    from shipway.serving import logs, metrics_directory, server

    logs.configure(settings.log)
    metrics_directory.share_with_siblings()
    parts, began = _parts(settings, hooks)

    def answering(spec: ModelSpec) -> None:
        began(spec)
        ready(spec)

    return server.application(parts, failed=failed, ready=answering)


def serve(settings: Settings, *, ready: Callable[[str, ModelSpec], None]) -> None:
    """Answer for the model until a signal ends it; ``ready`` is told the URL once it answers.

    Raises:
        shipway.errors.UsageError: it cannot listen at that address.
        shipway.errors.ModelError: the model cannot be served.
    """
    from shipway.serving import logs, metrics_directory, server, workers

    logs.configure(settings.log)
    with contextlib.closing(server.bind(settings.serve)) as listener:
        host, port = listener.getsockname()[:2]
        url = f"http://{_reachable(host)}:{port}"
        several = settings.serve.workers > 1
        run = workers.supervise if several else server.run
        with metrics_directory.shared_with_children() if several else contextlib.nullcontext():
            parts, began = _parts(settings)

            def answering(spec: ModelSpec) -> None:
                ready(url, spec)
                began(spec)

            run(parts, listener, answering)


def _parts(
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
    here = _at(settings, source.path)
    shelf = _shelf(here)
    follower = None
    if isinstance(source, RegisteredModel):
        follower = _follower(settings, source, metrics)

    def try_out() -> Trial:
        arguments = _model_arguments(here)
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


def _at(settings: Settings, path: Path) -> Settings:
    return replace(settings, model=replace(settings.model, path=str(path)))


def _brought(settings: Settings) -> Settings:
    """With the model at a path: one in a registry is downloaded."""
    from shipway.stores.location import bring

    return _at(settings, bring(settings.model.path, settings.mlflow))


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
        arguments = _model_arguments(settings)
        return Conversion(arguments, timeout=settings.convert.timeout, niceness=10)

    return lambda current: Background(shelf, source, begin, current=current, clock=time)


def _model_arguments(settings: Settings) -> list[str]:
    """The model and what it may do, for a command of ours in another process."""
    allowed = [word for name in settings.model.allow for word in ("--allow", name)]
    trusted = [word for digest in settings.model.trust for word in ("--trust", digest)]
    return [*allowed, *trusted, "--", settings.model.path]


def bench_server(
    target: Target, plan: Plan, *, body: Path | None, rows: Path | None, progress: Progress
) -> Report:
    """Measure a running server with a body, rows of a file, or its own example.

    Raises:
        shipway.errors.LoadTestError: it is not there, not ready, or refuses the row.
        shipway.errors.UsageError: the file cannot be used.
    """
    from shipway.loadtest import probe
    from shipway.loadtest.course import measure
    from shipway.loadtest.rows import choose

    probe.check_ready(target)
    bodies = choose(body, rows, lambda: probe.openapi(target))
    probe.check_row(target, bodies[0])
    return measure(target, bodies, plan, progress)


def bench_model(
    settings: Settings, plan: Plan, *, body: Path | None, rows: Path | None, progress: Progress
) -> Report:
    """Serve the model on a free port for as long as it is measured.

    Raises:
        shipway.errors.ModelError: the file cannot be served.
        shipway.errors.LoadTestError: the server does not start.
    """
    from shipway.loadtest.started import serving
    from shipway.model.scan import refusal, scan
    from shipway.stores.model_file import ModelFile

    settings = _brought(settings)
    # The server would say the same, but from another process: here it is an error of its class.
    artifact = ModelFile(settings.model.path).read()
    found = scan(artifact, settings.model.policy)
    if found.findings:
        raise refusal(artifact, found)
    del artifact
    progress("starting the server", 0.0)
    workers = ["--workers", str(settings.serve.workers)]
    # A conversion in the background would be measured along with it.
    mode = "off" if settings.convert.mode == "off" else "found"
    environ = os.environ | {"SHIPWAY_CONVERT_MODE": mode}
    with serving([*workers, *_model_arguments(settings)], environ=environ) as target:
        return bench_server(target, plan, body=body, rows=rows, progress=progress)


def _end(code: int) -> None:
    logging.shutdown()
    os._exit(code)


def _reachable(host: str) -> str:
    """The address to type into a browser for one that was bound."""
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        return "localhost"
    return f"[{host}]" if ":" in host else host
