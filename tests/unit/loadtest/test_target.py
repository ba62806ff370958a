"""Which server a user means."""

import pytest

from shipway.errors import UsageError
from shipway.loadtest.target import Target, is_url, parse_url


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("http://localhost:8000", Target("localhost", 8000)),
        ("localhost:8000", Target("localhost", 8000)),
        ("http://localhost:8000/", Target("localhost", 8000)),
        ("http://localhost:8000/predict", Target("localhost", 8000)),
        ("http://shop.example/models/a/predict", Target("shop.example", 80, "/models/a")),
        ("http://[::1]:8000", Target("::1", 8000)),
    ],
)
def test_a_server_is_named_as_people_write_it(text, target):
    assert is_url(text)
    assert parse_url(text) == target


@pytest.mark.parametrize("text", ["models/model.pkl", "model.onnx", "/srv/model", "a:b.pkl"])
def test_a_path_is_no_server(text):
    assert not is_url(text)


@pytest.mark.parametrize(
    "text",
    [
        "https://localhost:8000",
        "ftp://localhost",
        "http://",
        "http://localhost:99999",
        "http://localhost:8000/?a=1",
        "http://me:secret@localhost:8000",
    ],
)
def test_what_cannot_be_asked_is_refused(text):
    with pytest.raises(UsageError):
        parse_url(text)


def test_a_request_is_what_the_server_reads():
    assert Target("::1", 8000, "/a").request(b"{}") == (
        b"POST /a/predict HTTP/1.1\r\nHost: [::1]:8000\r\n"
        b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    )
