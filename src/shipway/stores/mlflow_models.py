"""MLflow's model registry: which version an alias stands for, and the files of that version."""

from __future__ import annotations

import difflib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from shipway.errors import (
    AbsentError,
    CorruptModelError,
    ModelNotFoundError,
    TrackingError,
    UnsupportedModelError,
)
from shipway.model.registered import RegisteredVersion, RegistryName
from shipway.stores.tracking_server import TrackingServer

__all__ = ["MlflowModels"]

MOST_FILES = 10_000
CHUNK = 1024 * 1024
PROXY = "mlflow-artifacts/artifacts"


class MlflowModels:
    """A ports.ModelRegistry over a tracking server."""

    def __init__(self, server: TrackingServer) -> None:
        self._server = server

    def find(self, name: RegistryName) -> RegisteredVersion:
        """See ports.ModelRegistry."""
        try:
            if name.alias is not None:
                route = "mlflow/registered-models/alias"
                answer = self._server.get(route, name=name.name, alias=name.alias)
            else:
                route = "mlflow/model-versions/get"
                answer = self._server.get(route, name=name.name, version=str(name.number))
        except AbsentError as exc:
            raise self._absent(name) from exc
        return _version(answer, name, self._server.url)

    def download(self, version: RegisteredVersion, folder: Path) -> None:
        """See ports.ModelRegistry."""
        route = "mlflow/model-versions/get-download-uri"
        answer = self._server.get(route, name=version.name, version=version.number)
        place = str(answer.get("artifact_uri", ""))
        parts = urlsplit(place)
        if parts.scheme == "mlflow-artifacts":
            self._fetch(parts.path.strip("/"), folder)
        elif parts.scheme in ("", "file"):
            _copy(Path(unquote(parts.path)), folder, version)
        else:
            raise UnsupportedModelError(
                f"Version {version.number} of {version.name} lies at {place}, which only the "
                "tracking server can read",
                "Let it hand out artifacts itself: mlflow server --artifacts-destination "
                f"{parts.scheme}://… (and log the model again).",
            )

    def tag(self, name: str, number: str, key: str, value: str) -> None:
        """See ports.ModelRegistry."""
        route = "mlflow/model-versions/set-tag"
        self._server.post(route, name=name, version=number, key=key, value=value)

    def _absent(self, name: RegistryName) -> ModelNotFoundError:
        """Says what there is instead."""
        try:
            found = self._server.get("mlflow/registered-models/get", name=name.name)
        except AbsentError:
            return ModelNotFoundError(
                f"There is no registered model {name.name} at {self._server.url}", self._names(name)
            )
        if name.alias is None:
            return ModelNotFoundError(
                f"The registered model {name.name} has no version {name.number}",
                f"Its versions: {self._server.url}/#/models/{quote(name.name, safe='')}",
            )
        aliases = found.get("registered_model", {}).get("aliases", [])
        known = ", ".join(f"{item['alias']} (version {item['version']})" for item in aliases)
        return ModelNotFoundError(
            f"The registered model {name.name} has no alias {name.alias}",
            f"It has: {known}." if known else "It has none; give one to the version to serve.",
        )

    def _names(self, name: RegistryName) -> str:
        try:
            found = self._server.get("mlflow/registered-models/search", max_results="1000")
        except TrackingError:
            found = {}
        names = [str(item["name"]) for item in found.get("registered_models", [])]
        near = difflib.get_close_matches(name.name, names, n=1)
        if near:
            return f"Did you mean {near[0]}?"
        return f"It has: {', '.join(names[:5])}." if names else "It has no models yet."

    def _fetch(self, root: str, folder: Path) -> None:
        """Every file below ``root``, by the tracking server's own proxy."""
        for count, (name, size) in enumerate(self._walk(root, PurePosixPath())):
            if count >= MOST_FILES:
                raise CorruptModelError(f"The model has more than {MOST_FILES} files")
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            route = f"{PROXY}/{quote(f'{root}/{name}')}"
            try:
                written = self._save(route, target)
            except AbsentError as exc:
                raise ModelNotFoundError(f"{name} is missing: {exc.message}") from exc
            if size is not None and written != size:
                raise CorruptModelError(
                    f"{name} has {written} bytes, and the tracking server announced {size}",
                    "It may have been written meanwhile; try again.",
                )

    def _save(self, route: str, target: Path) -> int:
        with self._server.stream(route) as source, target.open("wb") as file:
            shutil.copyfileobj(source, file, CHUNK)
            file.flush()
            os.fsync(file.fileno())
            return file.tell()

    def _walk(self, root: str, below: PurePosixPath) -> Iterator[tuple[PurePosixPath, int | None]]:
        listed = self._server.get(PROXY, path=str(PurePosixPath(root) / below)).get("files", [])
        for item in listed:
            name = PurePosixPath(item["path"]).name
            if name in ("", "..") or "\0" in name:
                raise CorruptModelError(f"The tracking server names a file {item['path']!r}")
            if not item.get("is_dir"):
                yield below / name, item.get("file_size")
            elif len(below.parts) < 8:
                yield from self._walk(root, below / name)


def _version(answer: dict[str, Any], name: RegistryName, url: str) -> RegisteredVersion:
    try:
        found = answer["model_version"]
        version = RegisteredVersion(
            name=str(found["name"]),
            number=str(int(found["version"])),
            source=f"{url} {found.get('source', '')}",
            created=int(found["creation_timestamp"]),
        )
    except (KeyError, TypeError, ValueError) as exc:
        raise TrackingError(
            f"The tracking server at {url} tells of {name} in an unknown way",
            "Is it an MLflow server of version 2 or 3?",
        ) from exc
    if found.get("status", "READY") != "READY":
        raise ModelNotFoundError(
            f"Version {version.number} of {version.name} is not ready: {found['status']}",
            "Register the model again, or wait until its upload is over.",
        )
    return version


def _copy(source: Path, folder: Path, version: RegisteredVersion) -> None:
    """From an artifact store that is a folder which this machine sees as well."""
    if not source.is_dir():
        raise ModelNotFoundError(
            f"Version {version.number} of {version.name} lies in {source} on the tracking "
            "server's machine, which is not here",
            "Let the server hand out artifacts itself: mlflow server --artifacts-destination …",
        )
    try:
        shutil.copytree(source, folder, symlinks=True, dirs_exist_ok=True)
    except (OSError, shutil.Error) as exc:
        raise ModelNotFoundError(f"{source} cannot be copied: {exc}", "Check its rights.") from exc
