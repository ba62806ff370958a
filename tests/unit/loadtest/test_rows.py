"""Files and descriptions become request bodies."""

import json

import pytest

from shipway.errors import LoadTestError, UsageError
from shipway.loadtest.rows import bodies_of_rows, body_of_file, choose, example


def media(content):
    return {"paths": {"/predict": {"post": {"requestBody": {"content": content}}}}}


OURS = media(
    {
        "application/json": {
            "examples": {
                "list": {"value": {"features": ["Biscoe", 45.2]}},
                "names": {"value": {"features": {"island": "Biscoe", "length": 45.2}}},
            }
        }
    }
)
PYDANTIC = media({"application/json": {"schema": {"$ref": "#/components/schemas/Row"}}}) | {
    "components": {"schemas": {"Row": {"examples": [{"features": [1.0]}]}}}
}


def rows(tmp_path, text, columns=None):
    path = tmp_path / "rows.csv"
    path.write_text(text, encoding="utf-8")
    return [json.loads(body)["features"] for body in bodies_of_rows(path, columns)]


@pytest.mark.parametrize(
    ("document", "features"),
    [
        (OURS, ["Biscoe", 45.2]),
        (PYDANTIC, [1.0]),
        (media({"application/json": {"example": {"features": [2]}}}), [2]),
    ],
    ids=["shipway", "pydantic", "one example"],
)
def test_the_example_of_a_description_is_found(document, features):
    assert json.loads(example(document)) == {"features": features}


@pytest.mark.parametrize("document", [{}, {"paths": []}, media({"application/json": None})])
def test_a_description_without_an_example_is_told(document):
    with pytest.raises(LoadTestError) as caught:
        example(document)
    assert "--body" in caught.value.hint


def test_rows_go_by_name_where_the_file_has_names(tmp_path):
    found = rows(tmp_path, "island,length\nBiscoe,45.2\nDream,\n")
    assert found == [
        {"island": "Biscoe", "length": 45.2},
        {"island": "Dream", "length": None},
    ]


def test_rows_without_names_are_lists(tmp_path):
    assert rows(tmp_path, "1,2\n3,4.5\n") == [[1.0, 2.0], [3.0, 4.5]]


def test_the_servers_example_picks_columns_and_keeps_texts(tmp_path):
    found = rows(tmp_path, "label,code,length\nyes,007,1\n", {"length": 45.2, "code": "x"})
    assert found == [{"length": 1.0, "code": "007"}]


@pytest.mark.parametrize("text", ["", "a,b\n", "a,b\n1\n", '"a\n'])
def test_a_file_without_whole_rows_is_refused(tmp_path, text):
    with pytest.raises(UsageError):
        rows(tmp_path, text)


def test_a_column_that_is_missing_is_named(tmp_path):
    with pytest.raises(UsageError, match="no column 'length'"):
        rows(tmp_path, "width\n1\n", {"length": 1.0})


def test_a_body_is_sent_on_one_line(tmp_path):
    path = tmp_path / "body.json"
    path.write_text('{\n  "features": [1,\n 2]}\n')
    assert body_of_file(path) == b'{"features": [1, 2]}'


def test_a_body_needs_no_description(tmp_path):
    path = tmp_path / "body.json"
    path.write_text('{"features": [1]}')

    def never():
        raise AssertionError

    assert choose(path, None, never) == [b'{"features": [1]}']


@pytest.mark.parametrize("data", [b"{", b"\xff\xfe", None])
def test_a_body_that_is_no_json_is_refused(tmp_path, data):
    path = tmp_path / "body.json"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(UsageError):
        body_of_file(path)
