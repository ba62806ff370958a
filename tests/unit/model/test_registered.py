import pytest

from shipway.errors import SettingError
from shipway.model.registered import RegisteredVersion, RegistryName


@pytest.mark.parametrize(
    ("text", "expected", "place"),
    [
        ("models:/iris@champion", RegistryName("iris", "champion"), "iris@champion"),
        ("models:/iris/12", RegistryName("iris", number="12"), "iris@v12"),
        ("models://iris/12", RegistryName("iris", number="12"), "iris@v12"),
        ("models:/my iris.2@a-b_c", RegistryName("my iris.2", "a-b_c"), "my%20iris.2@a-b_c"),
    ],
)
def test_names(text, expected, place):
    found = RegistryName.parse(text)
    assert found == expected
    assert found.place == place
    assert RegistryName.parse(str(found)) == found


@pytest.mark.parametrize(
    "text",
    [
        "models:",
        "models:/",
        "models:/iris",
        "models:/iris/latest",
        "models:/iris/0",
        "models:/iris/1.5",
        "models:/iris@",
        "models:/iris@a/b",
        "models:/iris@../../x",
        "models:/a/b/1",
        "models:iris/1",
    ],
)
def test_what_is_no_name(text):
    with pytest.raises(SettingError, match="is no model in a registry") as caught:
        RegistryName.parse(text)
    assert "models:/NAME@ALIAS" in caught.value.hint


def test_namesakes_of_another_registry_or_time_have_other_tokens():
    version = RegisteredVersion("iris", "1", "http://a models:/m-1", 1)
    others = {
        RegisteredVersion("iris", "1", "http://b models:/m-1", 1).token,
        RegisteredVersion("iris", "1", "http://a models:/m-1", 2).token,
        RegisteredVersion("iris", "2", "http://a models:/m-1", 1).token,
    }
    assert len(others | {version.token}) == 4
    assert version.token.startswith("1-")
