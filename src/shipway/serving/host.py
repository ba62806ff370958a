"""Which requests say properly whom they are for (RFC 9112, section 3.2; RFC 9110, section 7.2).

A server that overlooks a second or a broken Host disagrees with the proxy in front of it about
where the request goes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from shipway.errors import RequestError

__all__ = ["check_host", "valid_host"]

_HOST = re.compile(rb"(?:\[[0-9A-Za-z:.%]+\]|[0-9A-Za-z._~!$&'()*+;=%-]*)(?::[0-9]*)?")


def valid_host(value: bytes) -> bool:
    """Whether a Host field's value is a name or an address, perhaps with a port, or empty."""
    return _HOST.fullmatch(value) is not None


def check_host(version: str, headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Make sure that a request can be understood as it was meant.

    ``version`` is what ASGI calls ``http_version``.

    Raises:
        shipway.errors.RequestError: HTTP/0.9; no Host in HTTP/1.1, several, or one that is invalid.
    """
    if version == "0.9":
        raise RequestError("HTTP/0.9 is not spoken here.", "Use HTTP/1.1.")
    hosts = [value for name, value in headers if name == b"host"]
    if len(hosts) > 1:
        raise RequestError(f"The request has {len(hosts)} Host fields.", "Send one.")
    if not hosts and version != "1.0":
        raise RequestError("The request has no Host field.", "Send one: Host: example.org")
    if hosts and not valid_host(hosts[0]):
        raise RequestError(
            "The Host field is no name and no address.",
            "Send a name, perhaps with a port: Host: example.org:8000",
        )
