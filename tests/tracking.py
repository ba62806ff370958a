"""A real ``mlflow server``, and its registry filled over the REST API.

MLflow's own client takes seconds to import: what a trained model looks like when that client
writes it is shown once, by the example's training script.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

import httpx

PATIENCE = 240.0
"""Seconds; making the database's tables takes twenty on an idle machine."""

DOCUMENT = """\
flavors:
  python_function:
    loader_module: mlflow.sklearn
    model_path: model.pkl
  sklearn:
    pickled_model: model.pkl
    serialization_format: cloudpickle
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(folder: Path, port: int) -> subprocess.Popen[bytes]:
    """The server with all that it keeps in ``folder``; started again there it knows the same."""
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **quiet},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + PATIENCE
    while not _healthy(port):
        said = (folder / "server.log").read_text(errors="replace")[-3000:]
        assert process.poll() is None, said
        if time.monotonic() > deadline:
            end(process)
            raise AssertionError(f"no MLflow server after {PATIENCE:g} s:\n{said}")
        time.sleep(0.1)
    return process


def _healthy(port):
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"http://127.0.0.1:{port}/health", timeout=10).status_code == 200
    return False


def end(process: subprocess.Popen[bytes]) -> None:
    """At once, with its workers."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class Tracking:
    """A server whose models are made of the files that a test gives."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._process = start(folder, self._port)

    def kill(self) -> None:
        """End it at once."""
        end(self._process)

    def revive(self) -> None:
        """Start it again at the same address, with all that it knew."""
        if self._process.poll() is not None:
            self._process = start(self._folder, self._port)

    def add(self, name: str, files: dict[str, bytes]) -> str:
        """A new version made of these files; its number."""
        made = httpx.post(self._route("registered-models/create"), json={"name": name}, timeout=60)
        assert made.status_code in (200, 400), made.text
        run = self._post("runs/create", experiment_id="0")["run"]["info"]
        place = f"{run['artifact_uri']}/model"
        for path, content in files.items():
            below = place.replace("mlflow-artifacts:/", "api/2.0/mlflow-artifacts/artifacts/")
            url = f"{self.url}/{below}/{quote(path)}"
            httpx.put(url, content=content, timeout=60).raise_for_status()
        answer = self._post("model-versions/create", name=name, source=place, run_id=run["run_id"])
        return str(answer["model_version"]["version"])

    def add_pickle(self, name: str, data: bytes) -> str:
        """A new version, a folder as MLflow's sklearn flavour writes it."""
        return self.add(name, {"MLmodel": DOCUMENT.encode(), "model.pkl": data})

    def point(self, name: str, alias: str, number: str) -> None:
        self._post("registered-models/alias", name=name, alias=alias, version=number)

    def tags(self, name: str, number: str) -> dict[str, str]:
        route = self._route("model-versions/get")
        answer = httpx.get(route, params={"name": name, "version": number}, timeout=60)
        return {tag["key"]: tag["value"] for tag in answer.json()["model_version"].get("tags", [])}

    def _post(self, route, **fields):
        answer = httpx.post(self._route(route), json=fields, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def _route(self, name):
        return f"{self.url}/api/2.0/mlflow/{name}"
