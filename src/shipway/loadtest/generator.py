"""A load generator of one thread: raw sockets, requests on time.

Open loop: requests are due at times that do not depend on answers, and latency counts from the
moment a request was due, also while it waits for a free connection. A server that stalls is
charged for every request of the stall ("coordinated omission" is what a closed loop leaves out;
Gil Tene, "How NOT to Measure Latency"). Closed loop, without arrivals: every connection asks
anew as soon as it is answered, which is what saturates a server.

Not asyncio: its timers tick in whole milliseconds, which is more than many answers take, and its
streams cost more for a request than the server spends on it.
"""

from __future__ import annotations

import itertools
import random
import select
import socket
import time
from array import array
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence

import httptools

from shipway.errors import LoadTestError
from shipway.loadtest.measured import Load, latency
from shipway.loadtest.target import Target

__all__ = ["independent_clients", "press"]

_NAME = "shipway"
_CONNECT = 2.0
"""Seconds for a connection to be accepted."""
_PATIENCE = 10.0
"""Seconds after the load in which answers under way may still come."""
_TICK = 0.1
_READ = 65_536

_now = time.perf_counter


def independent_clients(rate: float) -> Iterator[float]:
    """Seconds from the start at which requests of many independent clients are due (Poisson).

    The same rate gives the same times: two servers are asked alike.
    """
    draw = random.Random(7)  # noqa: S311 - arrival times, no secret
    return itertools.accumulate(draw.expovariate(rate) for _ in itertools.count())


def press(
    target: Target,
    bodies: Sequence[bytes],
    *,
    connections: int,
    seconds: float,
    arrivals: Iterator[float] | None = None,
    tick: Callable[[float], None] = lambda _: None,
) -> Load:
    """Ask for so many seconds, then wait for what is under way; ``tick`` hears of the time.

    Raises:
        shipway.errors.LoadTestError: no connection could be made at the start.
    """
    requests = itertools.cycle([target.request(body) for body in bodies])
    run = _Run(target, requests, arrivals)
    try:
        run.connect(connections)
        return run.measure(seconds, tick)
    finally:
        run.close()


class _Connection:
    """One keep-alive connection, and the request under way on it."""

    __slots__ = ("complete", "due", "keep", "parser", "socket", "unsent")

    def __init__(self, made: socket.socket) -> None:
        self.socket = made
        self.due: float | None = None
        self.unsent = b""
        self.complete = False
        self.keep = True
        self.parser = httptools.HttpResponseParser(self)

    def on_message_complete(self) -> None:
        self.complete = True
        # The parser forgets it with the next byte.
        self.keep = self.parser.should_keep_alive()


