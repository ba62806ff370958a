"""The real Docker Engine, spoken to as a user does: commands in a shell, verbatim."""

import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

PORT = 8000


@dataclass(frozen=True)
class Builder:
    """A ``docker`` command and the builder behind its ``build``."""

    name: str
    docker: str

    @property
    def environment(self):
        return {"DOCKER_BUILDKIT": "1" if self.name == "buildkit" else "0"}


def builders():
    """The builders that this machine has: the classic one, BuildKit, or both."""
    clients = [str(Path(folder) / "docker") for folder in os.get_exec_path()]
    clients = list(dict.fromkeys(os.path.realpath(path) for path in clients if shutil.which(path)))
    found = [Builder("classic", clients[0])] if clients else []
    found += [Builder("buildkit", path) for path in clients if _has_buildkit(path)][:1]
    return found


def _has_buildkit(client):
    if _quiet([client, "buildx", "version"]):
        return True
    version = subprocess.run([client, "--version"], capture_output=True, text=True, check=False)
    # Clients before 23 carry BuildKit's front end themselves.
    match = re.search(r"version (\d+)", version.stdout)
    return match is not None and int(match[1]) < 23


def _quiet(command):
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


class Shell:
    """Runs command lines in a folder, with one builder's ``docker`` first in PATH."""

    def __init__(self, folder, builder, shims):
        self.folder = folder
        self.builder = builder
        shims.mkdir(parents=True, exist_ok=True)
        shim = shims / "docker"
        if not shim.exists():
            shim.symlink_to(builder.docker)
        self.environment = {
            **os.environ,
            **builder.environment,
            "PATH": f"{shims}{os.pathsep}{os.environ['PATH']}",
        }

    def __call__(self, line, *, stdin="", code=0, timeout=600):
        """Standard output of one command line; stderr is kept for the failure's message."""
        done = self.run(line, stdin=stdin, timeout=timeout)
        assert done.returncode == code, f"$ {line}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def run(self, line, *, stdin="", timeout=600):
        return subprocess.run(
            ["bash", "-c", line],
            input=stdin,
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=self.environment,
            timeout=timeout,
            check=False,
        )

    def inspect(self, name):
        return json.loads(self(f"docker inspect {name}"))[0]

    def layers(self, image):
        return self.inspect(image)["RootFS"]["Layers"]


def wait_for(answer, *, seconds, what):
    """The first true value of ``answer()``; an AssertionError when there is none in time."""
    end = time.monotonic() + seconds
    while True:
        found = answer()
        if found:
            return found
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(0.2)


def get(path, *, port=PORT, timeout=10):
    """Status and body of a GET on localhost; (0, b"") while nobody answers."""
    return _answer(urllib.request.Request(f"http://localhost:{port}{path}"), timeout)


def post(path, document, *, port=PORT, timeout=10):
    """Status and parsed body of a POST of JSON on localhost."""
    request = urllib.request.Request(
        f"http://localhost:{port}{path}",
        data=json.dumps(document).encode(),
        headers={"Content-Type": "application/json"},
    )
    status, body = _answer(request, timeout)
    return status, json.loads(body) if body else None


def _answer(request, timeout):
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as exc:
        return exc.code, exc.read()
    except OSError:
        return 0, b""


def wait_until_free(port):
    """Somebody else's server on the port would answer for ours."""

    def free():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
            return True

    wait_for(free, seconds=60, what=f"port {port} free")
