"""Where processes of one service put the numbers that they share.

Each of them holds a lock on the directory (flock(2)), which the kernel drops with the last of
them, also after ``kill -9``: what nobody holds is removed at the next start. Process ids would not
tell: the containers of a Kubernetes pod share /dev/shm, and each has a process 1 of its own.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import multiprocessing
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

__all__ = ["share", "share_with_siblings", "shared_with_children"]

_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_TURNS = 10
"""How often a directory may be swept away while it is being made, before that is given up."""


def share(directory: Path) -> None:
    """Keep the numbers of this process and of its children in ``directory``, which is made.

    Call it before ``Metrics`` is made and before a fork. ``prometheus_client`` reads the variable
    when it is imported; an import that came earlier (a project's own code) is put right here.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ[_VARIABLE] = str(directory)
    values = sys.modules.get("prometheus_client.values")
    if values is not None:
        values.ValueClass = values.get_value_class()  # type: ignore[attr-defined]


def share_with_siblings() -> Path | None:
    """Share with the other workers of a parent that spawned this process; None: there is none.

    This is how ``uvicorn --workers 4`` starts an application: each worker imports it on its own
    and has only the parent in common, whose process id and start time name the directory. A
    directory that was set from outside (``PROMETHEUS_MULTIPROC_DIR``) is used as it is.
    """
    if os.environ.get(_VARIABLE):
        share(Path(os.environ[_VARIABLE]))
        return Path(os.environ[_VARIABLE])
    parent = multiprocessing.parent_process()
    if parent is None or parent.pid is None:
        return None
    base = _base()
    _remove_stale(base)
    directory = base / f"{_prefix()}{parent.pid}-{_start_time(parent.pid)}"
    for _ in range(_TURNS):
        with contextlib.suppress(OSError):
            directory.mkdir(mode=0o700, exist_ok=True)
            _hold(directory)
            share(directory)
            return directory
    return None


@contextlib.contextmanager
def shared_with_children() -> Iterator[Path]:
    """Share with the processes that this one forks meanwhile; the directory goes at the end.

    A directory that was set from outside (``PROMETHEUS_MULTIPROC_DIR``) is used as it is, and
    stays.

    Raises:
        OSError: neither /dev/shm nor the temporary directory can be written to.
    """
    if os.environ.get(_VARIABLE):
        share(Path(os.environ[_VARIABLE]))
        yield Path(os.environ[_VARIABLE])
        return
    base = _base()
    _remove_stale(base)
    directory = Path(tempfile.mkdtemp(prefix=_prefix(), dir=base))
    handle = _hold(directory)
    share(directory)
    try:
        yield directory
    finally:
        del os.environ[_VARIABLE]
        shutil.rmtree(directory, ignore_errors=True)
        os.close(handle)


def _base() -> Path:
    memory = Path("/dev/shm")  # noqa: S108 - names in it carry our user id and are checked
    return memory if os.access(memory, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())


def _prefix() -> str:
    return f"shipway-metrics-{os.getuid()}-"


def _hold(directory: Path) -> int:
    """Lock a directory for as long as this process, or one that it forks, has the handle open.

    Raises:
        OSError: it is not a directory of ours, or it was removed before the lock was there.
    """
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH)
        found = os.fstat(handle)
        if found.st_uid != os.getuid() or not os.path.samestat(found, directory.lstat()):
            raise PermissionError(errno.EPERM, "not a directory of this process", str(directory))
    except OSError:
        os.close(handle)
        raise
    return handle


def _remove_stale(base: Path) -> None:
    for path in base.glob(f"{_prefix()}*"):
        with contextlib.suppress(OSError):
            handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path)
            finally:
                os.close(handle)


def _start_time(pid: int) -> str:
    """Clock ticks between boot and the start of a process, "0" when nobody knows.

    Field 22 of /proc/PID/stat; the command's name before it may hold spaces and parentheses
    (https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html).
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return "0"
    return text.rpartition(")")[2].split()[19]
