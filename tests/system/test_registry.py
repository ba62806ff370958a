"""tag, push and pull against a real registry, and what a second push sends."""

import re
import subprocess

import pytest
from tests.system.engine import get, wait_for, wait_until_free

pytestmark = [
    pytest.mark.docker,
    pytest.mark.registry,
    pytest.mark.slow,
    pytest.mark.timeout(600),
]
PORT = 5000
REGISTRY = f"127.0.0.1:{PORT}"
CONFIG = """\
version: 0.1
storage:
  filesystem:
    rootdirectory: {folder}
  delete:
    enabled: true
http:
  addr: {address}
"""


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    """A registry of our own on 127.0.0.1:5000 (an address that Docker lets be plain HTTP)."""
    folder = tmp_path_factory.mktemp("registry")
    config = folder / "config.yml"
    config.write_text(CONFIG.format(folder=folder / "data", address=REGISTRY))
    wait_until_free(PORT)
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            ["docker-registry", "serve", config], stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )
        try:
            wait_for(lambda: get("/v2/", port=PORT)[0] == 200, seconds=20, what="the registry")
            yield folder / "data"
        finally:
            server.terminate()
            server.wait(20)


def stored(folder):
    return {path: path.stat().st_size for path in folder.rglob("data") if path.is_file()}


def pushed(text):
    """The short layer ids that a push really sent, mounted and existing ones left out."""
    return re.findall(r"^(\w{12}): Pushed", text, flags=re.MULTILINE)


def test_tag_push_and_pull(shell, image, registry):
    shell(f"docker tag my-ml-model:v1 {REGISTRY}/my-project/ml-model:v1")
    told = shell(f"docker push {REGISTRY}/my-project/ml-model:v1")
    digest = re.search(r"v1: digest: (sha256:\w{64})", told)[1]
    before = shell.layers("my-ml-model:v1")

    shell(f"docker rmi {REGISTRY}/my-project/ml-model:v1")
    assert digest in shell(f"docker pull {REGISTRY}/my-project/ml-model:v1")
    assert shell.layers(f"{REGISTRY}/my-project/ml-model:v1") == before
    shell(f"docker rmi {REGISTRY}/my-project/ml-model:v1")


@pytest.mark.parametrize("changed", ["model", "code"])
def test_a_second_push_sends_one_small_layer(shell, image, registry, project, train, changed):
    shell(f"docker tag my-ml-model:v1 {REGISTRY}/my-project/ml-model:v1")
    shell(f"docker push {REGISTRY}/my-project/ml-model:v1")
    before = stored(registry)

    path = project / ("models/model.pkl" if changed == "model" else "src/serve.py")
    kept = path.read_bytes()
    try:
        if changed == "model":
            train(path, strength=0.01)
        else:
            path.write_bytes(kept + b"\n# a change\n")
        size = path.stat().st_size
        shell(f"docker build --build-arg MODEL_VERSION=v2 -t {REGISTRY}/my-project/ml-model:v2 .")
        told = shell(f"docker push {REGISTRY}/my-project/ml-model:v2")
    finally:
        path.write_bytes(kept)
        shell.run(f"docker rmi --force {REGISTRY}/my-project/ml-model:v2")
        shell.run(f"docker rmi --force {REGISTRY}/my-project/ml-model:v1")

    assert len(pushed(told)) == 1
    fresh = {path: size for path, size in stored(registry).items() if path not in before}
    # The layer, the image's configuration and the manifest: nothing of the 300 MB below.
    assert len(fresh) == 3
    assert sum(fresh.values()) < size + 16_000


def test_nothing_of_ours_is_left_after_clean_up(shell, base_image):
    volumes = shell("docker volume ls -q")
    shell("docker build -t my-ml-model:v3 .", timeout=900)
    shell("docker run -d --name ml-server-v3 my-ml-model:v3")
    shell("docker stop ml-server-v3")
    shell("docker rm ml-server-v3")
    shell("docker rmi my-ml-model:v3")
    assert shell("docker images -q my-ml-model:v3") == ""
    assert shell("docker ps -aq --filter name=ml-server-v3") == ""
    assert shell("docker volume ls -q") == volumes
