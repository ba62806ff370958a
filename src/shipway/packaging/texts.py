"""The texts of a project: templates as a team would have written them, filled with the facts."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from importlib import resources
from typing import Any

from shipway.model.signature import Declared, Feature, Signature
from shipway.model.spec import ModelSpec, TrustPolicy
from shipway.packaging.facts import Facts

__all__ = ["TEMPLATES", "placeholders", "render", "requirements_text"]

TEMPLATES = {
    ".dockerignore": "dockerignore.in",
    ".gitignore": "gitignore.in",
    "Dockerfile": "Dockerfile.in",
    "README.md": "README.md.in",
    "config/production.env": "production.env.in",
    "shipway.toml": "shipway.toml.in",
    "src/serve.py": "serve.py.in",
}
"""Path in the project → template."""

OPENMP = """\
# LightGBM's own library needs OpenMP, which slim images do not have.
# hadolint ignore=DL3008
RUN apt-get update \\
    && apt-get install -y --no-install-recommends libgomp1 \\
    && rm -rf /var/lib/apt/lists/*
"""


def render(template: str, about: Mapping[str, str]) -> str:
    """The template with every ``@WORD@`` replaced by ``about[WORD]``."""
    text = resources.files("shipway.packaging").joinpath("templates", template).read_text("utf-8")
    return re.sub(r"@([A-Z_]+)@", lambda match: about[match[1]], text)


def placeholders(facts: Facts) -> dict[str, str]:
    """What the templates' ``@WORD@``s stand for."""
    signature = facts.spec.signature
    return {
        "NAME": facts.name,
        "PYTHON": facts.python,
        "MODEL_PATH": facts.model_path,
        "FORMAT": str(facts.spec.format),
        "FRAMEWORK": _framework(facts.spec),
        "SUMMARY": _summary(signature),
        "EXAMPLE": _example(signature),
        "TRUST": _trust(facts.policy),
        "SIGNATURE": _declared(facts.declared),
        "ELEMENT": "float" if signature.numeric else "float | str",
        "SYSTEM_PACKAGES": OPENMP if _needs(facts, "lightgbm") else "",
    }


def requirements_text(facts: Facts) -> str:
    """The project's requirements.txt."""
    lines = [
        "# What the image installs: exact versions of everything, as they were when the model was",
        f"# loaded and checked with Python {facts.python}. Written by shipway init.",
        "",
        "# Shipway itself, the version that wrote this file.",
        f"./wheels/{facts.wheel.name}",
        "",
    ]
    lines += [
        f"{pin.requirement}  # {pin.reason}" if pin.reason else pin.requirement
        for pin in facts.pins
    ]
    if facts.strangers:
        lines += [
            "",
            "# The model refers to modules that no installed package provides. Put a wheel of each",
            f"# into wheels/ and a line here: {', '.join(facts.strangers)}",
        ]
    if _needs(facts, "torch"):
        lines += [
            "",
            "# PyTorch's default build for Linux carries gigabytes of CUDA: for a CPU image add an",
            "# --extra-index-url line with PyTorch's index of CPU builds.",
        ]
    return "\n".join(lines) + "\n"


def _needs(facts: Facts, package: str) -> bool:
    return any(re.match(rf"{package}(?![\w.-])", pin.requirement) for pin in facts.pins)


def _framework(spec: ModelSpec) -> str:
    version = spec.recorded_version or spec.installed_version
    return f"{spec.framework} {version}" if version else spec.framework


def _summary(signature: Signature) -> str:
    count = len(signature.features)
    what = "A classifier" if signature.task == "classifier" else "A regression model"
    return f"{what} over {count} feature{'s' * (count != 1)}, served over HTTP"


def _example(signature: Signature) -> str:
    row = signature.example_rows()[0].tolist()
    features = dict(zip(signature.names, row, strict=True)) if signature.named else row
    # The text stands between single quotes in a shell.
    return json.dumps({"features": features}, ensure_ascii=False).replace("'", "\\u0027")


def _trust(policy: TrustPolicy) -> str:
    """Lines of [model]: what the user allowed has to hold in the container, too."""
    lines = []
    if policy.names:
        lines.append(f"allow = {_toml(sorted(policy.names))}\n")
    if policy.digests:
        lines.append(f"trust = {_toml(sorted(policy.digests))}\n")
    return "".join(lines)


def _declared(declared: Declared) -> str:
    """The section [signature], empty when nothing was declared."""
    said: dict[str, Any] = {}
    if declared.task is not None:
        said["task"] = declared.task
    if declared.features:
        said["features"] = [_column(item) for item in declared.features]
    if declared.classes:
        said["classes"] = list(declared.classes)
    if not said:
        return ""
    return "\n[signature]\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in said.items())


def _column(item: str | Feature) -> str | dict[str, Any]:
    if isinstance(item, str):
        return item
    table: dict[str, Any] = {"name": item.name, "kind": item.kind, "missing": item.missing}
    if item.example is not None:
        table["example"] = item.example
    if item.categories:
        table["categories"] = list(item.categories)
    return table


def _toml(value: object) -> str:
    """A value as TOML writes it on one line (https://toml.io/en/v1.0.0)."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    # JSON's strings, numbers and booleans are TOML's as well, but for DEL, which TOML escapes.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
