"""Requests as only a raw socket sends them, and what RFC 9112 and RFC 9110 let a server answer.

The cases are those of Http11Probe (https://github.com/MDA2AV/Http11Probe), the names are its names,
the bytes are written afresh for this API. ``answers`` are the statuses that are right; CLOSE stands
for a connection that is closed without a word. Whatever the status: nothing behind the first
request may be taken for a second one unless the case is ``open``.
"""

from __future__ import annotations

from typing import NamedTuple

CLOSE = 0
REJECT = frozenset({400, CLOSE})
"""The RFC says "invalid" or gives the grammar: refuse it, in words or without."""
FOUND = frozenset({200})
TOO_LARGE = frozenset({431})


class Case(NamedTuple):
    name: str
    section: str
    data: bytes
    answers: frozenset[int]
    open: bool = False
    """A second request may follow on the connection."""


BODY = b'{"features":[1,2,3]}'
HOST = b"Host: model.test"
JSON = b"Content-Type: application/json"
CHUNKED = b"Transfer-Encoding: chunked"
LAST = b"0\r\n\r\n"
CHUNKS = b"%x\r\n%b\r\n%b" % (len(BODY), BODY, LAST)
SMUGGLED = b"GET /health/live HTTP/1.1\r\nHost: smuggled.test\r\n\r\n"


