"""Heads of requests that can be answered below ASGI, judged by the server's own parser.

A request is *plain* when nothing but its body decides the answer: ``POST /predict HTTP/1.1`` with a
Content-Length, JSON, kept alive, and no field that changes how it is read or answered. llhttp
(through httptools) judges each head, exactly as it would on the full way; clients repeat their
heads byte for byte, so the judgement is remembered by those bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import httptools

from shipway.serving.host import valid_host

__all__ = ["END", "Head", "judge", "remember"]

END = b"\r\n\r\n"
"""What ends a head (RFC 9112, section 2.1)."""

LONGEST_HEAD = 4096
LONGEST_BODY = 256 * 1024
"""Bytes; decoding more would keep the event loop from its other connections."""
REMEMBERED = 1024
"""Heads. One client needs one or a few; beyond that, memory would grow with every length."""

NOT_PLAIN = frozenset(
    (
        b"content-encoding",
        b"expect",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"x-request-timeout",
    )
)
ONCE = frozenset((b"connection", b"content-length", b"content-type", b"host", b"x-request-id"))
JSON = frozenset((b"", b"application/json", b"application/json; charset=utf-8"))


class Head(NamedTuple):
    """What must be known of a plain request's head."""

    length: int
    """Bytes of the body."""
    request_id: bytes
    """The client's, b"" when it gave none."""


def remember(judge: Callable[[bytes], Head | None]) -> Callable[[bytes], Head | None]:
    """``judge`` with a memory for heads that may come again: those without an id of their own."""
    known: dict[bytes, Head | None] = {}

    def remembered(head: bytes) -> Head | None:
        if head in known:
            return known[head]
        found = judge(head)
        if found is None or not found.request_id:
            if len(known) >= REMEMBERED:
                known.clear()
            known[head] = found
        return found

    return remembered


def judge(head: bytes) -> Head | None:
    """The facts of a plain request; None: take the full way.

    ``head`` is everything before the empty line.
    """
    if len(head) > LONGEST_HEAD:
        return None
    reading = _Reading()
    parser = httptools.HttpRequestParser(reading)
    try:
        parser.feed_data(head + END)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        return None
    if (
        not reading.complete
        or reading.ended
        or reading.url != b"/predict"
        or parser.get_method() != b"POST"
        or parser.get_http_version() != "1.1"
        or not parser.should_keep_alive()
    ):
        return None
    return _facts(reading.fields)


def _facts(fields: list[tuple[bytes, bytes]]) -> Head | None:
    seen: dict[bytes, bytes] = {}
    for field, value in fields:
        name = field.lower()
        if name in NOT_PLAIN or (name in ONCE and name in seen):
            return None
        seen[name] = value
    if not valid_host(seen.get(b"host", b"?")):
        return None
    if (
        seen.get(b"connection", b"keep-alive").lower() != b"keep-alive"
        or seen.get(b"content-type", b"").lower() not in JSON
    ):
        return None
    length = seen.get(b"content-length", b"")
    if not length.isdigit() or len(length) > 9 or not 0 < int(length) <= LONGEST_BODY:
        return None
    return Head(int(length), seen.get(b"x-request-id", b""))


class _Reading:
    """The callbacks of httptools, written down."""

    def __init__(self) -> None:
        self.url = b""
        self.fields: list[tuple[bytes, bytes]] = []
        self.complete = self.ended = False

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name, value))

    def on_headers_complete(self) -> None:
        self.complete = True

    def on_message_complete(self) -> None:
        self.ended = True
