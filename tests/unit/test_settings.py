"""What wins, and what a wrong value is told."""

import pytest

from shipway.errors import SettingError
from shipway.model.signature import Declared, Feature
from shipway.settings import Settings, read_settings


@pytest.fixture
def settings(tmp_path):
    def read(toml=None, environ=None, options=None):
        if toml is not None:
            (tmp_path / "shipway.toml").write_text(toml)
        return read_settings(tmp_path, environ=environ or {}, options=options)

    return read


def test_nothing_said_is_the_contract(settings):
    found = settings()
    assert found == Settings()
    assert found.model.path == "models/model.pkl"
    assert (found.api.title, found.api.version) == ("ML Model API", "1.0")


def test_the_command_line_beats_the_environment_beats_the_file(settings):
    toml = '[serve]\nhost = "file"\nport = 1\nworkers = 2\n'
    environ = {"SHIPWAY_SERVE_HOST": "environ", "SHIPWAY_SERVE_PORT": "3"}
    found = settings(toml, environ, {"serve": {"host": "option", "port": None}}).serve
    assert (found.host, found.port, found.workers) == ("option", 3, 2)


def test_the_names_that_users_know(settings):
    environ = {"MODEL_PATH": "m.onnx", "MODEL_VERSION": "v2", "LOG_LEVEL": "WARNING"}
    found = settings(environ=environ)
    assert (found.model.path, found.model.version, found.log.level) == ("m.onnx", "v2", "warning")


def test_lists_in_the_environment_are_separated_by_commas(settings):
    found = settings(environ={"SHIPWAY_MODEL_ALLOW": "a.B, c.d.E"})
    assert found.model.policy.names == {"a.B", "c.d.E"}


def test_a_signature_may_be_stated(settings):
    toml = """
    [signature]
    task = "classifier"
    features = ["age", {name = "sex", kind = "string", categories = ["f", "m"]}]
    classes = ["no", "yes"]
    """
    sex = Feature("sex", kind="string", categories=("f", "m"))
    expected = Declared(task="classifier", features=("age", sex), classes=("no", "yes"))
    assert settings(toml).signature == expected


def test_variables_that_kubernetes_sets_for_a_service_are_not_ours(settings):
    environ = {
        "SHIPWAY_SERVE_PORT": "tcp://10.0.0.1:8000",
        "SHIPWAY_API_SERVICE_HOST": "10.0.0.1",
        "SHIPWAY_API_PORT_8000_TCP_ADDR": "10.0.0.1",
    }
    assert settings(environ=environ) == Settings()


@pytest.mark.parametrize(
    ("environ", "message", "hint"),
    [
        (
            {"LOG_LEVEL": "loud"},
            (
                "environment variable LOG_LEVEL is 'loud': "
                "must be one of debug, info, warning, error, critical"
            ),
            "",
        ),
        (
            {"SHIPWAY_SERVE_PORT": "http"},
            "environment variable SHIPWAY_SERVE_PORT is 'http': expected a whole number, got text",
            "",
        ),
        (
            {"SHIPWAY_SERVE_PORT": "70000"},
            "environment variable SHIPWAY_SERVE_PORT is '70000': expected a whole number <= 65535",
            "",
        ),
        (
            {"SHIPWAY_SERV_PORT": "1"},
            "Unknown environment variable SHIPWAY_SERV_PORT",
            "did you mean SHIPWAY_SERVE_PORT?",
        ),
        (
            {"SHIPWAY_MODEL_TRUST": "abc"},
            (
                "environment variable SHIPWAY_MODEL_TRUST is 'abc': "
                "expected a digest as shipway check prints it, sha256: and 64 digits, in item 1"
            ),
            "",
        ),
    ],
)
def test_wrong_values_in_the_environment(settings, environ, message, hint):
    with pytest.raises(SettingError) as caught:
        settings(environ=environ)
    assert (caught.value.message, caught.value.hint) == (message, hint)


@pytest.mark.parametrize(
    ("toml", "message", "hint"),
    [
        ("[serv]", "Unknown section [serv] in {file}", "did you mean serve?"),
        (
            '[model]\npaht = "x"',
            "Unknown paht in section [model] of {file}",
            "did you mean path?",
        ),
        ("model = 3", "model in {file} must be a section: write [model]", ""),
        (
            "[model]\npath = 3",
            "path in section [model] of {file} is 3: expected text, got a whole number",
            "",
        ),
    ],
)
def test_wrong_values_in_the_file(settings, tmp_path, toml, message, hint):
    with pytest.raises(SettingError) as caught:
        settings(toml)
    expected = message.format(file=tmp_path / "shipway.toml")
    assert (caught.value.message, caught.value.hint) == (expected, hint)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"serve": {"port": 70000}}, "--port is 70000: expected a whole number <= 65535"),
        (
            {"log": {"level": "loud"}},
            "--log-level is 'loud': must be one of debug, info, warning, error, critical",
        ),
        ({"batching": {"mode": "all"}}, "--batching is 'all': must be one of auto, inline, thread"),
    ],
)
def test_wrong_values_on_the_command_line(settings, options, message):
    with pytest.raises(SettingError) as caught:
        settings(options=options)
    assert caught.value.message == message


def test_a_file_that_is_not_toml_says_where(settings):
    with pytest.raises(SettingError, match=r"is not valid TOML: .*line 2"):
        settings("[model]\npath = \n")
