"""The processes of a server on this machine, found by the port that they listen on.

Linux only: /proc/net/tcp, /proc/PID/fd, /proc/PID/stat and /proc/PID/smaps_rollup, proc(5).
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Used", "cores", "free_memory", "listening", "memory", "used"]

_PROC = Path("/proc")
_LISTEN = "0A"
_TICKS = os.sysconf("SC_CLK_TCK")
# Docker's helper listens for a container, whose processes are elsewhere.
_STAND_INS = {"docker-proxy"}


@dataclass(frozen=True, slots=True)
class Used:
    """CPU seconds of each process so far, by its id."""

    seconds: dict[int, float]

    def since(self, before: Used) -> dict[int, float]:
        """CPU seconds of those that were there both times."""
        return {
            pid: spent - before.seconds[pid]
            for pid, spent in self.seconds.items()
            if pid in before.seconds
        }


def listening(host: str, port: int) -> list[int]:
    """The processes that hold a listening socket of that port; none when the host is another.

    Those of other users are seen by root only.
    """
    if not _is_here(host):
        return []
    wanted = {f"socket:[{number}]" for number in _sockets(port)}
    if not wanted:
        return []
    pids = [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()]
    return sorted(pid for pid in pids if _name(pid) not in _STAND_INS and wanted & _open(pid))


def used(pids: Iterable[int]) -> Used:
    """What processes have spent so far; those that are gone are left out."""
    found = {}
    for pid in pids:
        with contextlib.suppress(OSError):
            after_name = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
            found[pid] = (int(after_name[11]) + int(after_name[12])) / _TICKS
    return Used(found)


def memory(pids: Iterable[int]) -> int | None:
    """Bytes (PSS: a page that n processes share counts 1/n for each); None when not readable."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
    return total or None


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def free_memory() -> int:
    """Bytes that new processes could have."""
    for line in (_PROC / "meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def _is_here(host: str) -> bool:
    """An address can be bound where it belongs to this machine."""
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)
    except OSError:
        return False
    for family, kind, protocol, _, address in found:
        with contextlib.suppress(OSError), socket.socket(family, kind, protocol) as trial:
            trial.bind(address)
            return True
    return False


def _sockets(port: int) -> set[str]:
    found = set()
    for name in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in (_PROC / "net" / name).read_text().splitlines()[1:]:
                words = line.split()
                if words[3] == _LISTEN and int(words[1].rpartition(":")[2], 16) == port:
                    found.add(words[9])
    return found


def _open(pid: int) -> set[str]:
    found = set()
    with contextlib.suppress(OSError):
        for entry in (_PROC / str(pid) / "fd").iterdir():
            with contextlib.suppress(OSError):
                found.add(str(entry.readlink()))
    return found


def _name(pid: int) -> str:
    with contextlib.suppress(OSError):
        return (_PROC / str(pid) / "comm").read_text().strip()
    return ""
