"""A request has to arrive within a time; an answer may take longer, a connection may be idle."""

import socket
import threading

import pytest
from tests.system.live import SERVE, UVICORN, model, put, started

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ARRIVAL = {"SHIPWAY_SERVE_ARRIVAL": "2"}
HEAD = b"POST /predict HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n"
BODY = b'{"features":[1,2,3,4]}'
WHOLE = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
BEGUN = {
    "nothing": b"",
    "half a line": b"POST /pre",
    "half a head": HEAD,
    "no body": HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY),
    "half a body": HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY[:5],
    "half a body, the full way": HEAD + b"Expect: x\r\nContent-Length: 30\r\n\r\n" + BODY,
    "half a chunked body": HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{",
    "half a second request": WHOLE + HEAD,
}
SLOW = """
import asyncio
from shipway import create_app

async def before(value: dict) -> list:
    await asyncio.sleep(6)
    return [1.0, 2.0, 3.0, 4.0]

app = create_app(before=before)
"""


def heard(port: int, data: bytes, drip: bytes = b"") -> bytes:
    """What comes until the server closes; ``drip`` is sent byte by byte meanwhile."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as sock:
        sock.sendall(data)
        over = threading.Event()
        dripping = threading.Thread(target=_drip, args=(sock, drip, over))
        dripping.start()
        try:
            while piece := sock.recv(65536):
                received += piece
        except ConnectionResetError:
            pass
        finally:
            over.set()
            dripping.join()
    return received


def _drip(sock: socket.socket, drip: bytes, over: threading.Event) -> None:
    for byte in drip:
        if over.wait(0.3):
            return
        try:
            sock.sendall(bytes([byte]))
        except OSError:
            return


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slow")
    put(folder / "model.pkl", model(0))
    with started((*SERVE, "model.pkl"), folder, ARRIVAL) as live:
        live.wait_ready()
        yield live
        assert live.status("/health") == 200
        assert "Traceback" not in live.text


@pytest.mark.parametrize("name", BEGUN)
def test_a_request_that_does_not_arrive_is_answered_408(server, name):
    received = heard(server.port, BEGUN[name])
    if name == "nothing":
        assert received == b""
        return
    answers = received.split(b"HTTP/1.1 ")[1:]
    assert [answer[:3] for answer in answers[:-1]] == [b"200"] * (name == "half a second request")
    assert answers[-1].startswith(b"408 Request Timeout\r\n")
    assert b"connection: close\r\n" in answers[-1]
    assert answers[-1].endswith(
        b'{"detail":"The request did not arrive within 2 s.","hint":"Try again."}'
    )


def test_a_byte_now_and_then_does_not_help(server):
    received = heard(server.port, HEAD, drip=b"X-Slow: " + b"a" * 500)
    assert received.startswith(b"HTTP/1.1 408 ")


def test_an_idle_connection_stays(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as sock:
        for _ in range(2):
            sock.sendall(WHOLE)
            assert sock.recv(65536).startswith(b"HTTP/1.1 200 OK")
            # Longer than a request may take; another one is sent away in that time.
            assert heard(server.port, HEAD).startswith(b"HTTP/1.1 408 ")
        sock.sendall(WHOLE)
        assert sock.recv(65536).startswith(b"HTTP/1.1 200 OK")


def test_an_answer_may_take_longer(tmp_path):
    for folder in ("src", "models"):
        (tmp_path / folder).mkdir()
    (tmp_path / "src" / "serve.py").write_text(SLOW)
    put(tmp_path / "models" / "model.pkl", model(0))
    with started(UVICORN, tmp_path, ARRIVAL) as live:
        live.wait_ready()
        with socket.create_connection(("127.0.0.1", live.port), timeout=60) as sock:
            sock.sendall(WHOLE)
            assert sock.recv(65536).startswith(b"HTTP/1.1 200 OK")
        assert heard(live.port, HEAD).startswith(b"HTTP/1.1 408 ")
