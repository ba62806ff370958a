"""A model on disk: one file, or an MLflow model folder."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from shipway.errors import ModelNotFoundError, UnknownFormatError
from shipway.model.spec import Artifact, sha256
from shipway.stores import mlflow_folder
from shipway.stores.stable_read import identity, read_stable

__all__ = ["ModelFile"]

SUFFIXES = {
    ".bin", ".cb", ".cbm", ".gz", ".joblib", ".json", ".lgb", ".model", ".onnx",
    ".pickle", ".pkl", ".pt", ".pt2", ".pth", ".skops", ".txt", ".ubj", ".xz", ".z",
}  # fmt: skip
NAMED = 5
WANTED = (
    "Name a model file, or an MLflow folder (it holds a file MLmodel), or set MODEL_PATH to it."
)
DEPTH = 3
"""Folders below a model's own: PyTorch's flavour has its file in ``data``; links may go round."""


class ModelFile:
    """A ports.ModelSource over a path that may be replaced, overwritten, or a link switched.

    Links are followed anew at each call: Kubernetes updates a mounted volume by switching one.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def fingerprint(self) -> str | None:
        """Device, inode, size and times of the file behind the path; None when there is none.

        Of a folder, those of every file in it: which of them MLmodel names is not looked up.
        """
        try:
            if not self.path.is_dir():
                return identity(self.path)
            tokens = [f"{item}={identity(item)}" for item in sorted(_files(self.path, DEPTH))]
            return hashlib.sha256("\n".join(tokens).encode()).hexdigest() if tokens else None
        except (OSError, ValueError):
            return None

    def read(self) -> Artifact:
        """The bytes, read once and consistently, with their digest.

        Raises:
            shipway.errors.ModelNotFoundError: nothing readable there, or no model file chosen.
            shipway.errors.UnknownFormatError: a folder that is no MLflow model.
            shipway.errors.UnsupportedModelError: an MLflow model without a servable flavour.
            shipway.errors.CorruptModelError: empty, or written to all the time.
            shipway.errors.MissingPackageError: an MLflow model, and PyYAML is not installed.
        """
        path = self.path
        if "\0" in str(path) or not str(path).strip():
            raise ModelNotFoundError(f"{str(path)!r} is not a path", "Set MODEL_PATH to a file.")
        if path.is_dir():
            if (path / mlflow_folder.DOCUMENT).is_file():
                return mlflow_folder.read(path)
            raise UnknownFormatError(f"{path} is a directory, not a model", _candidates(path))
        if not path.is_symlink() and not path.exists():
            where = path.parent if path.parent.is_dir() else None
            hint = _candidates(where) if where else f"There is no folder {path.parent}. {WANTED}"
            raise ModelNotFoundError(f"There is no model file at {path}", hint)
        data = read_stable(path)
        return Artifact(path.name, data, sha256(data))


def _files(folder: Path, depth: int) -> Iterator[Path]:
    for item in folder.iterdir():
        if item.is_file():
            yield item
        elif depth and item.is_dir():
            yield from _files(item, depth - 1)


def _candidates(folder: Path) -> str:
    """What the user may have meant."""
    try:
        names = sorted(
            item.name
            for item in folder.iterdir()
            if (item.is_file() and item.suffix.lower() in SUFFIXES)
            or (item / mlflow_folder.DOCUMENT).is_file()
        )
    except OSError:
        names = []
    if not names:
        return WANTED
    shown = ", ".join(str(folder / name) for name in names[:NAMED])
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"Did you mean one of these: {shown}{more}?"
