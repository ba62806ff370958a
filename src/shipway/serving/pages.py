"""The page at ``/``: what is served here and a command that works, in one self-contained file."""

from __future__ import annotations

import html
import json
import shlex
from typing import Any

from shipway.model.spec import ModelSpec
from shipway.serving.schemas import example_features

__all__ = ["POLICY", "curl", "facts", "index"]

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
"""The page's Content-Security-Policy: no script, nothing from elsewhere."""

_SHOWN = 100

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem;
color-scheme:light dark}
pre{overflow-x:auto;padding:.75rem;border:1px solid #8886;border-radius:.3rem}
table{border-collapse:collapse}th,td{text-align:left;padding:.2rem 1rem .2rem 0;
overflow-wrap:anywhere;vertical-align:top}
"""


def facts(title: str, model_version: str, spec: ModelSpec | None) -> dict[str, Any]:
    """What the page says, for clients that do not read HTML."""
    found: dict[str, Any] = {"title": title, "model_version": model_version, "model": None}
    if spec is not None:
        found["model_version"] = spec.registered or model_version
        found["model"] = {
            "framework": spec.framework,
            "framework_version": spec.installed_version,
            "format": str(spec.format),
            "digest": spec.digest,
            "task": spec.signature.task,
            "features": list(spec.signature.names),
        }
    return found | {"links": {"docs": "/docs", "openapi": "/openapi.json", "metrics": "/metrics"}}


def curl(url: str, spec: ModelSpec) -> str:
    """A command for a POSIX shell that asks for the prediction of the example row."""
    body = json.dumps({"features": example_features(spec.signature)}, ensure_ascii=False)
    return (
        f"curl {shlex.quote(url + 'predict')} -H 'Content-Type: application/json' "
        f"-d {shlex.quote(body)}"
    )


def index(title: str, model_version: str, spec: ModelSpec | None, *, url: str) -> str:
    """The page; everything that comes from the model or the request is escaped."""
    name = html.escape(title)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{name}</title><style>{_STYLE}</style></head><body>\n<main><h1>{name}</h1>\n"
        f"{_loading() if spec is None else _model(model_version, spec, url)}\n"
        '<p><a href="docs">Try it in the browser</a> · <a href="openapi.json">OpenAPI</a> · '
        '<a href="metrics">Metrics</a> · <a href="health/ready">Readiness</a></p>'
        "</main></body></html>\n"
    )


def _loading() -> str:
    return "<p>The model is still loading. Reload this page in a moment.</p>"


def _model(model_version: str, spec: ModelSpec, url: str) -> str:
    signature = spec.signature
    rows = [
        ("Version", spec.registered or model_version),
        ("Model", f"{spec.framework} {spec.installed_version or ''} ({spec.format})"),
        ("Task", signature.task),
        ("Digest", spec.digest),
    ]
    if signature.classes is not None:
        rows.append(("Classes", ", ".join(str(label) for label in signature.classes[:_SHOWN])))
    table = "".join(
        f'<tr><th scope="row">{html.escape(key)}</th><td>{html.escape(value)}</td></tr>'
        for key, value in rows
    )
    features = "".join(
        f"<li>{html.escape(feature.name)} ({feature.kind}{', may be null' * feature.missing})</li>"
        for feature in signature.features[:_SHOWN]
    )
    more = len(signature.features) - _SHOWN
    return (
        f"<table>{table}</table>\n<h2>Ask it</h2>\n"
        f"<pre><code>{html.escape(curl(url, spec))}</code></pre>\n"
        f"<h2>Features</h2>\n<ol>{features}</ol>" + (f"<p>… and {more} more.</p>" * (more > 0))
    )
