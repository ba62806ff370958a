"""Several processes serve one model: it is loaded once, and forked workers share its memory.

The supervisor holds the socket and the model and answers no request itself, and it lets the model
predict nothing: thread pools that a first call starts would be missing in the forked processes.
It replaces workers that die and watches the model's file for all of them; a newer model reaches
the workers as bytes over a control socket, each swaps it in while its connections stay. Those
copies are each worker's own: memory is shared again after the next start.

A worker whose control socket ends has lost its supervisor: it drains and ends as well.
"""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import NoReturn

import uvicorn

from shipway import errors
from shipway.model.spec import Artifact, Candidate, ModelSpec
from shipway.ports import Clock, Feed, Runtime
from shipway.serving import handover
from shipway.serving.drain import refuse_new_connections
from shipway.serving.reload import warm
from shipway.serving.server import Parts, configure, feeds, lifespan, taker
from shipway.serving.slot import ModelSlot

__all__ = ["Backoff", "supervise"]

logger = logging.getLogger(__name__)

TICK = 0.1
STOP = {signal.SIGTERM, signal.SIGINT}
READY, FAILED = b"R", b"E"


class Backoff:
    """How long to wait before a dead worker is replaced: not at all, unless they die in a row."""

    def __init__(self, *, young: float = 10.0, first: float = 0.5, longest: float = 30.0) -> None:
        self._young = young
        self._first = first
        self._longest = longest
        self._row = 0

    def after(self, lived: float) -> float:
        """Seconds to wait after a worker that lived so many seconds."""
        self._row = self._row + 1 if lived < self._young else 0
        if self._row < 2:
            return 0.0
        return float(min(self._first * 2 ** min(self._row - 2, 16), self._longest))


@dataclass(slots=True)
class _Worker:
    pid: int
    control: socket.socket
    born: float
    ready: bool = False


def supervise(parts: Parts, listener: socket.socket, ready: Callable[[ModelSpec], None]) -> None:
    """Serve with ``parts.server.workers`` processes until a signal ends them all.

    ``ready`` is called once every worker of the first generation answers.

    Raises:
        shipway.errors.ModelError: the first model cannot be loaded, or the workers cannot answer
            with it.
    """
    leave = _Leave()
    leave.install()
    # Read when a library loads. A pool of threads made now would not survive the fork, and N
    # workers with a thread per core each would only stand in each other's way.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    seen = parts.source.fingerprint()
    runtime = parts.load(parts.source.read())
    gc.collect()
    # Keeps the collector from writing into objects that are shared, which would copy their pages.
    gc.freeze()
    _Supervisor(parts, listener, ready, runtime, seen, leave).run()


class _Leave:
    """Ends a process that answers nothing yet, at a signal.

    The exception interrupts a load that takes minutes. Where Python drops exceptions (weak
    references' callbacks run all through an import) it is lost: who goes on must look at ``asked``.
    """

    def __init__(self) -> None:
        self.asked = False

    def install(self) -> None:
        for number in STOP:
            signal.signal(number, self)

    def __call__(self, *_: object) -> NoReturn:
        self.asked = True
        raise SystemExit(0)