def raw(line: bytes, *fields: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join([line, *fields, b"", b""]) + body


def get(*fields: bytes, line: bytes = b"GET /health/live HTTP/1.1") -> bytes:
    return raw(line, HOST, *fields)


def post(*fields: bytes, body: bytes = BODY, line: bytes = b"POST /predict HTTP/1.1") -> bytes:
    return raw(line, HOST, JSON, *fields, body=body)


def length(value: bytes, body: bytes = BODY) -> bytes:
    return post(b"Content-Length: " + value, body=body)


def chunked(body: bytes, *fields: bytes) -> bytes:
    return post(CHUNKED, *fields, body=body)


def first_chunk(size: bytes, data: bytes = BODY, end: bytes = b"\r\n") -> bytes:
    return chunked(size + b"\r\n" + data + end + LAST)


N = b"%d" % len(BODY)
X = b"%x" % len(BODY)
ONLY_400 = frozenset({400})
OR_FOUND = REJECT | FOUND

HEADS = [
    Case("SP-BEFORE-COLON", "9112 5.1", get(b"X-One : 1"), ONLY_400),
    Case("OBS-FOLD", "9112 5.2", get(b"X-One: 1", b" more"), OR_FOUND),
    Case("MISSING-HOST", "9112 3.2", raw(b"GET /health/live HTTP/1.1"), ONLY_400, open=True),
    Case("DUPLICATE-HOST", "9112 3.2", get(b"Host: other.test"), ONLY_400, open=True),
    Case("DUPLICATE-HOST-SAME", "9112 3.2", get(HOST), ONLY_400, open=True),
    Case(
        "CR-ONLY-LINE-ENDING",
        "9112 2.2",
        b"GET /health/live HTTP/1.1\rHost: model.test\r\r",
        REJECT,
    ),
    Case("EMPTY-HEADER-NAME", "9112 5", get(b": empty"), REJECT),
    Case("INVALID-HEADER-NAME", "9112 5", get(b"X[1]: 1"), REJECT),
    Case("HEADER-NO-COLON", "9112 5", get(b"NoColon"), REJECT),
    Case(
        "WHITESPACE-BEFORE-HEADERS",
        "9112 2.2",
        b"GET /health/live HTTP/1.1\r\n Host: model.test\r\n\r\n",
        REJECT,
    ),
    Case("MISSING-TARGET", "9112 3", get(line=b"GET HTTP/1.1"), REJECT),
    Case("ASTERISK-WITH-GET", "9112 3.2.4", get(line=b"GET * HTTP/1.1"), REJECT | {404}, open=True),
    Case(
        "HOST-WITH-USERINFO",
        "9112 3.2",
        raw(b"GET /health/live HTTP/1.1", b"Host: me@model.test"),
        REJECT,
        open=True,
    ),
    Case(
        "HOST-WITH-PATH",
        "9112 3.2",
        raw(b"GET /health/live HTTP/1.1", b"Host: model.test/path"),
        REJECT,
        open=True,
    ),
    Case(
        "HOST-EMPTY-VALUE",
        "9112 3.2",
        raw(b"GET /health/live HTTP/1.1", b"Host:"),
        OR_FOUND,
        open=True,
    ),
    Case(
        "MULTIPLE-HOST-COMMA",
        "9110 7.2",
        raw(b"GET /health/live HTTP/1.1", b"Host: model.test, other.test"),
        REJECT,
        open=True,
    ),
    Case("VERSION-MISSING-MINOR", "9112 2.3", get(line=b"GET /health/live HTTP/1"), REJECT),
    Case("VERSION-LEADING-ZEROS", "9112 2.3", get(line=b"GET /health/live HTTP/01.01"), REJECT),
    Case("VERSION-WHITESPACE", "9112 2.3", get(line=b"GET /health/live HTTP/ 1.1"), REJECT),
    Case("VERSION-CASE", "9112 2.3", get(line=b"GET /health/live http/1.1"), REJECT),
    Case("INVALID-VERSION", "9112 2.3", get(line=b"GET /health/live HTTP/9.9"), REJECT | {505}),
    Case("HTTP09-REQUEST", "9112 2.3", b"GET /health/live\r\n\r\n", REJECT),
    Case("SPACE-IN-TARGET", "9112 3.2", get(line=b"GET /health /live HTTP/1.1"), REJECT),
    Case(
        "MULTI-SP-REQUEST-LINE",
        "9112 3",
        get(line=b"GET  /health/live  HTTP/1.1"),
        OR_FOUND,
        open=True,
    ),
    Case("REQUEST-LINE-TAB", "9112 3", get(line=b"GET\t/health/live\tHTTP/1.1"), REJECT),
    Case(
        "FRAGMENT-IN-TARGET",
        "9112 3.2",
        get(line=b"GET /health/live#x HTTP/1.1"),
        OR_FOUND,
        open=True,
    ),
    Case("BARE-CR-HEADER-VALUE", "9112 2.2", get(b"X-One: a\rb"), REJECT),
    Case("TE-NULL", "9110 5.5", get(b"X-One: a\x00b"), REJECT),
    Case("TAB-IN-NAME", "9112 5", get(b"X\tOne: 1"), REJECT),
    Case("LEADING-CRLF", "9112 2.2", b"\r\n" + get(), OR_FOUND, open=True),
    Case("BINARY-GARBAGE", "9112 2.2", bytes(range(128, 256)) + b"\r\n\r\n", REJECT),
    Case(
        "BARE-LF",
        "9112 2.2",
        b"GET /health/live HTTP/1.1\nHost: model.test\n\n",
        OR_FOUND,
        open=True,
    ),
    Case("HTTP10-NO-HOST", "9112 3.2", raw(b"GET /health/live HTTP/1.0"), OR_FOUND),
    Case(
        "CONNECTION-CLOSE",
        "9112 9.6",
        get(b"Connection: close") + SMUGGLED,
        FOUND,
    ),
    Case("HTTP10-DEFAULT-CLOSE", "9112 9.3", raw(b"GET /health/live HTTP/1.0", HOST), FOUND),
    Case(
        "METHOD-TRACE",
        "9110 9.3.8",
        get(line=b"TRACE /health/live HTTP/1.1"),
        REJECT | {405, 501},
        open=True,
    ),
    Case(
        "METHOD-CONNECT",
        "9110 9.3.6",
        get(line=b"CONNECT model.test:443 HTTP/1.1"),
        REJECT | {404, 405, 501},
    ),
    Case(
        "UNKNOWN-METHOD",
        "9110 9.1",
        get(line=b"FOOBAR /health/live HTTP/1.1"),
        REJECT | {405, 501},
        open=True,
    ),
    Case(
        "LONG-HEADER-VALUE",
        "9110 5.4",
        get(b"X-One: " + b"a" * 300_000),
        frozenset({431}),
        open=False,
    ),
    Case(
        "LONG-URL-OK",
        "9112 3",
        get(line=b"GET /health/live?" + b"a" * 7900 + b" HTTP/1.1"),
        FOUND,
        open=True,
    ),
]

LENGTHS = [
    Case(f"CL-{name}", "9112 6.3", length(value, body), REJECT)
    for name, value, body in (
        ("NON-NUMERIC", b"abc", BODY),
        ("PLUS-SIGN", b"+" + N, BODY),
        ("NEGATIVE", b"-" + N, BODY),
        ("NEGATIVE-ZERO", b"-0", b""),
        ("UNDERSCORE", b"2_0", BODY),
        ("OCTAL", b"0o24", BODY),
        ("HEX-PREFIX", b"0x14", BODY),
        ("INTERNAL-SPACE", b"2 0", BODY),
        ("COMMA-DIFFERENT", N + b", 5", BODY),
        ("EMPTY", b"", BODY),
        ("OVERFLOW", b"18446744073709551636", BODY),
    )
] + [
    Case("DUPLICATE-CL", "9110 8.6", post(b"Content-Length: " + N, b"Content-Length: 5"), REJECT),
    Case(
        "DUPLICATE-CL-SMUGGLED-GET",
        "9110 8.6",
        post(b"Content-Length: " + N, b"Content-Length: 0", body=BODY + SMUGGLED),
        REJECT,
    ),
    Case("CL-COMMA-SAME", "9110 8.6", length(N + b", " + N), OR_FOUND),
    Case("CL-LEADING-ZEROS", "9110 8.6", length(b"00" + N), OR_FOUND, open=True),
    Case("CL-TRAILING-SPACE", "9110 5.5", length(N + b" "), OR_FOUND, open=True),
    Case("CL-EXTRA-LEADING-SP", "9110 5.5", length(b"  " + N), OR_FOUND, open=True),
    Case("POST-CL-ZERO", "9112 6.2", length(b"0", b""), frozenset({422}), open=True),
    Case("POST-CL-BODY", "9112 6.2", length(N), FOUND, open=True),
]

BOTH = [
    Case(f"CLTE-{name}", "9112 6.1", post(*fields, body=CHUNKS + SMUGGLED), REJECT)
    for name, fields in (
        ("PIPELINE", (b"Content-Length: " + N, CHUNKED)),
        ("TECL-PIPELINE", (CHUNKED, b"Content-Length: " + N)),
        ("XCHUNKED", (b"Content-Length: " + N, b"Transfer-Encoding: xchunked")),
        ("CL-PLUS", (b"Content-Length: +5", CHUNKED)),
        ("TE-OBS-FOLD", (b"Transfer-Encoding:", b" chunked", b"Content-Length: 5")),
        ("TE-TRAILING-SPACE", (b"Content-Length: 5", CHUNKED + b" ")),
        ("TE-LEADING-COMMA", (b"Content-Length: 5", b"Transfer-Encoding: , chunked")),
        ("TE-CASE-MISMATCH", (b"Content-Length: 5", b"Transfer-Encoding: Chunked")),
        ("TE-DUPLICATE-HEADERS", (CHUNKED, b"Transfer-Encoding: identity")),
    )
] + [
    Case("CLTE-DESYNC", "9112 6.1", post(b"Content-Length: 6", CHUNKED, body=LAST + b"X"), REJECT),
    Case(
        "TECL-DESYNC",
        "9112 6.1",
        post(CHUNKED, b"Content-Length: 4", body=X + b"\r\n" + SMUGGLED),
        REJECT,
    ),
    Case(
        "TE-SP-BEFORE-COLON", "9112 5.1", post(b"Transfer-Encoding : chunked", body=CHUNKS), REJECT
    ),
    Case(
        "TE-NOT-FINAL-CHUNKED",
        "9112 6.3",
        post(b"Transfer-Encoding: chunked, gzip", body=CHUNKS),
        REJECT | {501},
    ),
    Case(
        "TE-HTTP10",
        "9112 6.1",
        post(CHUNKED, body=CHUNKS, line=b"POST /predict HTTP/1.0"),
        REJECT | {200},
    ),
    Case(
        "TE-EMPTY-VALUE", "9112 6.1", post(b"Transfer-Encoding:", b"Content-Length: " + N), REJECT
    ),
    Case(
        "TE-IDENTITY",
        "9112 7",
        post(b"Transfer-Encoding: identity", b"Content-Length: " + N),
        REJECT | {501},
    ),
    Case("TE-VTAB", "9112 6.1", post(b"Transfer-Encoding: \x0bchunked", body=CHUNKS), REJECT),
    Case("TE-FORMFEED", "9112 6.1", post(b"Transfer-Encoding: \x0cchunked", body=CHUNKS), REJECT),
    Case(
        "UNKNOWN-TE-501", "9112 6.1", post(b"Transfer-Encoding: gzip", body=CHUNKS), REJECT | {501}
    ),
    Case(
        "TE-DOUBLE-CHUNKED",
        "9112 6.1",
        post(b"Transfer-Encoding: chunked, chunked", body=CHUNKS),
        REJECT,
    ),
    Case(
        "TRANSFER_ENCODING",
        "9112 6.1",
        post(b"Transfer_Encoding: chunked", b"Content-Length: " + N),
        OR_FOUND,
        open=True,
    ),
]

UPGRADE = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk")
OFFERS = [
    Case("UPGRADE-POST", "9110 7.8", post(*UPGRADE, b"Content-Length: " + N), FOUND, open=True),
    Case("UPGRADE-CHUNKED", "9110 7.8", post(*UPGRADE, CHUNKED, body=CHUNKS), FOUND, open=True),
    Case("UPGRADE-GET", "9110 7.8", get(*UPGRADE), FOUND, open=True),
    Case(
        "WEBSOCKET",
        "9110 7.8",
        get(b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13"),
        FOUND,
        open=True,
    ),
    Case(
        "MANY-FIELDS",
        "6585 5",
        get(*[b"X-%d: %b" % (i, b"a" * 90) for i in range(1000)]),
        TOO_LARGE,
    ),
    Case(
        "LONG-TRAILER",
        "6585 5",
        chunked(X + b"\r\n" + BODY + b"\r\n0\r\n" + b"X-One: 1\r\n" * 20_000 + b"\r\n"),
        TOO_LARGE | FOUND,
    ),
]

CHUNK_SIZES = [
    Case(f"CHUNK-{name}", "9112 7.1", first_chunk(size), REJECT)
    for name, size in (
        ("BARE-SEMICOLON", X + b";"),
        ("HEX-PREFIX", b"0x" + X),
        ("UNDERSCORE", b"1_4"),
        ("LEADING-SP", b" " + X),
        ("NEGATIVE", b"-" + X),
        ("SIZE-PLUS", b"+" + X),
        ("EXT-CTRL", X + b";a\x00b"),
        ("EXT-CR", X + b";a\rb"),
        ("EXT-INVALID-TOKEN", X + b";[x]=1"),
        ("SIZE-OVERFLOW", b"1" + b"0" * 15 + X),
        ("NON-HEX", b"zz"),
    )
] + [
    Case("CHUNK-SIZE-TRAILING-OWS", "9112 7.1", first_chunk(X + b" "), OR_FOUND, open=True),
    Case("CHUNK-MISSING-TRAILING-CRLF", "9112 7.1", first_chunk(X, end=b""), REJECT),
    Case("CHUNK-SPILL", "9112 7.1", first_chunk(b"5"), REJECT),
    Case("CHUNK-BARE-CR-TERM", "9112 2.2", chunked(X + b"\r" + BODY + b"\r\n" + LAST), REJECT),
    Case("CHUNK-LF-TERM", "9112 2.2", first_chunk(X, end=b"\n"), OR_FOUND, open=True),
    Case("CHUNK-EXT-LF", "9112 2.2", chunked(X + b";a\n" + BODY + b"\r\n" + LAST), OR_FOUND, True),
    Case("CHUNK-INVALID-SIZE-DESYNC", "9112 7.1", chunked(b"+0\r\n\r\n" + SMUGGLED), REJECT),
    Case("CHUNK-EXT", "9112 7.1.1", first_chunk(X + b";name=value"), FOUND, open=True),
    Case("TRAILER-CL", "9110 6.5.1", chunked(
        X + b"\r\n" + BODY + b"\r\n0\r\nContent-Length: 500\r\n\r\n"), OR_FOUND, open=True),
    Case("TRAILER-TE", "9110 6.5.1", chunked(
        X + b"\r\n" + BODY + b"\r\n0\r\n" + CHUNKED + b"\r\n\r\n"), OR_FOUND, open=True),
    Case("CHUNKED", "9112 7.1", chunked(CHUNKS), FOUND, open=True),
]  # fmt: skip

CASES = [*HEADS, *LENGTHS, *BOTH, *OFFERS, *CHUNK_SIZES]
