"""Where requests go."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from shipway.errors import UsageError

__all__ = ["Target", "is_url", "parse_url"]

_WITHOUT_SCHEME = re.compile(r"(localhost|\d+\.\d+\.\d+\.\d+|[\w.-]+):\d+(/\S*)?")


@dataclass(frozen=True, slots=True)
class Target:
    """A server that speaks ``POST {base}/predict`` over plain HTTP."""

    host: str
    port: int
    base: str = ""
    """What comes before ``/predict``, for a server behind a path."""

    @property
    def url(self) -> str:
        """As a person types it."""
        return f"http://{self.authority}{self.base}"

    @property
    def authority(self) -> str:
        """The Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def request(self, body: bytes) -> bytes:
        """The bytes of one ``POST /predict``."""
        head = (
            f"POST {self.base}/predict HTTP/1.1\r\nHost: {self.authority}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode("ascii") + body


def is_url(text: str) -> bool:
    """Whether somebody meant a server, not a file."""
    return "://" in text or _WITHOUT_SCHEME.fullmatch(text) is not None


def parse_url(text: str) -> Target:
    """The server that a user named.

    Raises:
        shipway.errors.UsageError: it is no URL of a server, or not plain HTTP.
    """
    found = urlsplit(text if "://" in text else f"http://{text}")
    try:
        port = found.port
    except ValueError as exc:
        raise UsageError(f"{text} is not the URL of a server: {exc}") from exc
    if found.scheme == "https":
        raise UsageError(
            f"{text} is HTTPS: encryption would be measured too, and Shipway serves plain HTTP",
            "Name the server itself, behind its proxy: http://HOST:PORT",
        )
    if found.scheme != "http" or not found.hostname or not (found.path or "/").isascii():
        raise UsageError(f"{text} is not the URL of a server", "Write http://HOST:PORT")
    if found.query or found.username is not None:
        raise UsageError(
            f"{text} has a query or a user name, which no request would carry",
            "Write http://HOST:PORT",
        )
    base = found.path.rstrip("/").removesuffix("/predict")
    return Target(found.hostname, 80 if port is None else port, base)