class _Supervisor:
    def __init__(
        self,
        parts: Parts,
        listener: socket.socket,
        ready: Callable[[ModelSpec], None],
        runtime: Runtime,
        seen: str | None,
        leave: _Leave,
    ) -> None:
        self._parts = parts
        self._leave = leave
        self._listener = listener
        self._ready = ready
        self._clock: Clock = parts.clock
        self._runtime: Runtime | None = runtime
        self._spec = runtime.spec
        self._newest: Artifact | None = None
        self._feeds: list[Feed] = feeds(parts, seen, lambda: self._spec)
        self._workers: dict[int, _Worker] = {}
        self._due = [0.0] * parts.server.workers
        self._backoff = Backoff()
        self._answered = False
        self._stopping: float | None = None
        self._failure: errors.Error | None = None
        self._wake, self._woken = socket.socketpair()
        for end in (self._wake, self._woken):
            end.setblocking(False)

    def run(self) -> None:
        signal.set_wakeup_fd(self._woken.fileno(), warn_on_full_buffer=False)
        for number in STOP:
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        if self._leave.asked:
            return
        while self._stopping is None:
            self._fork_due()
            self._wait()
            self._reap()
            self._watch()
        for feed in self._feeds:
            feed.close()
        self._drain(self._stopping)
        if self._failure is not None:
            raise self._failure

    def _on_signal(self, number: int, _: object) -> None:
        if self._stopping is not None and number == signal.SIGINT:
            self._tell_all(signal.SIGKILL)
            self._parts.end(128 + signal.SIGINT)
        self._stop()

    def _stop(self) -> None:
        if self._stopping is None:
            self._stopping = self._clock.monotonic()
            self._tell_all(signal.SIGTERM)

    def _tell_all(self, number: signal.Signals) -> None:
        for pid in list(self._workers):
            os.kill(pid, number)

    def _wait(self) -> None:
        controls = {worker.control: worker for worker in self._workers.values()}
        readable, _, _ = select.select([self._wake, *controls], [], [], TICK)
        for ready in readable:
            data = _received(ready)
            if ready in controls:
                self._hear(controls[ready], data)

    def _hear(self, worker: _Worker, message: bytes) -> None:
        if message.startswith(FAILED):
            told = json.loads(message[1:])
            kind = getattr(errors, told["type"], errors.UnsupportedModelError)
            self._fail(worker, kind(told["message"], told["hint"]))
        elif message.startswith(READY):
            worker.ready = True
            ready = sum(other.ready for other in self._workers.values())
            if not self._answered and ready == self._parts.server.workers:
                self._answered = True
                self._ready(self._spec)

    def _fail(self, worker: _Worker, error: errors.Error) -> None:
        if self._answered:
            logger.error("Worker %d cannot answer: %s %s", worker.pid, error.message, error.hint)
        elif self._failure is None:
            self._failure = error
            self._stop()

    def _reap(self) -> None:
        for worker in list(self._workers.values()):
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if pid:
                self._hear(worker, _received(worker.control))
                worker.control.close()
                del self._workers[pid]
                self._buried(worker, os.waitstatus_to_exitcode(status))
        if os.getpid() == 1 and not any(feed.busy for feed in self._feeds):
            _reap_strays(self._workers)

    def _buried(self, worker: _Worker, code: int) -> None:
        if self._stopping is not None:
            return
        now = self._clock.monotonic()
        how = f"exit code {code}" if code >= 0 else signal.Signals(-code).name
        if not (self._answered or worker.ready):
            hint = "Look at: shipway check"
            message = f"A worker process ended before it could answer ({how})"
            self._fail(worker, errors.UnsupportedModelError(message, hint))
            return
        delay = self._backoff.after(now - worker.born)
        self._due.append(now + delay)
        logger.warning(
            "Worker %d died (%s) and is replaced%s",
            worker.pid,
            how,
            f" in {delay:g} s, for it lived only shortly" if delay else "",
        )

    def _fork_due(self) -> None:
        now = self._clock.monotonic()
        for due in [due for due in self._due if due <= now]:
            self._due.remove(due)
            self._fork()

    def _fork(self) -> None:
        ours, theirs = socket.socketpair()
        sys.stdout.flush()
        sys.stderr.flush()
        # A signal between the fork and the worker's own handlers would run the supervisor's.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP)
        pid = os.fork() if self._stopping is None else -1
        if pid == 0:
            ours.close()
            self._become_worker(theirs)
        theirs.close()
        ours.setblocking(False)
        if pid > 0:
            self._workers[pid] = _Worker(pid, ours, self._clock.monotonic())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP)

    def _become_worker(self, control: socket.socket) -> NoReturn:
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._leave.install()
            # Copies of the others' control sockets would hide the supervisor's death from them.
            for other in self._workers.values():
                other.control.close()
            self._wake.close()
            self._woken.close()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP)
            _serve(self._parts, self._listener, control, self._first(), self._leave)
            code = 0
        except errors.Error as error:
            told = {"type": type(error).__name__, "message": error.message, "hint": error.hint}
            control.sendall(FAILED + json.dumps(told).encode())
        except SystemExit as exc:
            code = exc.code if isinstance(exc.code, int) else 0
        except BaseException:
            logger.exception("A worker failed")
        finally:
            # Nothing of the supervisor's (its callers' clean-up, its exit handlers) runs here.
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _first(self) -> Runtime:
        if self._runtime is not None:
            return self._runtime
        if self._newest is None:
            raise errors.ModelNotFoundError("There is no model for a new worker")
        return self._parts.load(self._newest)

    def _watch(self) -> None:
        for feed in self._feeds if self._answered else ():
            try:
                found = feed.step()
            except Exception:
                # A mistake in here must not end the supervisor, and with it all workers.
                logger.exception("A new model could not be looked at")
                continue
            if found is not None:
                self._pass_on(found)

    def _pass_on(self, found: Candidate) -> None:
        again = found.spec.identity == self._spec.identity
        self._newest, self._spec = found
        self._runtime = None
        logger.info(
            "A new model goes to %d workers",
            len(self._workers),
            extra={"digest": self._spec.digest},
        )
        handover.send(found.artifact, [worker.control for worker in self._workers.values()])
        if not again:
            self._parts.swapped(self._spec)

    def _drain(self, began: float) -> None:
        """Workers drain by themselves; the socket they share can only be shut from here."""
        options = self._parts.server
        listener: socket.socket | None = self._listener
        while self._workers:
            self._wait()
            self._reap()
            passed = self._clock.monotonic() - began
            if listener is not None and passed >= options.drain:
                refuse_new_connections(listener.fileno())
                listener.close()
                listener = None
            if passed >= options.drain + options.grace + 1:
                self._tell_all(signal.SIGKILL)
        logger.info("All workers have ended")


def _received(control: socket.socket) -> bytes:
    try:
        return control.recv(65536)
    except OSError:
        return b""


def _reap_strays(ours: Container[int]) -> None:
    """As process 1 of a container we inherit what others leave behind."""
    with contextlib.suppress(ChildProcessError):
        while found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            if found.si_pid in ours:
                return
            os.waitpid(found.si_pid, os.WNOHANG)


def _serve(
    parts: Parts,
    listener: socket.socket,
    control: socket.socket,
    runtime: Runtime,
    early: _Leave,
) -> None:
    slot = ModelSlot(warm(runtime))
    take = taker(parts, slot)
    parts.metrics.serving(runtime.spec, parts.version)

    def work(stop: threading.Event, leave: Callable[[], None]) -> None:
        if early.asked:
            leave()
        control.sendall(READY)
        handover.receive(control, take, leave, stop)

    app = parts.app(slot, lifespan(parts, slot, work, sole=False))
    uvicorn.Server(configure(app, parts.server)).run(sockets=[listener])
