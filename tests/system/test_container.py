"""The commands that a user types at a container of the project, verbatim."""

import json
import re
import threading
import time

import pytest
from tests.system.engine import get, post, wait_for

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def row(source_project):
    return source_project[1]


@pytest.fixture(scope="module")
def confidence(source_project):
    return source_project[2]


def test_run_in_the_foreground_and_stop(shell, image, ml_server, answering, row, confidence):
    """`docker run -p 8000:8000 IMAGE` stays in the foreground until it is stopped."""
    running = threading.Thread(
        target=shell.run, args=["docker run --name ml-server -p 8000:8000 my-ml-model:v1"]
    )
    running.start()
    try:
        answering()
        assert get("/health") == (200, b'{"status":"healthy"}')
        status, answer = post("/predict", {"features": row})
    finally:
        shell.run("docker stop ml-server")
        running.join(30)
    assert status == 200
    assert answer == {"prediction": 1.0, "confidence": pytest.approx(confidence)}


def test_the_life_of_a_container_as_the_readme_tells_it(shell, image, ml_server, answering):
    shell("docker run -d -p 8000:8000 --name ml-server my-ml-model:v1")
    answering()

    wait_for(
        lambda: "(healthy)" in shell("docker ps --filter name=ml-server"),
        seconds=50,
        what="(healthy) in docker ps",
    )
    shell("docker logs ml-server")
    assert "appuser" in shell("docker exec -i ml-server bash", stdin="whoami\n")
    assert "uid=10001(appuser) gid=10001(appuser)" in shell(
        "docker exec -i ml-server sh", stdin="id\n"
    )
    # A terminal for `docker exec -it`, which a test's pipe is not.
    seen = shell("script -qec 'docker exec -it ml-server bash -c whoami' /dev/null </dev/null")
    assert "appuser" in seen

    found = json.loads(shell("docker inspect ml-server"))[0]
    assert found["Config"]["User"] == "appuser"
    assert found["Config"]["Labels"]["org.opencontainers.image.version"] == "v1"
    assert found["State"]["Health"]["Status"] == "healthy"
    assert {check["ExitCode"] for check in found["State"]["Health"]["Log"]} == {0}

    start = time.monotonic()
    shell("docker stop ml-server")
    assert time.monotonic() - start < 10
    state = shell.inspect("ml-server")["State"]
    assert (state["ExitCode"], state["OOMKilled"]) == (0, False)
    shell("docker rm ml-server")
    assert shell("docker ps -aq --filter name=ml-server") == ""


def test_the_version_is_told_everywhere(shell, image, ml_server, answering):
    shell("docker build --build-arg MODEL_VERSION=v2 -t my-ml-model:v2 .")
    try:
        shell("docker run -d -p 8000:8000 --name ml-server my-ml-model:v2")
        answering()
        metrics = get("/metrics")[1].decode()
        assert re.search(r'model_info\{[^}]*version="v2"', metrics)
        labels = shell.inspect("my-ml-model:v2")["Config"]["Labels"]
        assert labels["org.opencontainers.image.version"] == "v2"
        assert '"v2"' in get("/openapi.json")[1].decode() or "v2" in get("/")[1].decode()
    finally:
        shell.run("docker rm --force ml-server")
        shell.run("docker rmi --force my-ml-model:v2")


def test_a_new_model_in_the_volume_is_served_without_a_restart(
    shell, image, ml_server, answering, train, project, row, confidence
):
    line = "docker run -d -p 8000:8000 -v $(pwd)/models:/app/models my-ml-model:v1"
    kept = (project / "models" / "model.pkl").read_bytes()
    container = shell(line).strip()
    try:
        answering()
        assert post("/predict", {"features": row})[1]["confidence"] == pytest.approx(confidence)
        _, other = train(project / "models" / "model.pkl", strength=0.001)
        assert other != pytest.approx(confidence)

        def answers(expected):
            status, answer = post("/predict", {"features": row})
            assert status == 200
            return answer["confidence"] == pytest.approx(expected)

        wait_for(lambda: answers(other), seconds=30, what="the new model answers")
        # What is no model is refused, and the one before it goes on.
        (project / "models" / "model.pkl").write_bytes(b"not a model")
        time.sleep(3)
        assert answers(other)
        assert shell.inspect(container)["RestartCount"] == 0
    finally:
        shell.run(f"docker rm --force {container}")
        (project / "models" / "model.pkl").write_bytes(kept)


def test_read_only_without_rights_and_without_a_temporary_folder(
    shell, image, ml_server, answering, row
):
    shell(
        "docker run -d -p 8000:8000 --name ml-server --read-only --cap-drop ALL "
        "--security-opt no-new-privileges my-ml-model:v1"
    )
    answering()
    assert post("/predict", {"features": row})[0] == 200
    assert shell("docker exec ml-server id -u").strip() == "10001"
    assert get("/metrics")[0] == 200


def test_settings_of_a_place_come_from_the_environment_file(
    shell, image, ml_server, answering, row
):
    shell(
        "docker run -d -p 8000:8000 --name ml-server "
        "--env-file config/production.env my-ml-model:v1"
    )
    answering()
    assert post("/predict", {"features": row})[0] == 200
    logged = shell.run("docker logs ml-server")
    lines = [line for line in (logged.stdout + logged.stderr).splitlines() if line]
    assert all(isinstance(json.loads(line), dict) for line in lines)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("models/none.pkl", "There is no model file at models/none.pkl"),
        ("shipway.toml", "shipway.toml"),
    ],
)
def test_a_wrong_model_ends_with_a_clear_log_and_a_code(shell, image, ml_server, path, said):
    done = shell.run(f"docker run --name ml-server -e MODEL_PATH={path} my-ml-model:v1", timeout=60)
    told = done.stdout + done.stderr
    assert done.returncode not in (0, 125, 126, 127, 137)
    assert said in told
    assert "Traceback" not in told


def test_stop_under_load_fails_no_accepted_request(shell, image, ml_server, answering, row):
    """Each accepted connection gets its whole answer, and the end comes within 10 s."""
    import http.client

    shell("docker run -d -p 8000:8000 --name ml-server my-ml-model:v1")
    answering()
    # Docker's own proxy on localhost accepts for a server that is gone: go to the server itself.
    address = shell.inspect("ml-server")["NetworkSettings"]["IPAddress"]
    body = json.dumps({"features": row})
    stop = threading.Event()
    statuses, failures = [], []

    def load():
        while not stop.is_set():
            connection = http.client.HTTPConnection(address, 8000, timeout=15)
            try:
                connection.connect()
            except OSError:
                continue  # refused: never accepted
            try:
                connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
                response = connection.getresponse()
                response.read()
                statuses.append(response.status)
            except (OSError, http.client.HTTPException) as exc:
                failures.append(repr(exc))
            finally:
                connection.close()

    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    wait_for(lambda: len(statuses) > 200, seconds=30, what="200 answers")
    start = time.monotonic()
    shell("docker stop ml-server")
    took = time.monotonic() - start
    stop.set()
    for thread in threads:
        thread.join()
    assert shell.inspect("ml-server")["State"]["ExitCode"] == 0
    assert took < 10
    assert set(statuses) <= {200, 503}
    assert failures == []
