"""A newer model takes over while requests go on; needs nothing but the machine."""

import asyncio
import json
import pickle
import shutil
import threading
import time
from pathlib import Path

import httpx
import pytest
from tests.system.live import PROJECT, ROW, SERVE, UVICORN, Live, Tally, load, model, put, started

IN_SERVICE = "A new model is in service"
REFUSED = "is refused, the model in service stays"


class Hostile:
    def __reduce__(self):
        return (exec, ("import pathlib; pathlib.Path('owned').touch()",))


def broken(kind: int, version: int) -> bytes:
    return [
        model(version)[:-200],
        pickle.dumps(Hostile()),
        model(version, features=6),
        b"This is no model but a text.\n",
    ][kind % 4]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for folder in ("src", "models"):
        (tmp_path / folder).mkdir()
    (tmp_path / "src" / "serve.py").write_text(PROJECT)
    put(tmp_path / "models" / "model.pkl", model(0))
    return tmp_path


class Replacements(threading.Thread):
    """Replaces the model 20 times, every other time by something broken."""

    def __init__(self, live: Live, path: Path, workers: int) -> None:
        super().__init__(daemon=True)
        self.live = live
        self.path = path
        self.workers = workers
        self.valid: dict[int, list[float]] = {0: [time.monotonic(), float("inf")]}
        self.ended = float("inf")
        self.failure: BaseException | None = None

    def over(self, tally: Tally) -> bool:
        """Whether all is done, and the last model has answered requests since."""
        return not self.is_alive() and tally.answers[-1][0] > self.ended

    def run(self) -> None:
        try:
            for step in range(10):
                put(self.path, broken(step, 100 + step))
                self.live.wait_for(REFUSED, step + 1)
                version = step + 1
                self.valid[version] = [time.monotonic(), float("inf")]
                put(self.path, model(version))
                self.live.wait_for(IN_SERVICE, version * self.workers)
                self.valid[version - 1][1] = time.monotonic()
        except AssertionError as exc:
            self.failure = exc
        self.ended = time.monotonic()


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("command", "workers"),
    [((*SERVE, "--workers", "2"), 2), (UVICORN, 1)],
    ids=["shipway serve --workers 2", "uvicorn"],
)
def test_ten_thousand_requests_while_the_model_is_replaced_twenty_times(project, command, workers):
    path = project / "models" / "model.pkl"
    one = json.dumps({"features": ROW}).encode()
    many = json.dumps({"instances": [ROW] * 5}).encode()
    with started(command, project) as live:
        live.wait_ready()
        replacing = Replacements(live, path, workers)
        replacing.start()
        tally = asyncio.run(
            load(
                live.port,
                connections=32,
                pause=0.15,
                bodies=(one, one, many),
                stop=lambda tally: replacing.over(tally) and len(tally.answers) >= 10_000,
            )
        )
        assert replacing.failure is None, live.text[-3000:]
        assert live.status("/health/ready") == 200
        assert live.sample("shipway_model_reloads_total", result="refused") == 10
        assert live.sample("shipway_model_reloads_total", result="swapped") == 10 * workers
        answered = live.sample("shipway_requests_total", route="/predict", status="200")
        assert answered == len(tally.answers)
        assert live.stop() == 0
    assert (tally.lost, tally.refused, tally.statuses()) == ([], 0, {200})
    assert len(tally.answers) >= 10_000
    assert not (project / "owned").exists()
    seen = {check_answer(*answer, replacing.valid) for answer in tally.answers}
    assert seen == set(range(11))


def check_answer(sent: float, got: float, _: int, body: bytes, valid: dict) -> int:
    """The version that answered: one for the whole request, and one that was valid then."""
    document = json.loads(body)
    labels = document.get("predictions") or [document["prediction"]]
    (version,) = {int(label.split("-")[0][1:]) for label in labels}
    begin, end = valid[version]
    assert got >= begin, f"version {version} answered before it was there"
    assert sent <= end, f"version {version} answered after all workers had a newer one"
    return version


def replace_by_rename(path: Path, data: bytes) -> None:
    put(path, data)


def overwrite_in_place(path: Path, data: bytes) -> None:
    with path.open("r+b") as file:
        file.write(data)
        file.truncate()


def delete_and_create(path: Path, data: bytes) -> None:
    path.unlink()
    time.sleep(0.5)
    path.write_bytes(data)


def write_in_two_parts(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data[:100])
        file.flush()
        time.sleep(1.5)
        file.write(data[100:])


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_every_way_of_bringing_a_new_file_is_noticed(project):
    path = project / "models" / "model.pkl"
    ways = [replace_by_rename, overwrite_in_place, delete_and_create, write_in_two_parts]
    with started(SERVE, project) as live:
        live.wait_ready()
        for version, way in enumerate(ways, 1):
            way(path, model(version))
            live.wait_for(IN_SERVICE, version)
            assert live.predict().startswith(f"v{version}-"), way.__name__
            assert live.status("/health/ready") == 200
        digest = live.text.rpartition(IN_SERVICE)[2].partition("sha256:")[2][:64]
        assert live.sample("shipway_model_info", digest=f"sha256:{digest}") == 1


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_link_switched_as_kubernetes_does_it_is_noticed(tmp_path):
    """A ConfigMap volume: model.pkl -> ..data/model.pkl, ..data -> ..2026_11_22, renamed over."""
    for version in (1, 2):
        (tmp_path / f"..version{version}").mkdir()
        (tmp_path / f"..version{version}" / "model.pkl").write_bytes(model(version))
    (tmp_path / "..data").symlink_to("..version1")
    (tmp_path / "model.pkl").symlink_to("..data/model.pkl")
    with started((*SERVE, "model.pkl", "--workers", "2"), tmp_path) as live:
        live.wait_ready()
        assert live.predict().startswith("v1-")
        (tmp_path / "..data_tmp").symlink_to("..version2")
        (tmp_path / "..data_tmp").replace(tmp_path / "..data")
        shutil.rmtree(tmp_path / "..version1")
        live.wait_for(IN_SERVICE, 2)
        assert live.predict().startswith("v2-")


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_what_was_refused_is_said_once_and_why(project):
    path = project / "models" / "model.pkl"
    with started(SERVE, project) as live:
        live.wait_ready()
        put(path, model(1, features=6))
        live.wait_for(REFUSED)
        assert "The new model takes 6 features, the one in service 4." in live.text
        path.unlink()
        put(path, pickle.dumps(Hostile()))
        live.wait_for(REFUSED, 2)
        time.sleep(1.5)
        assert live.text.count(REFUSED) == 2
        assert live.sample("shipway_model_refused_total", reason="incompatible_model") == 1
        assert live.sample("shipway_model_refused_total", reason="unsafe_model") == 1
        assert live.predict().startswith("v0-")
        assert httpx.get(f"{live.url}/health/ready").json() == {"status": "ready"}
    assert not (project / "owned").exists()


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_no_reload_leaves_the_file_alone(project):
    with started((*SERVE, "--no-reload"), project) as live:
        live.wait_ready()
        put(project / "models" / "model.pkl", model(1))
        time.sleep(2)
        assert "tried out" not in live.text
        assert live.predict().startswith("v0-")
