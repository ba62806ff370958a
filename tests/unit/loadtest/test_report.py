"""What a test found, as one document."""

import json

from tests.unit.loadtest.loads import load

from shipway.errors import LoadTestError
from shipway.loadtest.advice import Seen
from shipway.loadtest.report import Report
from shipway.loadtest.search import Found, Step


def report(**said):
    known = {
        "url": "http://localhost:8000",
        "bodies": 1,
        "connections": 32,
        "loads": (),
        "saturation": None,
        "seen": None,
        "resident": None,
        "found": None,
    }
    return Report(**(known | said))


def test_answers_of_all_loads_are_added_up():
    first, second = load(statuses={200: 5, 503: 2}, broken=1), load(statuses={200: 7}, broken=2)
    document = report(loads=(first, second)).document()
    assert document["answered"] == {"200": 12, "503": 2}
    assert document["broken"] == 3


def test_memory_is_shared_out_among_workers_and_else_what_metrics_say():
    both = Seen(cores=2, spent={1: 0.0, 2: 1.9, 3: 1.8}, seconds=2.0, memory=100)
    assert report(seen=both).document()["memory"] == {
        "per_worker": 50,
        "workers": 2,
        "kind": "PSS",
    }
    assert report(resident=70).document()["memory"]["kind"] == "RSS"
    assert report().document()["memory"] is None


def test_a_test_that_was_ended_says_what_it_has():
    document = report(saturation=load(), problem=LoadTestError("It went away")).document()
    assert document["complete"] is False
    assert document["error"] == "It went away"
    assert document["saturation"]["latency_ms"]["p99"] == 1.0
    assert document["p99"] is None


def test_it_is_plain_json():
    found = Found(0.01, (Step(50.0, load(50.0), kept=True, late=False),))
    text = json.dumps(report(loads=(load(),), saturation=load(), found=found).document())
    assert json.loads(text)["p99"]["rate"] == 50.0
