"""A planned project becomes files: all of them, or none."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from shipway.errors import ProjectExistsError, UsageError
from shipway.packaging.project import PlannedFile, ProjectPlan

__all__ = ["Outcome", "compare", "write"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The paths of a plan by what writing does to them, each sorted."""

    created: tuple[str, ...]
    replaced: tuple[str, ...]
    unchanged: tuple[str, ...]


def compare(plan: ProjectPlan, directory: Path) -> Outcome:
    """What writing ``plan`` into ``directory`` would do, without doing it.

    Raises:
        shipway.errors.ProjectExistsError: a folder stands where a file has to go, or a file where
            a folder has to be: these are never replaced.
        shipway.errors.UsageError: something there cannot be read.
    """
    created, replaced, unchanged = [], [], []
    with _explained(directory):
        for file in plan.files:
            path = directory / file.path
            _refuse_blocked(path, directory)
            if not os.path.lexists(path):
                created.append(file.path)
            elif path.is_file() and path.read_bytes() == file.data:
                unchanged.append(file.path)
            else:
                replaced.append(file.path)
    return Outcome(tuple(created), tuple(replaced), tuple(unchanged))


def write(plan: ProjectPlan, directory: Path, *, overwrite: bool = False) -> Outcome:
    """Write ``plan`` into ``directory`` (made if missing): aside, to the disk, then into place.

    Should a step fail, everything is put back as it was.

    Raises:
        shipway.errors.ProjectExistsError: files with other content are there, and ``overwrite``
            is off; the message names them.
        shipway.errors.UsageError: the file system refused.
    """
    outcome = compare(plan, directory)
    if outcome.replaced and not overwrite:
        raise ProjectExistsError(
            f"{directory} already has {_listed(outcome.replaced)}, with other content",
            "Choose another folder, or replace them with --force.",
        )
    changing = set(outcome.created) | set(outcome.replaced)
    files = [file for file in plan.files if file.path in changing]
    with _explained(directory), contextlib.ExitStack() as undo:
        _make(directory, undo)
        aside = Path(tempfile.mkdtemp(prefix=".shipway-init-", dir=directory))
        undo.callback(shutil.rmtree, aside, ignore_errors=True)
        for file in files:
            _write_through(aside / "new" / file.path, file)
        for file in files:
            _into_place(file.path, aside, directory, undo)
        for folder in {(directory / file.path).parent for file in files} | {directory}:
            _sync(folder)
        # Nothing can fail any more: what was to be undone stays done.
        undo.pop_all()
        shutil.rmtree(aside, ignore_errors=True)
    return outcome


def _into_place(path: str, aside: Path, directory: Path, undo: contextlib.ExitStack) -> None:
    target, old = directory / path, aside / "old" / path
    _make(target.parent, undo)
    if os.path.lexists(target):
        old.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(target, old, follow_symlinks=False)
        except OSError:  # a file system without hard links
            shutil.copy2(target, old, follow_symlinks=False)
        undo.callback(os.replace, old, target)
    else:
        undo.callback(target.unlink, missing_ok=True)
    (aside / "new" / path).replace(target)


def _make(folder: Path, undo: contextlib.ExitStack) -> None:
    missing = [folder, *folder.parents]
    for path in reversed(missing):
        if not path.exists():
            path.mkdir()
            undo.callback(_remove_if_empty, path)


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()


def _write_through(path: Path, file: PlannedFile) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as stream:
        stream.write(file.data)
        # Not what umask says: the container's user is another one and has to read it.
        os.fchmod(stream.fileno(), file.mode)
        stream.flush()
        os.fsync(stream.fileno())


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _refuse_blocked(path: Path, directory: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        raise ProjectExistsError(
            f"{path} is a folder, and a file has to go there", "Choose another folder."
        )
    for parent in (directory, *(p for p in path.parents if directory in p.parents)):
        if os.path.lexists(parent) and not parent.is_dir():
            raise ProjectExistsError(
                f"{parent} is a file, and a folder has to be there", "Choose another folder."
            )


@contextlib.contextmanager
def _explained(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        where = exc.filename or directory
        raise UsageError(
            f"The project cannot be written: {where}: {exc.strerror}",
            "Nothing was changed. Choose a folder that you may write to, with space left.",
        ) from exc


def _listed(paths: tuple[str, ...]) -> str:
    return ", ".join(paths)
