"""Answers are kept by real servers, and never another model's."""

import json

import httpx
import pytest
from tests.system.live import ROW, SERVE, model, put, started, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_rows_that_come_again_do_not_reach_the_model(tmp_path, workers):
    put(tmp_path / "model.pkl", model(1))
    command = (*SERVE, "model.pkl", "--cache", "--workers", workers)
    spelled = [
        json.dumps({"features": ROW}),
        json.dumps({"instances": [ROW, ROW]}),
        '{"features": [51e-1, 3.50, 1.4, 0.2]}',
        '{"ignored": ":", "features": [5.1, 3.5, 1.4, 0.2]}',
    ]
    with started(command, tmp_path) as live:
        live.wait_ready()
        # Each worker keeps its own, and the kernel chooses who answers.
        until(lambda: live.predict() and live.sample("shipway_cache_entries") >= 1, "an entry")
        asked = live.sample("shipway_rows_total")
        hits = live.sample("shipway_cache_rows_total", result="hit")
        with httpx.Client(base_url=live.url, timeout=30) as client:
            answers = [
                client.post("/predict", content=body, headers={"content-type": "application/json"})
                for body in spelled * 5
            ]
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.text for answer in answers}) == 2
        found = live.sample("shipway_cache_rows_total", result="hit") - hits
        missed = live.sample("shipway_rows_total") - asked
        assert found + missed == 25
        assert missed <= 2, "the connection is one worker's, which asks its model once at most"

        put(tmp_path / "model.pkl", model(2))
        live.wait_for("A new model is in service", int(workers))
        assert live.predict().startswith("v2-")
        assert live.stop() == 0
