"""What a user sees when a registered model cannot be had; the server is a real one over HTTP."""

import http.server
import json
import threading
from contextlib import contextmanager

import pytest
from tests.tracking import free_port

from shipway.cli import run

ABSENT = {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "not found"}
READY = {"name": "iris", "version": "3", "creation_timestamp": 1, "status": "READY", "source": "x"}


@contextmanager
def serving(answers):
    """The address of a server with these answers, by the end of the path; 404 for the others."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            path = self.path.partition("?")[0]
            status, body, *headers = next(
                (answers[end] for end in answers if path.endswith(end)), (404, json.dumps(ABSENT))
            )
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def check(capsys, tmp_path, monkeypatch):
    """Exit code, what is said, and the files that are left."""
    monkeypatch.chdir(tmp_path)

    def call(url, model="models:/iris@champion"):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", url)
        code = run(["check", model])
        left = [path for path in tmp_path.rglob("*") if path.is_file()]
        return code, capsys.readouterr().err.replace(url or "?", "URL"), left

    return call


def version(**more):
    return 200, json.dumps({"model_version": READY | more})


CASES = [
    ({"/alias": (401, "")}, 11, "refuses access (HTTP 401)\nhint: Set MLFLOW_TRACKING_USERNAME"),
    ({"/alias": (403, "")}, 11, "refuses access (HTTP 403)\nhint: Set MLFLOW_TRACKING_USERNAME"),
    ({"/alias": (500, "")}, 11, "is out of order (HTTP 500)"),
    ({"/alias": (404, "<html>")}, 11, "What answers at URL is no MLflow tracking server"),
    ({"/alias": (200, "<html>")}, 11, "What answers at URL is no MLflow tracking server"),
    ({"/alias": (200, "{}")}, 11, "tells of models:/iris@champion in an unknown way"),
    ({"/alias": (302, "", ("Location", "/x"))}, 11, "is no MLflow tracking server"),
    ({}, 3, "There is no registered model iris at URL"),
    ({"registered-models/get": (200, "{}")}, 3, "The registered model iris has no alias champion"),
    ({"/alias": version(status="FAILED_REGISTRATION")}, 3, "is not ready: FAILED_REGISTRATION"),
    (
        {"/alias": version(), "download-uri": (200, '{"artifact_uri": "s3://bucket/x"}')},
        3,
        "lies at s3://bucket/x, which only the tracking server can read",
    ),
    (
        {"/alias": version(), "download-uri": (200, '{"artifact_uri": "/nowhere/x"}')},
        3,
        "lies in /nowhere/x on the tracking server's machine, which is not here",
    ),
    (
        {
            "/alias": version(),
            "download-uri": (200, '{"artifact_uri": "mlflow-artifacts:/1"}'),
            "/artifacts": (200, "{}"),
        },
        3,
        "The files of version 3 of iris are missing",
    ),
    (
        {
            "/alias": version(),
            "download-uri": (200, '{"artifact_uri": "mlflow-artifacts:/1"}'),
            "/artifacts": (200, '{"files": [{"path": "x/..", "is_dir": false}]}'),
        },
        3,
        "The tracking server names a file 'x/..'",
    ),
    (
        {
            "/alias": version(),
            "download-uri": (200, '{"artifact_uri": "mlflow-artifacts:/1"}'),
            "/artifacts": (200, '{"files": [{"path": "MLmodel", "file_size": 9}]}'),
            "/MLmodel": (200, "short"),
        },
        3,
        "MLmodel has 5 bytes, and the tracking server announced 9",
    ),
]


@pytest.mark.parametrize(("answers", "code", "message"), CASES)
def test_an_answer_that_is_no_model(answers, code, message, check):
    with serving(answers) as url:
        got, said, left = check(url)
    assert message in said
    assert (got, left) == (code, [])


def test_a_server_that_is_not_there(check):
    url = f"http://127.0.0.1:{free_port()}"
    code, said, left = check(url)
    assert said.startswith(
        "error: The tracking server at URL cannot be reached: Connection refused"
    )
    assert "hint: Is it running" in said
    assert (code, left) == (11, [])


@pytest.mark.parametrize("url", ["", "sqlite:///mlflow.db", "file:///tmp/mlruns", "localhost:5000"])
def test_an_address_that_is_none(url, check):
    code, said, left = check(url)
    assert "A model in a registry needs a tracking server, and MLFLOW_TRACKING_URI is" in said
    assert (code, left) == (2, [])


def test_a_name_that_is_none(check):
    code, said, _ = check("http://127.0.0.1:1", "models:/iris")
    assert said.startswith("error: models:/iris is no model in a registry\nhint: Write models:/")
    assert code == 2


def test_user_and_password_are_sent_and_do_not_follow_a_redirect(check, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ada")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
    with serving({}) as elsewhere, serving({"/alias": (302, "", ("Location", elsewhere))}) as url:
        code, said, _ = check(url)
    assert "is no MLflow tracking server" in said
    assert (code, "secret" in said) == (11, False)
