"""A registered model is served and followed, against a real MLflow tracking server."""

import asyncio
import json
import os
import pickle
import subprocess
import sys
import threading
import uuid

import httpx
import pytest
from tests.system.live import PROJECT, SERVE, UVICORN, Tally, load, model, started, until

from shipway.model.spec import sha256

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

IN_SERVICE = "A new model is in service"
REFUSED = "is refused, the model in service stays"


class Hostile:
    def __reduce__(self):
        return (exec, ("import pathlib; pathlib.Path('owned').touch()",))


@pytest.fixture
def champion(tracking):
    """A model of its own with version 1 as the champion."""
    name = f"iris-{uuid.uuid4().hex[:8]}"
    tracking.point(name, "champion", tracking.add_pickle(name, model(1)))
    return name


def environ(tracking, **more):
    quick = {"SHIPWAY_MLFLOW_INTERVAL": "0.2"}
    return {"MLFLOW_TRACKING_URI": tracking.url, **quick, **more}


def notes(tracking, name, number):
    """What servers wrote on the version: event → facts."""
    found = tracking.tags(name, number)
    texts = [text for key, text in found.items() if key.startswith("shipway.serving.")]
    return {facts["event"]: facts for facts in map(json.loads, texts)}


def served(live, name):
    """The versions that /metrics names."""
    return [
        n for n in range(1, 9) if live.sample("shipway_model_info", version=f"{name}/{n}@champion")
    ]


def test_a_promoted_version_takes_over_while_requests_go_on(tracking, champion, tmp_path):
    workers = 2
    command = (*SERVE, f"models:/{champion}@champion", "--workers", str(workers))
    done = threading.Event()

    def stop(tally: Tally) -> bool:
        return done.is_set() and len(tally.answers) > 20

    with started(command, tmp_path, environ(tracking)) as live:
        live.wait_ready()
        assert live.predict().startswith("v1-")
        assert served(live, champion) == [1]
        until(lambda: notes(tracking, champion, "1"), "a note of the start")
        assert notes(tracking, champion, "1")["start"]["digest"] == live.digest()
        tallies = []
        client = threading.Thread(
            target=lambda: tallies.append(
                asyncio.run(load(live.port, connections=4, stop=stop, pause=0.01))
            )
        )
        client.start()
        try:
            tracking.point(champion, "champion", tracking.add_pickle(champion, model(2)))
            live.wait_for(IN_SERVICE, workers)
            until(lambda: live.predict().startswith("v2-"), "the answers of version 2")
        finally:
            done.set()
            client.join()
        (tally,) = tallies
        assert (tally.lost, tally.refused, tally.statuses()) == ([], 0, {200})
        until(lambda: served(live, champion) == [2], "version 2 on /metrics")
        until(lambda: notes(tracking, champion, "2"), "a note of the swap")
        facts = notes(tracking, champion, "2")["swap"]
        assert facts["digest"] == live.digest() == sha256(model(2))
        # The very same bytes under another number are another version all the same.
        tracking.point(champion, "champion", tracking.add_pickle(champion, model(2)))
        until(lambda: served(live, champion) == [3], "version 3 on /metrics")
        until(lambda: "swap" in notes(tracking, champion, "3"), "a note of that swap")
        page = httpx.get(live.url, timeout=30).json()
        assert page["model_version"] == f"{champion}/3@champion"
        assert live.stop() == 0


def test_a_project_refuses_a_hostile_version_and_takes_the_next_one(tracking, champion, tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "serve.py").write_text(PROJECT)
    more = {"MODEL_PATH": f"models:/{champion}@champion"}
    with started(UVICORN, tmp_path, environ(tracking, **more)) as live:
        live.wait_ready()
        hostile = tracking.add_pickle(champion, pickle.dumps(Hostile()))
        tracking.point(champion, "champion", hostile)
        live.wait_for(REFUSED)
        assert live.predict().startswith("v1-")
        assert served(live, champion) == [1]
        assert live.status("/health/ready") == 200
        tracking.point(champion, "champion", tracking.add_pickle(champion, model(3)))
        live.wait_for(IN_SERVICE)
        assert live.predict().startswith("v3-")
        assert notes(tracking, champion, hostile) == {}
        until(lambda: "swap" in notes(tracking, champion, "3"), "a note of the swap")
        assert list(tmp_path.rglob("owned")) == []


def test_a_registered_model_is_converted_under_its_own_name(tracking, champion, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "shipway", "convert", f"models:/{champion}/1", "--json"],
        cwd=tmp_path,
        env={**os.environ, **environ(tracking)},
        capture_output=True,
        check=True,
    )
    assert json.loads(done.stdout)["original_digest"] == sha256(model(1))
    assert (tmp_path / f"{champion}.onnx").is_file()


@pytest.fixture
def mortal(tracking):
    """The tracking server, to be killed; the tests after this one find it at work again."""
    yield tracking
    tracking.revive()


def test_without_its_tracking_server_it_serves_and_starts_and_it_recovers(
    mortal, champion, tmp_path
):
    command = (*SERVE, f"models:/{champion}@champion")
    up = "shipway_model_registry_up"
    with started(command, tmp_path, environ(mortal)) as live:
        live.wait_ready()
        until(lambda: live.sample(up) == 1, "the registry being up")
        mortal.kill()
        until(lambda: live.sample(up) == 0, "the registry being away")
        with started(command, tmp_path, environ(mortal)) as second:
            second.wait_ready()
            assert second.predict().startswith("v1-")
            assert "the copy of an earlier start is used" in second.text
        # It was asked many times meanwhile.
        assert live.text.count("the registry's cannot be had") == 1
        assert live.status("/health/ready") == 200
        assert live.predict().startswith("v1-")
        mortal.revive()
        until(lambda: live.sample(up) == 1, "the registry being up again")
        mortal.point(champion, "champion", mortal.add_pickle(champion, model(2)))
        live.wait_for(IN_SERVICE)
        assert live.predict().startswith("v2-")
