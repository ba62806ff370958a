"""Composition root: settings → concrete adapters. Imports sit inside functions: a light start."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shipway.assembly import at, load_model, model_arguments, parts_of
from shipway.errors import Error

if TYPE_CHECKING:
    from shipway.conversion.proof import Converted
    from shipway.loadtest.course import Plan, Progress
    from shipway.loadtest.report import Report
    from shipway.loadtest.target import Target
    from shipway.model.report import CheckReport
    from shipway.model.spec import ModelSpec
    from shipway.serving.hooks import Hooks
    from shipway.settings import Settings

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
    arguments += model_arguments(settings)
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
    parts, began = parts_of(settings, hooks)

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
            parts, began = parts_of(settings)

            def answering(spec: ModelSpec) -> None:
                ready(url, spec)
                began(spec)

            run(parts, listener, answering)


def _brought(settings: Settings) -> Settings:
    """With the model at a path: one in a registry is downloaded."""
    from shipway.stores.location import bring

    return at(settings, bring(settings.model.path, settings.mlflow))


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
    with serving([*workers, *model_arguments(settings)], environ=environ) as target:
        return bench_server(target, plan, body=body, rows=rows, progress=progress)


def _reachable(host: str) -> str:
    """The address to type into a browser for one that was bound."""
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        return "localhost"
    return f"[{host}]" if ":" in host else host
