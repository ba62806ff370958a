"""A model of a registry as a path: what the name stands for is mirrored into a folder.

``NAME@ALIAS/current`` is a link to the version in force, switched in one step. So whatever reads,
watches, tries out or converts a model folder does the same for a registered one, and the last
version is at hand when the registry is away (docs/adr/0010).
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import tempfile
import time
from pathlib import Path

from shipway.errors import ModelNotFoundError, UnreachableError, UsageError
from shipway.model.registered import RegisteredVersion, RegistryName
from shipway.model.spec import Artifact
from shipway.ports import ModelRegistry
from shipway.stores import mlflow_folder
from shipway.stores.model_file import ModelFile

__all__ = ["RegisteredModel"]

logger = logging.getLogger(__name__)

LINK = "current"
PART = ".part-"
KEPT = 3
"""Versions: the one in service, the one that is tried out, and the way back."""
STALE = 24 * 3600.0
"""Seconds after which a part of a download is nobody's any more."""


class RegisteredModel:
    """A ports.ModelSource over the local copy of what ``name`` stands for in the registry."""

    def __init__(self, registry: ModelRegistry, name: RegistryName, folder: Path) -> None:
        self._registry = registry
        self.name = name
        self._place = folder / name.place
        self.path = self._place / LINK
        self._fetched = False

    def fingerprint(self) -> str | None:
        """See ports.ModelSource; of the local copy, so that it costs no request."""
        return ModelFile(self.path).fingerprint()

    def read(self) -> Artifact:
        """The local copy; the first time it is brought up to date before.

        Raises:
            shipway.errors.Error: as ``fetch`` and ModelFile.read tell.
        """
        if not self._fetched:
            self.fetch()
        # Resolved once: the link may be switched between the reading of two files.
        return ModelFile(self.path.resolve()).read()

    def fetch(self) -> None:
        """Bring the local copy up to date; an earlier one will do when the server is away.

        Raises:
            shipway.errors.UnreachableError: it is away, and there is no earlier copy.
            shipway.errors.Error: as ``refresh`` tells.
        """
        try:
            self.refresh()
        except UnreachableError as error:
            if not self.path.is_dir():
                raise
            logger.warning("%s; the copy of an earlier start is used", error.message)
        self._fetched = True

    def refresh(self) -> RegisteredVersion:
        """Make ``path`` the version that the name stands for now.

        Raises:
            shipway.errors.ModelNotFoundError: there is no such name, alias or version.
            shipway.errors.TrackingError: the registry gives no answer.
            shipway.errors.UsageError: the folder cannot be written to.
        """
        version = self._registry.find(self.name)
        target = self._place / version.token
        try:
            if not target.is_dir():
                self._download(version, target)
            if not self.path.is_symlink() or self.path.readlink().name != target.name:
                _switch(self.path, target.name)
                self._prune(target.name)
        except OSError as exc:
            raise UsageError(
                f"{self._place} cannot be written to: {exc.strerror}",
                "Set folder in section [mlflow] to a folder of the process's own.",
            ) from exc
        return version

    def _download(self, version: RegisteredVersion, target: Path) -> None:
        self._place.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=PART, dir=self._place))
        try:
            self._registry.download(version, aside)
            if not (aside / mlflow_folder.DOCUMENT).is_file():
                raise ModelNotFoundError(
                    f"The files of version {version.number} of {version.name} are missing",
                    "Were they deleted from the artifact store? Register the model again.",
                )
            meta = {"model_name": version.name, "model_version": version.number}
            if self.name.alias is not None:
                meta["alias"] = self.name.alias
            (aside / mlflow_folder.META).unlink(missing_ok=True)
            (aside / mlflow_folder.META).write_text(json.dumps(meta) + "\n", encoding="utf-8")
            aside.chmod(0o755)
            _sync(aside)
            # Another process with the same folder may have been quicker: then its copy is as good.
            with contextlib.suppress(FileExistsError):
                _rename(aside, target)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        logger.info("Downloaded version %s of %s", version.number, version.name)

    def _prune(self, current: str) -> None:
        found = {item: item.stat().st_mtime for item in self._place.iterdir() if item.is_dir()}
        found = {item: age for item, age in found.items() if item.name not in (current, LINK)}
        parts = [item for item in found if item.name.startswith(PART)]
        whole = sorted(set(found) - set(parts), key=lambda item: found[item], reverse=True)
        stale = [item for item in parts if found[item] < time.time() - STALE]
        for item in [*whole[KEPT - 1 :], *stale]:
            shutil.rmtree(item, ignore_errors=True)


def _rename(source: Path, target: Path) -> None:
    try:
        source.rename(target)
    except OSError as exc:
        if target.is_dir():
            raise FileExistsError from exc
        raise
    _sync(target.parent)


def _switch(link: Path, target: str) -> None:
    aside = link.with_name(f".{link.name}-{os.getpid()}")
    aside.unlink(missing_ok=True)
    aside.symlink_to(target)
    aside.replace(link)
    _sync(link.parent)


def _sync(folder: Path) -> None:
    """Flush a folder's entries, and the files right in it, to the disk."""
    for item in [folder, *(item for item in folder.iterdir() if item.is_file())]:
        handle = os.open(item, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
