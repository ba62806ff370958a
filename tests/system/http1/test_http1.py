"""HTTP/1.1 as a client who means harm speaks it: direct, and behind the usual proxies."""

from __future__ import annotations

import contextlib
import json
import pickle
import socket
from typing import NamedTuple

import httpx
import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from tests.system.http1.cases import CASES, CLOSE, FOUND, SMUGGLED, Case
from tests.system.http1.proxies import haproxy, nginx
from tests.system.live import SERVE, put, started

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SILENCE = 20
"""Seconds; a server that says nothing for so long will not say anything any more."""


class Heard(NamedTuple):
    status: int
    answers: int


@pytest.fixture(scope="module", params=["1", "2"], ids=["one worker", "two workers"])
def server(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("http1")
    rows = np.random.default_rng(0).normal(size=(20, 3))
    # The answer is the first feature: whose answer it is can be told.
    put(folder / "model.pkl", pickle.dumps(LinearRegression().fit(rows, rows[:, 0])))
    with started((*SERVE, "model.pkl", "--workers", request.param), folder) as live:
        live.wait_ready()
        yield live
        assert "Traceback" not in live.text
        assert live.stop() == 0


def talk(port: int, data: bytes) -> Heard:
    """Send, close our side, and count what comes back until the other side closes."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=SILENCE) as sock:
        with contextlib.suppress(OSError):  # it may have closed already
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            while piece := sock.recv(65536):
                received += piece
    answers = received.count(b"HTTP/1.1 ") + received.count(b"HTTP/1.0 ")
    return Heard(int(received.split()[1]) if received else CLOSE, answers)


def data_of(case: Case) -> bytes:
    """The case's bytes and a request behind them, unless there is one already."""
    return case.data if SMUGGLED in case.data else case.data + SMUGGLED


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_direct(server, case):
    heard = talk(server.port, data_of(case))
    assert heard.status in case.answers
    assert heard.answers <= (2 if case.open else 1)


@pytest.mark.parametrize(
    "proxy",
    [
        pytest.param(haproxy, marks=pytest.mark.haproxy, id="haproxy"),
        pytest.param(nginx, marks=pytest.mark.nginx, id="nginx"),
    ],
)
def test_behind_a_proxy_nobody_gets_another_ones_answer(server, proxy, tmp_path):
    """After each case other clients ask through connections that the proxy shares."""
    with proxy(server.port, tmp_path) as port:
        for index, case in enumerate(CASES):
            talk(port, data_of(case))
            for number in range(3):
                asked = float(index * 10 + number)
                name = f"{index}-{number}"
                answer = httpx.post(
                    f"http://127.0.0.1:{port}/predict",
                    json={"features": [asked, 0, 0]},
                    headers={"X-Request-ID": name},
                    timeout=SILENCE,
                )
                assert answer.status_code == 200, case.name
                assert answer.headers["x-request-id"] == name, case.name
                assert json.loads(answer.text)["prediction"] == pytest.approx(asked, abs=1e-6), (
                    case.name
                )


def test_every_case_is_told_apart():
    names = [case.name for case in CASES]
    assert len(names) == len(set(names))
    assert any(case.answers == FOUND for case in CASES)
    assert all(case.data for case in CASES)
