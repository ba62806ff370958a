"""Two connections to one application without a socket: uvicorn's own protocol, and the hot path."""

import asyncio
import re
from dataclasses import dataclass, field

import uvicorn
from uvicorn.server import ServerState

from shipway.serving.protocol import protocol_class
from shipway.serving.slow import WatchedProtocol

DATE = (b"date", b"Sun, 22 Nov 2026 12:00:00 GMT")
OWN_ID = re.compile(rb"x-request-id: [0-9a-f]{32}\r\n|\"request_id\":\"[0-9a-f]{32}\"")


@dataclass(eq=False)
class Wire(asyncio.Transport):
    """The other end of a connection: keeps what was written."""

    sent: bytearray = field(default_factory=bytearray)
    closed: bool = False
    paused: bool = False

    def write(self, data):
        if not self.closed:
            self.sent += data

    def close(self):
        self.closed = True

    def is_closing(self):
        return self.closed

    def pause_reading(self):
        self.paused = True

    def resume_reading(self):
        self.paused = False

    def get_extra_info(self, name, default=None):
        return {"sockname": ("127.0.0.1", 80), "peername": ("127.0.0.1", 9)}.get(name, default)


class Line:
    """One connection; ``hot`` tells which of the two ways it may take."""

    def __init__(self, app, *, hot):
        config = uvicorn.Config(app, http="httptools", ws="none", log_config=None, access_log=False)
        self.state = ServerState()
        self.state.default_headers = [DATE]
        self.turn = app.state.shortcut[0]
        self.taken = 0
        kind = protocol_class(self.turn) if hot else WatchedProtocol
        config.load()
        self.protocol = kind(config, self.state, {})
        self.wire = Wire()
        self.protocol.connection_made(self.wire)

    def send(self, data):
        if not self.wire.closed:
            self.protocol.data_received(data)

    async def settle(self):
        """Let everything that can happen without more bytes happen."""
        still = 0
        while still < 40:
            await asyncio.sleep(0.0005 if still else 0)
            waiting = getattr(self.protocol, "waiting", False)
            if not waiting and not self.state.tasks:
                still += 10
            else:
                # A request whose body has not come keeps its task: it is given up on.
                still += not waiting and self._waits_for_bytes()

    def _waits_for_bytes(self):
        cycle = self.protocol.cycle
        return cycle is not None and cycle.more_body and not cycle.message_event.is_set()

    @property
    def answers(self):
        return OWN_ID.sub(b"<id>", bytes(self.wire.sent))


async def both(app, segments):
    """What each way answers to the same segments, and whether it closed: (full, hot)."""
    found = []
    for hot in (False, True):
        line = Line(app, hot=hot)
        for segment in segments:
            line.send(segment)
            await asyncio.sleep(0)
        await line.settle()
        found.append((line.answers, line.wire.closed))
        line.protocol.connection_lost(None)
    return found
