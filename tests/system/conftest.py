"""A base image, a project by ``shipway init`` and the image built from it, once per session."""

import os
import pickle
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.system.engine import PORT, Shell, builders, get, wait_for, wait_until_free

SUITE = "bookworm"
MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"
BASE = f"python:{MINOR}-slim"
STAND_IN = f"shipway-test/python:{MINOR}-{SUITE}"
CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
IN_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"


def pytest_generate_tests(metafunc):
    if "builder" in metafunc.fixturenames:
        found = builders()
        metafunc.parametrize("builder", found, ids=[one.name for one in found], scope="session")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    for item in items:
        # Whatever builds an image stands on the base, also the commands that a document shows.
        if item.get_closest_marker("docker") and "base_image" not in item.fixturenames:
            item.fixturenames.append("base_image")
    # It removes every image, also those that other tests stand on; after pytest has put tests
    # with the same builder together.
    items.sort(key=lambda item: "system_prune" in item.name)


@pytest.fixture(scope="session")
def base_image(tmp_path_factory):
    """The default base of every Dockerfile, made from Debian where it cannot be had."""
    docker = shutil.which("docker")
    dangling = [docker, "images", "--quiet", "--filter", "dangling=true"]
    before = _output(dangling)
    if (
        subprocess.run(
            [docker, "image", "inspect", BASE], capture_output=True, check=False
        ).returncode
        == 0
    ):
        yield BASE
    else:
        _stand_in(docker, tmp_path_factory.mktemp("base"))
        yield BASE
        _remove(docker, {BASE, STAND_IN})
    # The classic builder leaves the earlier stages behind as images without a name.
    while left := _output(dangling) - before:
        if not _remove(docker, left):
            break


def _output(command):
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def _remove(docker, images):
    """Whether any could be removed: one that others stand on cannot, before they are gone."""
    done = [
        subprocess.run([docker, "rmi", image], capture_output=True, check=False) for image in images
    ]
    return any(one.returncode == 0 for one in done)


def _stand_in(docker, folder):
    """Debian's own Python, at /usr/bin: unlike the official image, which a build must also bear."""
    if MINOR != "3.11":
        pytest.skip(f"no image {BASE} here (docker pull it): the stand-in has Python 3.11")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "shipway-tests"
    tar = cache / f"{SUITE}.tar"
    if not tar.exists():
        if shutil.which("mmdebstrap") is None:
            pytest.skip(f"neither an image {BASE} (docker pull it) nor mmdebstrap to make one")
        cache.mkdir(parents=True, exist_ok=True)
        fresh = cache / f".{SUITE}.{os.getpid()}.tar"
        packages = "python3,python3-pip,python3-venv,ca-certificates"
        subprocess.run(
            ["mmdebstrap", "--variant=minbase", f"--include={packages}", SUITE, fresh], check=True
        )
        fresh.replace(tar)
    imported = subprocess.run(
        [docker, "import", tar], capture_output=True, text=True, check=True
    ).stdout.strip()
    # This network's certificates belong to the base of the tests, never to the product.
    lines = [f"FROM {imported}", "RUN rm -f /usr/lib/python3*/EXTERNALLY-MANAGED"]
    if CA_BUNDLE.exists():
        shutil.copy(CA_BUNDLE, folder / CA_BUNDLE.name)
        lines += [
            f"COPY {CA_BUNDLE.name} {IN_BUNDLE}",
            f"ENV PIP_CERT={IN_BUNDLE} SSL_CERT_FILE={IN_BUNDLE}",
        ]
    (folder / "Dockerfile").write_text("\n".join(lines) + "\n")
    subprocess.run(
        [docker, "build", "--quiet", "--tag", BASE, "--tag", STAND_IN, folder],
        env={**os.environ, "DOCKER_BUILDKIT": "0"},
        capture_output=True,
        check=True,
    )


@pytest.fixture(scope="session")
def train():
    """``train(path, strength)``: a classifier on real data, other strengths other answers."""
    from sklearn.datasets import load_breast_cancer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows, labels = load_breast_cancer(return_X_y=True)

    def fit(path, strength=1.0):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=strength)).fit(rows, labels)
        aside = path.with_name(path.name + ".new")
        aside.write_bytes(pickle.dumps(model))
        aside.chmod(0o644)
        aside.replace(path)
        row = rows[20].tolist()
        return row, float(model.predict_proba([row])[0].max())

    return fit


@pytest.fixture(scope="session")
def source_project(tmp_path_factory, train):
    """A project as ``shipway init`` makes it, and a row with the confidence that belongs to it."""
    folder = tmp_path_factory.mktemp("source")
    row, confidence = train(folder / "trained.pkl")
    subprocess.run(
        [sys.executable, "-m", "shipway", "init", "my-ml-model", "--model", "trained.pkl"],
        cwd=folder,
        check=True,
        timeout=120,
    )
    return folder / "my-ml-model", row, confidence


@pytest.fixture(scope="session")
def project(builder, source_project, tmp_path_factory):
    """One builder's own copy of the project."""
    made = tmp_path_factory.mktemp(builder.name) / "my-ml-model"
    shutil.copytree(source_project[0], made)
    return made


@pytest.fixture(scope="session")
def shell(builder, project, tmp_path_factory):
    """The command line inside the project."""
    return Shell(project, builder, tmp_path_factory.mktemp("bin") / builder.name)


@pytest.fixture(scope="session")
def image(shell, base_image):
    """``my-ml-model:v1``, built as the README says; how long it took is printed."""
    start = time.monotonic()
    shell("docker build -t my-ml-model:v1 .", timeout=900)
    sys.stderr.write(f"\n{shell.builder.name}: built in {time.monotonic() - start:.1f} s\n")
    yield "my-ml-model:v1"
    shell.run("docker rmi --force my-ml-model:v1")


@pytest.fixture
def ml_server(shell):
    """Whatever a test leaves running under this name is removed, before and after."""
    shell.run("docker rm --force ml-server")
    wait_until_free(PORT)
    yield "ml-server"
    shell.run("docker rm --force ml-server")


@pytest.fixture
def answering():
    """Wait until the container on port 8000 answers for its model."""

    def wait(port=PORT):
        wait_for(lambda: get("/health", port=port)[0] == 200, seconds=60, what="/health is 200")

    return wait
