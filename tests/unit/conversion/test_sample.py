"""A user's sample: what is read, and what is said of a file that cannot be."""

import numpy as np
import pytest

from shipway.conversion.sample import read_sample
from shipway.errors import UsageError
from shipway.model.signature import Feature, Signature

PEOPLE = Signature(
    "regressor",
    (Feature("age", missing=True), Feature("city", "string"), Feature("income")),
    named=True,
)
PAIR = Signature("regressor", (Feature("x0"), Feature("x1")))


@pytest.fixture
def sample(tmp_path):
    def write(name, content):
        path = tmp_path / name
        if isinstance(content, dict):
            np.savez(path, **content)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_columns_are_found_by_name_and_others_left_out(sample):
    path = sample("s.csv", "income,bought,city,age\n10.5,1,Oslo,40\n20,0,Rome,\n")
    rows = read_sample(path, PEOPLE)
    assert rows.tolist() == [[40.0, "Oslo", 10.5], [None, "Rome", 20.0]]


def test_a_model_without_names_takes_columns_by_position(sample):
    assert read_sample(sample("s.csv", "a,b\n1,2\n"), PAIR).tolist() == [[1.0, 2.0]]
    assert read_sample(sample("s.csv", "1,2\n3,4\n"), PAIR).tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_a_matrix_of_numpy(sample):
    rows = read_sample(sample("s.npz", {"X": np.eye(2), "y": np.zeros(2)}), PAIR)
    assert rows.dtype == np.float64
    assert rows.tolist() == [[1.0, 0.0], [0.0, 1.0]]


def test_columns_of_numpy(sample):
    arrays = {"income": np.ones(2), "city": np.array(["Oslo", "Rome"]), "age": np.zeros(2)}
    rows = read_sample(sample("s.npz", arrays), PEOPLE)
    assert rows.tolist() == [[0.0, "Oslo", 1.0], [0.0, "Rome", 1.0]]


def test_a_frame_in_parquet(tmp_path):
    pytest.importorskip("pyarrow")
    import pandas as pd

    path = tmp_path / "s.parquet"
    pd.DataFrame({"age": [np.nan], "city": ["Oslo"], "income": [2.0]}).to_parquet(path)
    assert read_sample(path, PEOPLE).tolist() == [[None, "Oslo", 2.0]]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("s.txt", "x", "The sample {} is of an unknown kind"),
        ("s.csv", "", "The sample {} has no rows"),
        ("s.csv", "age,city,income\n", "The sample {} has no rows"),
        ("s.csv", "age,city\n1,Oslo\n", "The sample {} has no column 'income'"),
        (
            "s.csv",
            "a,b,c\n1,Oslo,2\n",
            "The sample {} has no column 'age' (and 2 more are missing)",
        ),
        ("s.csv", b"age,city,income\n1,\xff,2\n", "The sample {} is no CSV file in UTF-8"),
        ("s.csv", "age,city,income\n1,Oslo,2\n1,Oslo\n", "Row 2 of {} has 2 columns instead of 3"),
        ("s.csv", "age,city,income\n1,Oslo,x\n", "{}, row 1: income is 'x', which is no number"),
        (
            "s.csv",
            "age,city,income\n1,Oslo,\n",
            "{}, row 1: income is missing, but the model takes no missing one",
        ),
        ("s.npz", b"no archive", "The sample {} is no NumPy archive of plain arrays"),
        ("s.npz", {"a": np.eye(2), "b": np.eye(2)}, "The sample {} holds neither one matrix"),
    ],
)
def test_what_cannot_be_read_is_named(sample, name, content, message):
    path = sample(name, content)
    with pytest.raises(UsageError) as caught:
        read_sample(path, PEOPLE)
    assert caught.value.message.startswith(message.format(path))


def test_another_number_of_columns(sample):
    path = sample("s.csv", "1,2,3\n")
    with pytest.raises(UsageError) as caught:
        read_sample(path, PAIR)
    assert caught.value.message == f"The sample {path} has 3 columns, the model takes 2"


def test_pickled_arrays_are_not_loaded(sample):
    path = sample("s.npz", {"X": np.array([[object()]], object)})
    with pytest.raises(UsageError):
        read_sample(path, PAIR)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UsageError) as caught:
        read_sample(tmp_path / "none.csv", PAIR)
    assert caught.value.message.endswith("cannot be read: No such file or directory")