class _Run:
    """The state of one load."""

    def __init__(
        self, target: Target, requests: Iterator[bytes], arrivals: Iterator[float] | None
    ) -> None:
        self._target = target
        self._requests = requests
        self._arrivals = arrivals
        self._epoll = select.epoll()
        self._open: dict[int, _Connection] = {}
        # In turn: each worker of the server holds some of the connections.
        self._idle: deque[_Connection] = deque()
        self._waiting: deque[float] = deque()
        self._next = 0.0
        self._statuses: Counter[int] = Counter()
        self._broken = 0
        self._in_time = 0
        self._latencies = array("d")
        self._lags = array("d")
        self._ends = 0.0
        self._gone = False

    def connect(self, count: int) -> None:
        """Open connections, one after another."""
        for _ in range(count):
            try:
                self._connect()
            except OSError as exc:
                raise LoadTestError(
                    f"Connection {len(self._open) + 1} of {count} to {self._target.url} failed: "
                    f"{exc.strerror or exc}",
                    "Is the server still there? Fewer connections: --connections",
                ) from exc

    def _connect(self) -> None:
        made = socket.create_connection((self._target.host, self._target.port), _CONNECT)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.setblocking(False)
        connection = _Connection(made)
        self._open[made.fileno()] = connection
        self._epoll.register(made, select.EPOLLIN)
        self._idle.append(connection)

    def measure(self, seconds: float, tick: Callable[[float], None]) -> Load:
        begun, used = _now(), time.process_time()
        self._ends = begun + seconds
        cut = False
        told = begun
        if self._arrivals is not None:
            self._next = begun + next(self._arrivals)
        try:
            while (now := _now()) < self._ends and not self._gone:
                self._send_what_is_due(now, begun)
                self._serve(now)
                if now - told > _TICK:
                    told = now
                    tick(now - begun)
            busy = (time.process_time() - used) / (_now() - begun)
            self._drain()
        except KeyboardInterrupt:
            cut, busy = True, (time.process_time() - used) / (_now() - begun)
        lasted = min(_now(), self._ends) - begun
        # What never got a connection waited at least until now.
        self._latencies.extend(_now() - due for due in self._waiting)
        return Load(
            generator=_NAME,
            seconds=lasted,
            rate=self._in_time / lasted,
            statuses=dict(sorted(self._statuses.items())),
            broken=self._broken,
            latency=latency(self._latencies),
            busy=busy,
            lag=found.p99 if (found := latency(self._lags)) else 0.0,
            gone=self._gone,
            cut=cut,
        )

    def _send_what_is_due(self, now: float, begun: float) -> None:
        if self._arrivals is None:
            while self._idle:
                self._send(self._idle.popleft(), now)
            return
        late = bool(self._waiting)
        while self._next <= now:
            self._waiting.append(self._next)
            self._next = begun + next(self._arrivals)
        while self._waiting and self._idle:
            due = self._waiting.popleft()
            if not late:
                self._lags.append(now - due)
            self._send(self._idle.popleft(), due)

    def _send(self, connection: _Connection, due: float) -> None:
        connection.due = due
        request = next(self._requests)
        try:
            sent = connection.socket.send(request)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._lost(connection)
            return
        if sent < len(request):
            connection.unsent = request[sent:]
            self._epoll.modify(connection.socket, select.EPOLLIN | select.EPOLLOUT)

    def _serve(self, now: float) -> None:
        """Wait for answers, but no longer than until the next request is due."""
        until = self._ends if self._arrivals is None else min(self._next, self._ends)
        pause = min(until - now, _TICK)
        if self._arrivals is None:
            events = self._epoll.poll(pause)
        else:
            # epoll waits whole milliseconds, select on epoll's own descriptor microseconds.
            if pause > 0:
                select.select([self._epoll], [], [], pause)
            events = self._epoll.poll(0)
        self._handle(events)

    def _handle(self, events: Sequence[tuple[int, int]]) -> None:
        for number, event in events:
            connection = self._open.get(number)
            if connection is None:
                continue
            if event & select.EPOLLOUT:
                self._send_rest(connection)
            if event & ~select.EPOLLOUT:
                self._receive(connection)

    def _send_rest(self, connection: _Connection) -> None:
        try:
            sent = connection.socket.send(connection.unsent)
        except OSError:
            return  # EPOLLIN or EPOLLERR tells
        connection.unsent = connection.unsent[sent:]
        if not connection.unsent:
            self._epoll.modify(connection.socket, select.EPOLLIN)

    def _receive(self, connection: _Connection) -> None:
        try:
            data = connection.socket.recv(_READ)
            if data:
                connection.parser.feed_data(data)
        except BlockingIOError:
            return
        except (OSError, httptools.HttpParserError):
            data = b""
        if not data:
            self._lost(connection)
        elif connection.complete:
            self._answered(connection)

    def _answered(self, connection: _Connection) -> None:
        now, due = _now(), connection.due
        status = connection.parser.get_status_code()
        self._statuses[status] += 1
        if due is not None and 200 <= status < 300:
            self._latencies.append(now - due)
            self._in_time += now <= self._ends
        connection.due, connection.complete = None, False
        if connection.keep:
            self._idle.append(connection)
        else:
            self._lost(connection)

    def _lost(self, connection: _Connection) -> None:
        """Close it, count what was under way, and open another in its place."""
        self._broken += connection.due is not None
        self._forget(connection)
        if _now() < self._ends:
            try:
                self._connect()
            except OSError:
                self._broken += 1
                self._gone = not self._open

    def _drain(self) -> None:
        """Take the answers under way; what does not come in time is broken."""
        stops = _now() + _PATIENCE
        self._arrivals = None
        while _now() < stops and any(one.due is not None for one in self._open.values()):
            self._handle(self._epoll.poll(_TICK))
        self._broken += sum(one.due is not None for one in self._open.values())

    def _forget(self, connection: _Connection) -> None:
        del self._open[connection.socket.fileno()]
        if connection in self._idle:
            self._idle.remove(connection)
        connection.socket.close()

    def close(self) -> None:
        """Leave nothing open."""
        for connection in self._open.values():
            connection.socket.close()
        self._epoll.close()
