"""``shipway bench``: what cannot be measured is said, and how it ends."""

import socket

import pytest

from shipway.cli import run


@pytest.fixture
def shipway(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "body.json").write_text("{")
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")

    def call(*arguments):
        code = run(["bench", *arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return call


HELP = "shipway bench --help shows how it is called"


@pytest.mark.parametrize(
    ("arguments", "code", "message", "hint"),
    [
        ([], 2, "Missing argument 'URL|MODEL'.", HELP),
        (
            ["x", "--p99", "10"],
            2,
            "Invalid value for '--p99': '10' is not a time such as 250us, 10ms or 5s.",
            HELP,
        ),
        (
            ["x", "--duration", "0s"],
            2,
            "Invalid value for '--duration': '0s' is not a time such as 250us, 10ms or 5s.",
            HELP,
        ),
        (
            ["x", "--connections", "0"],
            2,
            "Invalid value for '--connections': 0 is not in the range 1<=x<=1000.",
            HELP,
        ),
        (
            ["x", "--workers", "0"],
            2,
            "--workers is 0: expected a whole number >= 1",
            "",
        ),
        (
            ["http://localhost:1", "--workers", "2"],
            2,
            "--workers is for a MODEL: a running server has the workers that it has",
            "shipway serve --workers sets them",
        ),
        (
            ["http://localhost:1", "--body", "body.json", "--rows", "rows.csv"],
            2,
            "--body and --rows both say what to send",
            "Give one of them",
        ),
        (
            ["https://localhost:1"],
            2,
            (
                "https://localhost:1 is HTTPS: encryption would be measured too, "
                "and Shipway serves plain HTTP"
            ),
            "Name the server itself, behind its proxy: http://HOST:PORT",
        ),
        (
            ["ftp://localhost"],
            2,
            "ftp://localhost is not the URL of a server",
            "Write http://HOST:PORT",
        ),
        (
            ["nothing.pkl"],
            3,
            "There is no model file at nothing.pkl",
            "Did you mean one of these: body.json?",
        ),
    ],
)
def test_what_cannot_be_carried_out(shipway, arguments, code, message, hint):
    told = f"error: {message}\n" + (f"hint: {hint}\n" if hint else "")
    assert shipway(*arguments) == (code, "", told)


def test_nobody_at_that_address(shipway):
    with socket.socket() as bound:
        # Bound and not listening: nobody else can have the port meanwhile.
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        told = (
            f"error: There is no server at {url}: Connection refused\n"
            "hint: Start one (shipway serve MODEL), or name a model and it is started for you.\n"
        )
        assert shipway(url) == (10, "", told)
