"""What `shipway serve` says: when it starts, and when it cannot; needs nothing but the machine."""

import json
import os
import pickle
import pty
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tests.system.live import PATIENCE, PROJECT, SERVE, UVICORN, model, started, until


class Hostile:
    def __reduce__(self):
        return (exec, ("import pathlib; pathlib.Path('owned').touch()",))


def serve(
    cwd: Path, *arguments: str, environ: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `shipway serve` that is expected to end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "shipway", "serve", *arguments],
        cwd=cwd,
        env={**os.environ, "SHIPWAY_LOG_LEVEL": "warning", **(environ or {})},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def fill(folder: Path) -> None:
    (folder / "models").mkdir()
    (folder / "empty.pkl").touch()
    (folder / "words.pkl").write_text("This is no model but a text.\n")
    (folder / "hostile.pkl").write_bytes(pickle.dumps(Hostile()))
    (folder / "cut.pkl").write_bytes(model(1)[:-100])


@pytest.mark.timeout(200)
@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["absent.pkl"], 3, "There is no model file at absent.pkl"),
        ([], 3, "There is no model file at models/model.pkl"),
        (["models"], 3, "models is a directory, not a model"),
        (["empty.pkl"], 3, "empty.pkl is empty"),
        (["words.pkl"], 3, "words.pkl is not a model"),
        (["cut.pkl"], 3, "is cut off"),
        (["hostile.pkl"], 4, "builtins.exec"),
        (["--host", "no.such.host.invalid", "x"], 2, "There is no address 'no.such.host.invalid'"),
        (["--host", "203.0.113.7", "x"], 2, "Cannot listen on 203.0.113.7"),
        (["--port", "many", "x"], 2, "'many' is not a valid integer"),
        (["--log-level", "loud", "x"], 2, "must be one of debug, info, warning"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_served_is_said_without_a_traceback(
    tmp_path, arguments, code, said, workers
):
    fill(tmp_path)
    ended = serve(tmp_path, "--port", "0", "--workers", workers, *arguments)
    assert ended.returncode == code, ended.stderr
    assert ended.stderr.startswith("error: ")
    assert said in ended.stderr.splitlines()[0]
    # A wrong value's message lists the right ones; everything else says what to do next.
    assert "\nhint: " in ended.stderr or "must be one of" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_port_in_use_is_said_with_its_number(tmp_path, workers):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = serve(tmp_path, "model.pkl", "--port", str(port), "--workers", workers)
    assert ended.returncode == 6
    assert ended.stderr == (
        f"error: Port {port} on 127.0.0.1 is in use by another program\n"
        f"hint: End that program (ss -ltnp 'sport = :{port}' names it), or choose another port: "
        "--port 0 takes any free one.\n"
    )


@pytest.mark.parametrize(("port", "said"), [("65536", "65535"), ("-1", "0")])
def test_a_port_out_of_range_is_a_wrong_setting(tmp_path, port, said):
    ended = serve(tmp_path, "model.pkl", "--port", port)
    assert (ended.returncode, "Traceback" in ended.stderr) == (2, False)
    assert said in ended.stderr


@pytest.mark.parametrize("workers", ["0", "-3"])
def test_a_number_of_workers_below_one_is_a_wrong_setting(tmp_path, workers):
    ended = serve(tmp_path, "model.pkl", "--workers", workers)
    assert (ended.returncode, "Traceback" in ended.stderr) == (2, False)


@pytest.mark.timeout(200)
@pytest.mark.parametrize("workers", [(), ("--workers", "2")], ids=["one", "two workers"])
def test_uvicorn_says_the_same_and_ends(tmp_path, workers):
    """A project's src/serve.py under the plain uvicorn command."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "serve.py").write_text(PROJECT)
    (tmp_path / "words.pkl").write_text("This is no model but a text.\n")
    with started((*UVICORN, *workers), tmp_path, {"MODEL_PATH": "words.pkl"}) as live:
        code = live.process.wait(timeout=PATIENCE)
        assert "error: words.pkl is not a model" in live.text
        assert "hint: " in live.text
        assert "Traceback" not in live.text
        # With several workers it is uvicorn's own parent that ends, and it says 0.
        assert code == (0 if workers else 3)


@pytest.mark.timeout(200)
def test_workers_of_uvicorn_are_not_started_again_and_again_for_a_hostile_model(tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "serve.py").write_text(PROJECT)
    (tmp_path / "hostile.pkl").write_bytes(pickle.dumps(Hostile()))
    environ = {"MODEL_PATH": "hostile.pkl"}
    with started((*UVICORN, "--workers", "2"), tmp_path, environ) as live:
        live.process.wait(timeout=PATIENCE)
        assert "builtins.exec" in live.text
        assert "Traceback" not in live.text
    assert not (tmp_path / "owned").exists()


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_on_a_terminal_it_prints_a_curl_line_that_works(tmp_path):
    (tmp_path / "model.pkl").write_bytes(model(7))
    ours, theirs = pty.openpty()
    process = subprocess.Popen([*SERVE, "model.pkl"], cwd=tmp_path, stderr=theirs, stdin=theirs)
    os.close(theirs)
    said = b""

    def read() -> bool:
        nonlocal said
        said += os.read(ours, 4096)
        return b"Ctrl-C ends it." in said

    try:
        until(read, "the greeting")
        text = said.decode()
        assert re.search(r"Serving scikit-learn \(classifier\) on http://127\.0\.0\.1:\d+", text)
        line = next(line for line in text.splitlines() if line.strip().startswith("curl"))
        words = [*shlex.split(line), "--silent", "--max-time", "30"]
        answer = json.loads(subprocess.run(words, capture_output=True, check=True).stdout)
        assert answer["prediction"].startswith("v7-")
    finally:
        process.terminate()
        code = process.wait(timeout=60)
        os.close(ours)
    assert code == 0


def test_help_explains_every_option(tmp_path):
    ended = serve(tmp_path, "--help")
    assert ended.returncode == 0
    for word in ("--host", "--port", "--workers", "--no-reload", "Examples:", "SIGTERM"):
        assert word in ended.stdout
