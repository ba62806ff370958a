"""The last command of all: it removes every image that nothing runs from."""

import os
import subprocess

import pytest

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.mark.skipif(os.environ.get("CI") != "true", reason="removes every unused image: CI only")
def test_system_prune_leaves_nothing_behind(base_image, tmp_path):
    """`docker system prune -a`, with an image and a stopped container of ours there to go."""
    (tmp_path / "Dockerfile").write_text(f"FROM {base_image}\nRUN touch /made\n")
    shell("docker build -t my-ml-model:v1 .", tmp_path)
    shell("docker run --name ml-server my-ml-model:v1 true", tmp_path)
    shell("docker system prune -a", tmp_path, stdin="y\n")
    for left in (
        "docker images -q my-ml-model",
        "docker images -qf dangling=true",
        "docker ps -aq --filter name=ml-server",
    ):
        assert shell(left, tmp_path) == ""


def shell(line, folder, stdin=""):
    done = subprocess.run(
        ["bash", "-c", line], cwd=folder, input=stdin, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"$ {line}\n{done.stdout}\n{done.stderr}"
    return done.stdout
