import pytest

from shipway.model.signature import Declared, Feature
from shipway.model.spec import Format, TrustPolicy
from shipway.packaging.facts import image_name, model_files
from shipway.packaging.project import plan
from shipway.settings import read_settings


def texts(facts):
    return {file.path: file.data.decode() for file in plan(facts).files}


def test_a_project_is_these_files_readable_by_everyone(facts):
    planned = plan(facts())
    assert [file.path for file in planned.files] == [
        ".dockerignore",
        ".gitignore",
        "Dockerfile",
        "README.md",
        "config/production.env",
        "models/model.pkl",
        "requirements.txt",
        "shipway.toml",
        "src/__init__.py",
        "src/serve.py",
        "wheels/shipway-0.1.0-py3-none-any.whl",
    ]
    assert {file.mode for file in planned.files} == {0o644}


def test_no_placeholder_is_left(facts):
    for path, text in texts(facts()).items():
        assert not [word for word in text.split() if word.startswith("@") and word.endswith("@")], (
            path
        )


def test_the_service_is_three_lines_of_code_that_uvicorn_finds(facts):
    code = texts(facts())["src/serve.py"]
    lines = [line for line in code.splitlines() if line and not line.startswith(("#", '"'))]
    assert lines == ["from shipway import create_app", "app = create_app()"]
    compile(code, "src/serve.py", "exec")


def test_requirements_name_the_wheel_and_the_pins_with_their_reasons(facts):
    assert (
        texts(facts())["requirements.txt"]
        == """\
# What the image installs: exact versions of everything, as they were when the model was
# loaded and checked with Python 3.11. Written by shipway init.

# Shipway itself, the version that wrote this file.
./wheels/shipway-0.1.0-py3-none-any.whl

numpy==2.4.6
scikit-learn==1.5.2  # recorded in the model
"""
    )


def test_requirements_warn_of_modules_that_nobody_provides(facts):
    text = texts(facts(strangers=("steps", "tools")))["requirements.txt"]
    assert text.endswith("into wheels/ and a line here: steps, tools\n")


def test_the_settings_are_read_back_as_they_were_meant(facts, tmp_path):
    declared = Declared(
        task="classifier",
        features=("age", Feature("sex", "string", missing=True, categories=('"f"', "m"))),
        classes=("no", "ja\u007f – 'yes'"),
    )
    policy = TrustPolicy(frozenset({"steps.LogScaler"}), frozenset({"sha256:" + "0" * 64}))
    made = facts(declared=declared, policy=policy, model_path="models/model.onnx")
    (tmp_path / "shipway.toml").write_text(texts(made)["shipway.toml"], encoding="utf-8")
    settings = read_settings(tmp_path, environ={})
    assert settings.model.path == "models/model.onnx"
    assert settings.model.policy == policy
    assert settings.signature == declared
    assert (settings.api.title, settings.api.version) == ("ML Model API", "1.0")


def test_the_plain_settings_are_the_defaults(facts, tmp_path):
    (tmp_path / "shipway.toml").write_text(texts(facts())["shipway.toml"], encoding="utf-8")
    assert read_settings(tmp_path, environ={}) == read_settings(tmp_path / "none", environ={})


def test_the_environment_file_holds_settings_that_exist(facts, tmp_path):
    text = texts(facts())["config/production.env"]
    said = dict(line.split("=", 1) for line in text.splitlines() if not line.startswith("#"))
    settings = read_settings(tmp_path, environ=said)
    assert (settings.log.format, settings.log.level) == ("json", "info")


def test_the_readme_shows_a_request_that_fits_the_model(facts):
    text = texts(facts())["README.md"]
    assert """-d '{"features": {"age": 41.0, "sex": "f"}}' http://localhost:8000/predict""" in text


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("Churn Model", "churn-model"),
        ("my_ml.model-", "my-ml-model"),
        ("été", "t"),
        ("…", "my-ml-model"),
    ],
)
def test_a_folder_name_becomes_an_image_name(given, name):
    assert image_name(given) == name


@pytest.mark.parametrize(
    ("form", "path"),
    [
        (Format.PICKLE, "models/model.pkl"),
        (Format.JOBLIB, "models/model.pkl"),
        (Format.ONNX, "models/model.onnx"),
        (Format.SKOPS, "models/model.skops"),
    ],
)
def test_a_model_file_gets_the_contract_name_or_a_fitting_one(facts, tmp_path, form, path):
    from dataclasses import replace

    spec = replace(facts().spec, format=form)
    source = tmp_path / "whatever.bin"
    assert model_files(source, spec, b"checked") == (path, {path: b"checked"})


def test_an_mlflow_folder_goes_along_as_a_whole(facts, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "MLmodel").write_bytes(b"flavors:")
    (tmp_path / "data" / "model.pkl").write_bytes(b"x")
    assert model_files(tmp_path, facts().spec, b"x") == (
        "models/model",
        {"models/model/MLmodel": b"flavors:", "models/model/data/model.pkl": b"x"},
    )
