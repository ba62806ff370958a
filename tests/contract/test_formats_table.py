"""The table in docs/formats.md says what was loaded here, and with which version."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest
from tests.contract.models import BUILDERS

from shipway.model.signature import Signature

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "formats.md"
HEAD = "| model file | recognised as | answered by | columns | answer |\n" + "| --- " * 5 + "|\n"
TABLE = re.compile(r"(?<=<!-- table -->\n).*(?=<!-- end of table -->)", re.DOTALL)


def row_of(name: str, built) -> str:
    _, runtime = built(name)
    spec = runtime.spec
    version = (spec.installed_version or "").partition("+")[0]
    cells = (name, spec.format, f"{spec.framework} {version}", *in_words(spec.signature))
    return "| " + " | ".join(cells) + " |\n"


def in_words(signature: Signature) -> tuple[str, str]:
    strings = sum(feature.kind == "string" for feature in signature.features)
    count = len(signature.features)
    columns = f"{count - strings} numbers" + (f", {strings} string" if strings else "")
    if signature.task == "regressor":
        outputs = signature.outputs
        return columns, "a number" if outputs == 1 else f"{outputs} numbers"
    several = f"one of {len(signature.classes or ())} labels"
    return columns, several + (" with confidence" if signature.confidence else "")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.torch if name.startswith("PyTorch") else ())
        for name in BUILDERS
    ],
)
def test_each_row_is_what_was_loaded(name, built):
    expected = row_of(name, built)
    text = PAGE.read_text(encoding="utf-8")
    if os.environ.get("UPDATE_DOCS") and expected not in text:
        lines = {line.split(" | ")[0].strip("| "): line for line in rows()}
        lines[name] = expected
        table = HEAD + "".join(lines[known] for known in BUILDERS if known in lines)
        text = TABLE.sub(lambda _: table, text)
        PAGE.write_text(text, encoding="utf-8")
    if sys.version_info[:2] != (3, 11):  # the lock may pin other versions for newer ones
        expected, text = (re.sub(r"(?<= )[\d.]+(?= \|)", "", page) for page in (expected, text))
    assert expected in text, "run this test with UPDATE_DOCS=1"


def test_the_table_lists_every_format_once_in_order():
    assert [line.split(" | ")[0].strip("| ") for line in rows()] == list(BUILDERS)


def test_the_versions_are_those_of_the_lock():
    lock = (ROOT / "requirements" / "dev.txt").read_text(encoding="utf-8")
    pins = set(
        re.findall(r"^[\w.-]+==[\w.]+", lock.replace("xgboost-cpu", "xgboost"), re.MULTILINE)
    )
    for line in rows():
        package, version = line.split(" | ")[2].split()
        if package != "torch":  # not in the lock: it brings gigabytes
            assert f"{package}=={version}" in pins, line


def rows() -> list[str]:
    found = TABLE.search(PAGE.read_text(encoding="utf-8"))
    assert found is not None
    return found[0].splitlines(keepends=True)[2:]
