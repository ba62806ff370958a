"""Files that somebody may be writing: what is read is one state of the file, or an error."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

from shipway.errors import CorruptModelError, ModelNotFoundError

__all__ = ["identity", "read_stable"]

# Long enough for a copy of some hundred megabytes that is about to end, short enough for a start.
PAUSES = (0.05, 0.1, 0.2, 0.4)


def identity(path: Path) -> str:
    """A token of the file behind ``path`` (links followed): another file or content, another token.

    The change time is in it because a copy can restore the modification time, the inode because
    a link can be switched to a file of the same age and size.

    Raises:
        OSError: nothing there, or no right to look.
    """
    return _token(path.stat())


def _token(found: os.stat_result) -> str:
    parts = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    return "-".join(f"{part:x}" for part in parts)


def read_stable(path: Path) -> bytes:
    """All bytes of the regular file at ``path``, read while nobody wrote to it.

    Raises:
        shipway.errors.ModelNotFoundError: nothing there, no right to read, not a regular file.
        shipway.errors.CorruptModelError: it is empty, or it kept changing while it was read.
    """
    for pause in (*PAUSES, None):
        data = _read_once(path)
        if data is not None:
            if not data:
                raise CorruptModelError(
                    f"{path} is empty",
                    "Save the model again; a file of 0 bytes is often a broken copy or download.",
                )
            return data
        if pause is not None:
            time.sleep(pause)
    raise CorruptModelError(
        f"{path} is being written: it changed while it was read",
        "Write the new model beside the old one and rename it into place.",
    )


def _read_once(path: Path) -> bytes | None:
    try:
        # Without O_NONBLOCK the open of a pipe that nobody writes to would never return.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as exc:
        raise _unreadable(path, exc) from exc
    with os.fdopen(handle, "rb") as file:
        before = os.fstat(file.fileno())
        if not stat.S_ISREG(before.st_mode):
            raise ModelNotFoundError(
                f"{path} is {_special(before.st_mode)}, not a file", "Name a model file."
            )
        try:
            data = file.read()
            same = _token(os.fstat(file.fileno())) == _token(before) == identity(path)
        except OSError as exc:
            raise _unreadable(path, exc) from exc
    return data if same and len(data) == before.st_size else None


def _special(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a directory"
    return "a pipe" if stat.S_ISFIFO(mode) else "a device or socket"


def _unreadable(path: Path, exc: OSError) -> ModelNotFoundError:
    if path.is_symlink() and not path.exists():
        return ModelNotFoundError(
            f"{path} is a link to {path.readlink()}, which does not exist",
            "Mend the link, or set MODEL_PATH to the file itself.",
        )
    if isinstance(exc, PermissionError):
        return ModelNotFoundError(
            f"{path} cannot be read: permission denied",
            f"The process runs as user {os.geteuid()}; give that user the right to read the file.",
        )
    return ModelNotFoundError(f"{path} cannot be read: {exc.strerror}", "Check the path.")
