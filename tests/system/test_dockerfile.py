"""What the builders make of the project's Dockerfile: layers, caching, labels."""

import pytest

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture
def restored(project):
    """The project's files as they were, after a test that changes them."""
    paths = ["src/serve.py", "models/model.pkl", "config/production.env", "shipway.toml"]
    before = {path: (project / path).read_bytes() for path in paths}
    yield project
    for path, data in before.items():
        (project / path).write_bytes(data)
        (project / path).chmod(0o644)


@pytest.fixture
def rebuilt(shell, image):
    """Build again under another tag and say which layers differ from the first image's."""

    def build(options=""):
        shell(f"docker build {options} -t my-ml-model:v2 .", timeout=900)
        before, after = shell.layers(image), shell.layers("my-ml-model:v2")
        assert len(before) == len(after)
        return [
            number - len(before)
            for number, pair in enumerate(zip(before, after, strict=True))
            if pair[0] != pair[1]
        ]

    yield build
    shell.run("docker rmi --force my-ml-model:v2")


def test_a_retrain_changes_exactly_the_last_layer(rebuilt, restored, train):
    train(restored / "models" / "model.pkl", strength=0.01)
    assert rebuilt("--build-arg MODEL_VERSION=v2") == [-1]


def test_a_code_change_changes_exactly_the_code_layer(rebuilt, restored):
    code = restored / "src" / "serve.py"
    code.write_text(code.read_text() + "\n# a change\n")
    assert rebuilt() == [-2]


def test_a_change_of_settings_changes_exactly_their_layer(rebuilt, restored):
    (restored / "config" / "production.env").write_text("LOG_LEVEL=debug\n")
    assert rebuilt() == [-3]


def test_another_version_or_a_fresh_checkout_changes_no_layer(rebuilt, restored):
    for path in restored.rglob("*"):
        path.touch()
    for path in ("src/serve.py", "models/model.pkl", "config/production.env", "shipway.toml"):
        (restored / path).chmod(0o600)
    assert rebuilt("--build-arg MODEL_VERSION=v2 --build-arg REVISION=abc123") == []


def test_code_and_model_are_the_same_layers_whichever_builder_made_them(
    request, source_project, image, shell, tmp_path_factory
):
    from tests.system.engine import Shell, builders

    found = {
        other.name: Shell(source_project[0], other, tmp_path_factory.mktemp("bin") / other.name)
        for other in builders()
    }
    if len(found) < 2:
        pytest.skip("only one builder here")
    tags = {name: f"my-ml-model:{name}" for name in found}
    for name, other in found.items():
        other(f"docker build -t {tags[name]} .", timeout=900)
    layers = [tuple(found[name].layers(tag)[-3:]) for name, tag in tags.items()]
    for tag in tags.values():
        shell.run(f"docker rmi --force {tag}")
    assert len(set(layers)) == 1


def test_the_image_says_what_it_is(shell, image):
    shell(
        "docker build --build-arg MODEL_VERSION=v2 --build-arg REVISION=abc123 -t my-ml-model:v2 ."
    )
    try:
        config = shell.inspect("my-ml-model:v2")["Config"]
    finally:
        shell.run("docker rmi --force my-ml-model:v2")
    assert config["User"] == "appuser"
    assert config["Cmd"] == ["uvicorn", "src.serve:app", "--host", "0.0.0.0", "--port", "8000"]
    assert list(config["ExposedPorts"]) == ["8000/tcp"]
    assert config["Healthcheck"]["Test"][:2] == ["CMD", "python3"]
    seconds = 1_000_000_000
    assert config["Healthcheck"]["Interval"] == 30 * seconds
    assert config["Healthcheck"]["Timeout"] == 3 * seconds
    assert "MODEL_VERSION=v2" in config["Env"]
    assert config["Labels"] == {
        "org.opencontainers.image.title": "my-ml-model",
        "org.opencontainers.image.description": "A classifier over 30 features, served over HTTP",
        "org.opencontainers.image.version": "v2",
        "org.opencontainers.image.revision": "abc123",
    }


def test_no_installer_and_no_development_tool_is_in_the_environment(shell, image):
    code = (
        "import importlib.metadata as m, sysconfig;"
        "here = m.distributions(path=[sysconfig.get_path('purelib')]);"
        "print(*(found.name.lower() for found in here))"
    )
    listed = shell(f'docker run --rm {image} python3 -c "{code}"').split()
    assert {"shipway", "fastapi", "uvicorn", "scikit-learn"} <= set(listed)
    assert not {"pip", "setuptools", "wheel", "pytest", "ruff", "mypy"} & set(listed)
