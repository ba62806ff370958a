"""What the documents show is what happens, and what they describe is what there is."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from docs.generate import PAGES
from tests import console
from tests.system.engine import PORT, wait_until_free

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    path.relative_to(ROOT)
    for folder in (".", "docs", "docs/*", "examples", "examples/*", "examples/*/data")
    for path in ROOT.glob(f"{folder}/*.md")
)
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)|src=\"([^\":]+)\"")


SHOWN = {path: console.blocks((ROOT / path).read_text(encoding="utf-8")) for path in DOCUMENTS}
WITH_DOCKER = {
    path for path, document in SHOWN.items() if any("docker" in block.words for block in document)
}


@pytest.fixture
def checkout(tmp_path):
    """A copy of what a clone would hold, with the environment that these tests run in."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tmp_path / name)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    return tmp_path


@pytest.fixture
def clean_engine(base_image):
    """Nothing of the documents' containers and images stays behind, whatever happens."""
    yield
    subprocess.run(["docker", "rm", "--force", "penguins"], capture_output=True, check=False)
    subprocess.run(["docker", "rmi", "--force", "penguins:v1"], capture_output=True, check=False)


def environ():
    """The reader's environment: ours, less what changes what Shipway does."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SHIPWAY_", "MLFLOW_", "MODEL_", "LOG_LEVEL", "PYTEST", "PYTHON"))
    }
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    return kept | quiet | {"PATH": f"{sys.prefix}/bin:{kept['PATH']}", "NO_COLOR": "1"}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("path", [path for path in DOCUMENTS if SHOWN[path]], ids=str)
def test_a_document_shows_what_happens(path, checkout):
    document = [block for block in SHOWN[path] if "docker" not in block.words]
    if any("server" in block.words for block in document):
        wait_until_free(PORT)
    # A tracking server makes its tables for twenty seconds, on a machine with nothing else to do.
    console.run(document, checkout, environ(), timeout=240)


@pytest.mark.docker
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("clean_engine")
@pytest.mark.parametrize("path", sorted(WITH_DOCKER), ids=str)
def test_a_document_with_docker_shows_what_happens(path, checkout):
    wait_until_free(PORT)
    console.run(SHOWN[path], checkout, environ(), timeout=300)


@pytest.mark.parametrize("name", PAGES)
def test_reference_pages_are_what_make_docs_writes(name):
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == PAGES[name](), "run make docs"


def test_examples_in_help_texts_keep_their_lines():
    assert "\n    shipway check models/model.pkl\n" in PAGES["cli.md"]()
    assert "\\b" not in PAGES["cli.md"]()


@pytest.mark.parametrize("path", DOCUMENTS, ids=str)
def test_every_link_leads_somewhere(path):
    text = (ROOT / path).read_text(encoding="utf-8")
    targets = [one or other for one, other in LINK.findall(text)]
    missing = [name for name in targets if not (ROOT / path.parent / name).exists()]
    assert missing == []
