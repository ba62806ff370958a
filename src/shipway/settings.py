"""The only reader of the environment and of shipway.toml: both become frozen dataclasses.

Later beats earlier: defaults, ``shipway.toml``, the environment, what the command line says.
Every field of every section has an environment variable, ``SHIPWAY_<SECTION>_<FIELD>``; the
names that users know from elsewhere (MODEL_PATH, LOG_LEVEL, MLFLOW_TRACKING_URI, …) work as well.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import msgspec

from shipway.errors import SettingError
from shipway.model.signature import Declared
from shipway.model.spec import TrustPolicy
from shipway.serving.options import (
    ApiOptions,
    BatchingOptions,
    CacheOptions,
    ConvertOptions,
    LogOptions,
    ReloadOptions,
    ServerOptions,
)
from shipway.stores.options import MlflowOptions

__all__ = ["FILE", "ModelOptions", "Settings", "read_settings"]

FILE = "shipway.toml"

KNOWN = {
    "MODEL_PATH": ("model", "path"),
    "MODEL_VERSION": ("model", "version"),
    "LOG_LEVEL": ("log", "level"),
    "MLFLOW_TRACKING_URI": ("mlflow", "tracking_uri"),
    "MLFLOW_TRACKING_USERNAME": ("mlflow", "username"),
    "MLFLOW_TRACKING_PASSWORD": ("mlflow", "password"),
    "MLFLOW_TRACKING_TOKEN": ("mlflow", "token"),
    "MLFLOW_TRACKING_SERVER_CERT_PATH": ("mlflow", "server_cert_path"),
}
# Kubernetes puts such variables into every pod beside a service whose name starts with "shipway".
SERVICE_LINK = re.compile(
    r"\w+_(SERVICE_(HOST|PORT\w*)|PORT_\d+_(TCP|UDP)\w*)=|\w+_PORT=(tcp|udp)://"
)
OPTIONS = {
    ("model", "path"): "MODEL",
    ("log", "level"): "--log-level",
    ("log", "format"): "--log-format",
    ("batching", "mode"): "--batching",
    ("cache", "enabled"): "--cache",
    ("convert", "mode"): "--convert",
}
"""Options of the command line whose name is not that of the setting alone."""

WORDS = {
    "`int`": "a whole number",
    "`float`": "a number",
    "`bool`": "true or false",
    "`str`": "text",
    "`array`": "a list",
    "`object`": "a table",
}

DIGEST = r"^sha256:[0-9a-f]{64}$"
DOTTED_NAME = r"^\w+(\.\w+)+$"
PATTERNS = {
    DIGEST: "a digest as shipway check prints it, sha256: and 64 digits",
    DOTTED_NAME: "an exact name, package.module.Name",
}
"""What a pattern asks for, said in words."""

Digest = Annotated[str, msgspec.Meta(pattern=DIGEST)]
DottedName = Annotated[str, msgspec.Meta(pattern=DOTTED_NAME)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOptions:
    """The model to serve, and what it may do while it loads."""

    path: str = "models/model.pkl"
    """A model file, an MLflow model folder, or a registered model: models:/NAME@ALIAS."""
    version: str = "dev"
    """Reported by the API, the metrics and the image's labels."""
    allow: tuple[DottedName, ...] = ()
    """Exact names (package.module.Name) that a pickle may refer to beyond the built-in list."""
    trust: tuple[Digest, ...] = ()
    """Whole files (sha256:<64 hex>) that may run whatever they like while loading."""

    @property
    def policy(self) -> TrustPolicy:
        """``allow`` and ``trust`` as the scanner wants them."""
        return TrustPolicy(frozenset(self.allow), frozenset(self.trust))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set, one section per field."""

    model: ModelOptions = field(default_factory=ModelOptions)
    signature: Declared = field(default_factory=Declared)
    api: ApiOptions = field(default_factory=ApiOptions)
    batching: BatchingOptions = field(default_factory=BatchingOptions)
    cache: CacheOptions = field(default_factory=CacheOptions)
    convert: ConvertOptions = field(default_factory=ConvertOptions)
    serve: ServerOptions = field(default_factory=ServerOptions)
    reload: ReloadOptions = field(default_factory=ReloadOptions)
    mlflow: MlflowOptions = field(default_factory=MlflowOptions)
    log: LogOptions = field(default_factory=LogOptions)


@dataclass(frozen=True, slots=True)
class Given:
    """A value as somebody wrote it, and where."""

    value: Any
    where: str


def read_settings(
    directory: Path | None = None,
    *,
    environ: Mapping[str, str] = os.environ,
    options: Mapping[str, Mapping[str, Any]] | None = None,
) -> Settings:
    """The settings in force in ``directory`` (default: the current one).

    ``options`` is what the command line says, by section and field; None values count as unsaid.

    Raises:
        shipway.errors.SettingError: a value of the wrong type or range, an unknown section or
            field (with the nearest known one as the hint), a file that is not TOML.
    """
    sections = {item.name: get_type_hints(Settings)[item.name] for item in fields(Settings)}
    given: dict[str, dict[str, Given]] = {name: {} for name in sections}
    _from_file((directory or Path.cwd()) / FILE, sections, given)
    _from_environment(environ, sections, given)
    for section, values in (options or {}).items():
        for name, value in values.items():
            if value is not None:
                given[section][name] = Given(value, OPTIONS.get((section, name), f"--{name}"))
    built = {name: _build(kind, given[name]) for name, kind in sections.items()}
    return Settings(**built)


def _from_file(
    path: Path, sections: Mapping[str, type], given: dict[str, dict[str, Given]]
) -> None:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise SettingError(f"{path} is not valid TOML: {exc}") from exc
    except OSError as exc:
        raise SettingError(f"{path} cannot be read: {exc.strerror}") from exc
    for section, table in document.items():
        if section not in sections:
            raise _unknown(f"section [{section}] in {path}", section, sections)
        if not isinstance(table, dict):
            raise SettingError(f"{section} in {path} must be a section: write [{section}]")
        known = [item.name for item in fields(sections[section])]
        for name, value in table.items():
            if name not in known:
                raise _unknown(f"{name} in section [{section}] of {path}", name, known)
            given[section][name] = Given(value, f"{name} in section [{section}] of {path}")


def _from_environment(
    environ: Mapping[str, str], sections: Mapping[str, type], given: dict[str, dict[str, Given]]
) -> None:
    names = {
        f"SHIPWAY_{section}_{item.name}".upper(): (section, item.name)
        for section, kind in sections.items()
        for item in fields(kind)
    }
    said = {
        name: value
        for name, value in sorted(environ.items())
        if value and not SERVICE_LINK.match(f"{name}={value}")
    }
    for variable in said:
        if variable.startswith("SHIPWAY_") and variable not in names:
            raise _unknown(f"environment variable {variable}", variable, names)
    # The short names come last: they are the contract that users know.
    for variable, (section, name) in (names | KNOWN).items():
        if variable in said:
            given[section][name] = Given(said[variable], f"environment variable {variable}")


def _build(kind: type, given: Mapping[str, Given]) -> Any:
    hints = get_type_hints(kind, include_extras=True)
    return kind(**{name: _convert(item, hints[name], name) for name, item in given.items()})


def _convert(given: Given, kind: Any, name: str) -> Any:
    value = given.value
    textual = isinstance(value, str) and given.where.startswith("environment")
    if textual and "tuple" in str(kind):
        value = [part.strip() for part in value.split(",") if part.strip()]
    if name == "level" and isinstance(value, str):
        value = value.lower()
    try:
        return msgspec.convert(value, kind, strict=not textual)
    except msgspec.ValidationError as exc:
        raise SettingError(f"{given.where} is {_shown(given.value)}: {_reason(exc, kind)}") from exc


def _shown(value: Any) -> str:
    # A repeated option is a tuple inside; its user typed single values.
    return ", ".join(map(repr, value)) if isinstance(value, tuple) else repr(value)


def _reason(exc: msgspec.ValidationError, kind: Any) -> str:
    text = str(exc)
    choices = getattr(kind, "__args__", ())
    if "enum value" in text and choices:
        return "must be one of " + ", ".join(map(str, choices))
    text = re.sub(r"\$\[(\d+)\]", lambda match: f"item {int(match[1]) + 1}", text)
    for code, word in WORDS.items():
        text = text.replace(code, word)
    for pattern, words in PATTERNS.items():
        text = text.replace(f"text matching regex {pattern!r}", words)
    text = re.sub(r" - at `(item \d+)`$", r", in \1", text)
    return text[0].lower() + text[1:].replace(" - at `item", ", in `item")


def _unknown(what: str, name: str, known: Iterable[str]) -> SettingError:
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else "known: " + ", ".join(known)
    return SettingError(f"Unknown {what}", hint)
