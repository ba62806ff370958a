"""The bytes of a model pass from the supervisor to its workers.

Each worker gets the very bytes that were tried out, whatever the disk holds by then. They lie in
one anonymous memory file (memfd_create(2)) whose descriptor is passed (unix(7), SCM_RIGHTS): one
copy for all, no writable disk needed, gone when the last worker has read it.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Sequence

import msgspec

from shipway.model.spec import Artifact

__all__ = ["receive", "send"]

logger = logging.getLogger(__name__)

TICK = 0.2
HEAD = 8


def send(artifact: Artifact, controls: Sequence[socket.socket]) -> None:
    """Pass a model to every process at the other end of a control socket; the dead are left out."""
    handle = os.memfd_create("shipway-model")
    with os.fdopen(handle, "wb") as file:
        facts = msgspec.msgpack.encode([artifact.name, artifact.digest, artifact.mlmodel])
        file.write(len(facts).to_bytes(HEAD, "big"))
        file.write(facts)
        file.write(artifact.data)
        file.flush()
        for control in controls:
            try:
                socket.send_fds(control, [b"M"], [handle])
            except OSError as exc:
                logger.warning("A worker could not be told of the new model: %s", exc.strerror)


def receive(
    control: socket.socket,
    take: Callable[[Artifact], None],
    leave: Callable[[], None],
    stop: threading.Event,
) -> None:
    """Take each model that arrives until ``stop`` is set; ``leave`` when the other end is gone."""
    control.settimeout(TICK)
    while not stop.is_set():
        try:
            message, handles, _, _ = socket.recv_fds(control, 1, 1)
        except TimeoutError:
            continue
        except OSError:
            message, handles = b"", []
        if not message:
            leave()
            return
        try:
            for handle in handles:
                take(_read(handle))
        except Exception:
            # The worker goes on serving the old model, and hears of the next one.
            logger.exception("The new model could not be taken")


def _read(handle: int) -> Artifact:
    # The offset is shared with the other workers: seeking in one would move it for all.
    with os.fdopen(os.open(f"/proc/self/fd/{handle}", os.O_RDONLY), "rb") as file:
        os.close(handle)
        size = int.from_bytes(file.read(HEAD), "big")
        name, digest, mlmodel = msgspec.msgpack.decode(file.read(size))
        return Artifact(name, file.read(), digest, mlmodel)
