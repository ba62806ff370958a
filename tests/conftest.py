"""A clean world for every test, and no quiet skipping.

A test says by marker what it needs beyond Python (see pyproject.toml). Where that is missing the
test is skipped and the summary says so; a need named in SHIPWAY_TEST_REQUIRE (a comma-separated
list, as CI sets it) makes it fail instead.
"""

import importlib.util
import os
import shutil
import subprocess
from functools import cache

import pytest
from tests.tracking import Tracking

REQUIRED = frozenset(filter(None, os.environ.get("SHIPWAY_TEST_REQUIRE", "").split(",")))
# What a developer's shell may hold and what would change what is tested.
SCRUBBED = {
    "FORCE_COLOR",
    "LOG_LEVEL",
    "MODEL_PATH",
    "MODEL_VERSION",
    "NO_COLOR",
    "OMP_NUM_THREADS",
    "PROMETHEUS_MULTIPROC_DIR",
    "WEB_CONCURRENCY",
}
PREFIXES = ("MLFLOW_", "SHIPWAY_", "UVICORN_")
SKIPPED: dict[str, int] = {}


def pytest_configure(config):
    for name in list(os.environ):
        if name in SCRUBBED or name.startswith(PREFIXES):
            del os.environ[name]
    unknown = REQUIRED - NEEDS.keys()
    if unknown:
        raise pytest.UsageError(f"SHIPWAY_TEST_REQUIRE: unknown needs {sorted(unknown)}")


def pytest_runtest_setup(item):
    for need, missing in NEEDS.items():
        if item.get_closest_marker(need) and (reason := missing()):
            if need in REQUIRED:
                pytest.fail(f"{reason}, and SHIPWAY_TEST_REQUIRE names {need}", pytrace=False)
            SKIPPED[reason] = SKIPPED.get(reason, 0) + 1
            pytest.skip(reason)


def pytest_terminal_summary(terminalreporter):
    if SKIPPED:
        terminalreporter.section("not tested on this machine")
        for reason, count in sorted(SKIPPED.items()):
            terminalreporter.line(f"{count} test{'s' * (count != 1)}: {reason}")


@cache
def _no_docker():
    if shutil.which("docker") is None:
        return "no docker command"
    asked = subprocess.run(
        ["docker", "version", "--format", "{{.Server.Version}}"],
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if asked.returncode == 0 else "no Docker Engine answers"


@cache
def _no_torch():
    return "" if importlib.util.find_spec("torch") else "PyTorch is not installed"


def _no_program(name):
    def missing():
        path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
        return "" if shutil.which(name, path=path) else f"no {name} program"

    return missing


NEEDS = {
    "docker": _no_docker,
    "haproxy": _no_program("haproxy"),
    "nginx": _no_program("nginx"),
    "registry": _no_program("docker-registry"),
    "torch": _no_torch,
    "wrk": _no_program("wrk"),
}


@pytest.fixture(scope="session")
def tracking(tmp_path_factory):
    """A real MLflow tracking server, one for all tests: each uses model names of its own."""
    made = Tracking(tmp_path_factory.mktemp("mlflow"))
    yield made
    made.kill()
