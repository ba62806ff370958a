"""docs/api.md says what the server does."""

import json
import re
from pathlib import Path

import pytest

from shipway.serving import problems
from shipway.serving.metrics import Metrics
from shipway.testing import FixedRuntime, numbers

PAGE = (Path(__file__).resolve().parents[3] / "docs/api.md").read_text(encoding="utf-8")
EXCHANGE = re.compile(r"^```http\nPOST /predict\n(.+)\n\n(\d+)\n(.+)\n```$", re.MULTILINE)
METRIC = re.compile(r"^\| `(\w+?)(?:\{(.*)\})?` \| (\w+) \| (.*) \|$", re.MULTILINE)


@pytest.mark.parametrize(("body", "status", "answer"), EXCHANGE.findall(PAGE))
def test_every_exchange_on_the_page_happens(ask, make, body, status, answer):
    reply = ask(make("penguins"), "POST", "/predict", body.encode())
    assert (str(reply.status), reply.body.decode()) == (status, answer)


def test_the_page_shows_exchanges():
    assert len(EXCHANGE.findall(PAGE)) == PAGE.count("```http") == 5


def test_the_table_of_errors_is_the_programs():
    rows = [
        f"| {row.status} | `{error.__name__}` | {row.summary} | "
        + (f"`Retry-After: {row.retry_after}` |" if row.retry_after else " |")
        for error, row in problems.TABLE.items()
    ]
    assert "\n".join(rows) in PAGE


def test_every_type_of_issue_is_named(ask, make):
    source = Path(problems.__file__).parent
    text = "".join(path.read_text() for path in sorted((source / "dialects").glob("*.py")))
    kinds = set(re.findall(r'Issue\(\s*"(\w+)"', text))
    kinds |= set(re.findall(r'return "(\w+)", ', text)) | {"too_short", "float_type", "string_type"}
    assert len(kinds) > 10
    assert {kind for kind in kinds if f"`{kind}`" not in PAGE} == set()


def test_the_table_of_metrics_is_the_programs(ask, make):
    metrics = Metrics()
    metrics.refused("unsafe")
    for kind in ("iris", "diabetes"):
        app = make(kind, metrics=metrics)
        example = {"iris": [1, 2, 3, 4], "diabetes": [1, 2]}[kind]
        ask(app, "POST", "/predict", json.dumps({"features": example}).encode())
    metrics.serving(FixedRuntime(numbers(1), len).spec, "v1")
    text = metrics.render()[0].decode()
    types = dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE))
    helps = dict(re.findall(r"^# HELP (\w+) (.*)$", text, re.MULTILINE))
    written = {name: (kind, meaning) for name, _, kind, meaning in METRIC.findall(PAGE)}
    assert written == {name: (types[name], helps[name]) for name in types}
    for name, labels, _, _ in METRIC.findall(PAGE):
        series = re.search(rf"^{name}(?:_count)?(?:\{{(.*)\}})? ", text, re.MULTILINE)
        assert series, name
        found = set(re.findall(r"(\w+)=", series[1] or ""))
        assert found == set(filter(None, labels.split(",")))
