"""``shipway serve``."""

from __future__ import annotations

import json
import shlex
import sys
from typing import TYPE_CHECKING

import click

from shipway.cli import talk
from shipway.cli.policy import trust_options

if TYPE_CHECKING:
    from shipway.model.signature import Signature
    from shipway.model.spec import ModelSpec

__all__ = ["command"]

LONGEST_BODY = 2000
"""Characters; a longer curl line helps nobody."""


@click.command
@click.argument("model", required=False, metavar="[MODEL]")
@click.option("--host", metavar="ADDRESS", help="Listen here; 0.0.0.0 for every network.")
@click.option("--port", type=int, metavar="NUMBER", help="Listen here; 0 takes a free one.")
@click.option(
    "--workers",
    type=int,
    metavar="NUMBER",
    help="Processes that answer; they share the memory of one loaded model.",
)
@click.option(
    "--batching",
    metavar="MODE",
    help="Where the model is called: inline, thread (what waits shares a call), or auto: measured.",
)
@click.option("--log-level", metavar="LEVEL", help="debug, info, warning, error or critical.")
@click.option("--log-format", metavar="FORMAT", help="console, json, or auto: by the terminal.")
@click.option(
    "--reload/--no-reload",
    default=None,
    help="Whether a new file at the model's path is taken without a restart (default: yes).",
)
@click.option(
    "--cache/--no-cache",
    default=None,
    help="Whether answers are kept for rows that come again (default: no).",
)
@click.option(
    "--convert/--no-convert",
    default=None,
    help="Whether a proven ONNX file may answer in the model's place (default: yes).",
)
@trust_options
def command(
    model: str | None,
    *,
    host: str | None,
    port: int | None,
    workers: int | None,
    batching: str | None,
    log_level: str | None,
    log_format: str | None,
    reload: bool | None,
    cache: bool | None,
    convert: bool | None,
    allow: tuple[str, ...],
    trust: tuple[str, ...],
) -> None:
    r"""Answer predictions over HTTP.

    MODEL is a model file, an MLflow folder (default: MODEL_PATH, else models/model.pkl), or a
    model in MLflow's registry, which is followed: models:/NAME@ALIAS or models:/NAME/VERSION. What
    is not said here comes from the environment and from shipway.toml.

    SIGTERM and Ctrl-C end it gracefully: readiness turns 503, requests under way are answered,
    exit code 0. A second Ctrl-C ends it at once.

    \b
    Examples:
      shipway serve models/model.pkl
      shipway serve model.onnx --port 9000 --workers 4
      shipway serve model.pkl --host 0.0.0.0 --log-format json
      shipway serve models:/churn@champion
    """
    from shipway.settings import read_settings
    from shipway.wiring import serve

    settings = read_settings(
        options={
            "model": {"path": model, "allow": allow or None, "trust": trust or None},
            "batching": {"mode": batching},
            "serve": {"host": host, "port": port, "workers": workers},
            "reload": {"enabled": reload},
            "cache": {"enabled": cache},
            "convert": {"mode": None if convert is None else "auto" if convert else "off"},
            "log": {"level": log_level, "format": log_format},
        }
    )
    serve(settings, ready=_greet)


def _greet(url: str, spec: ModelSpec) -> None:
    how = ", converted to ONNX" if spec.converted else ""
    talk.say(f"Serving {spec.framework} ({spec.signature.task}{how}) on {url}")
    if sys.stderr.isatty():
        line = _curl(url, spec.signature)
        if line:
            talk.say(f"Try it:\n  {line}")
        talk.say("Ctrl-C ends it.")


def _curl(url: str, signature: Signature) -> str | None:
    """One line for a shell that asks the model for an example row."""
    row = signature.example_rows().tolist()[0]
    features = dict(zip(signature.names, row, strict=True)) if signature.named else row
    body = json.dumps({"features": features}, ensure_ascii=False)
    if len(body) > LONGEST_BODY:
        return None
    kind = shlex.quote("Content-Type: application/json")
    return f"curl {url}/predict -H {kind} -d {shlex.quote(body)}"
