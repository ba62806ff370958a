import gzip
import io
import pickle
import struct

import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression
from sklearn.tree import DecisionTreeClassifier

from shipway.errors import (
    CorruptModelError,
    Error,
    MissingPackageError,
    UnsafeModelError,
    UnsupportedModelError,
)
from shipway.model.scan import scan
from shipway.model.spec import Artifact, TrustPolicy, sha256
from shipway.runtimes.unpickling import load_pickle

NOBODY = TrustPolicy()
X = np.arange(20.0).reshape(10, 2)
Y = np.arange(10) % 3
TREE = DecisionTreeClassifier(max_depth=3).fit(X, Y)
LINEAR = LinearRegression().fit(X, Y)


def artifact(data: bytes) -> Artifact:
    return Artifact("model.pkl", data, sha256(data))


def dumped(value: object, **options: object) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(value, buffer, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("protocol", range(6))
def test_every_protocol_gives_the_model_back(protocol):
    loaded = load_pickle(artifact(pickle.dumps(TREE, protocol)), NOBODY)
    assert loaded.predict(X).tolist() == TREE.predict(X).tolist()


@pytest.mark.parametrize("compress", [0, 3, ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3)])
def test_joblib_files_give_the_model_back(compress):
    loaded = load_pickle(artifact(dumped(TREE, compress=compress)), NOBODY)
    assert loaded.predict(X).tolist() == TREE.predict(X).tolist()


ARRAYS = [
    np.arange(6.0).reshape(2, 3),
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.array(3.5),
    np.zeros((0, 4)),
    np.arange(3, dtype=">i4"),
    np.array(["a", None, 2], dtype=object),
    np.array(["ab", "c"]),
    np.array(["2024-01-01"], dtype="M8[D]"),
    np.array([True, False]),
    np.array([(1, 2.5)], dtype=[("a", "i4"), ("b", "f8")]),
]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}{array.shape}")
@pytest.mark.parametrize("dump", [pickle.dumps, dumped, lambda value: pickle.dumps(value, 5)])
def test_arrays_come_back_as_they_were(array, dump):
    loaded = load_pickle(artifact(dump([array, array])), NOBODY)
    assert loaded[1].tolist() == array.tolist()
    assert loaded[0].shape == array.shape
    assert loaded[0].dtype.newbyteorder("=") == array.dtype.newbyteorder("=")


def test_paths_of_numpy_1_are_read_by_numpy_2():
    data = pickle.dumps(LINEAR, 2).replace(b"numpy._core.", b"numpy.core.")
    assert load_pickle(artifact(data), NOBODY).coef_.tolist() == LINEAR.coef_.tolist()


def test_another_version_of_scikit_learn_is_recorded_and_not_in_the_way():
    data = pickle.dumps(LINEAR, 2)
    version = LINEAR.__getstate__()["_sklearn_version"].encode()
    older = b"1.0.2".ljust(len(version), b"0")[: len(version)]
    data = data.replace(version, older)
    assert scan(artifact(data), NOBODY).versions == {"scikit-learn": older.decode()}
    assert isinstance(load_pickle(artifact(data), NOBODY), LinearRegression)


FRACTION = b"cfractions\nFraction\n(K\x01K\x02tR."


def test_the_message_names_what_is_refused_and_the_hint_how_to_allow_it():
    with pytest.raises(UnsafeModelError) as caught:
        load_pickle(artifact(b"\x80\x02" + FRACTION), NOBODY)
    digest = sha256(b"\x80\x02" + FRACTION)
    assert caught.value.message == (
        "Loading model.pkl would do what nobody allowed: fractions.Fraction "
        "(it is not on the allow-list; byte 22 of the pickle)."
    )
    assert caught.value.hint == (
        "If you know what they do, allow them in shipway.toml: "
        '[model] allow = ["fractions.Fraction"], '
        f'or the whole file: [model] trust = ["{digest}"].'
    )
    assert caught.value.findings == ("fractions.Fraction",)


@pytest.mark.parametrize("by", ["name", "digest"])
def test_what_the_user_allows_is_loaded(by):
    model = artifact(b"\x80\x02" + FRACTION)
    names = frozenset({"fractions.Fraction"} if by == "name" else ())
    digests = frozenset({model.digest} if by == "digest" else ())
    assert str(load_pickle(model, TrustPolicy(names, digests))) == "1/2"


def test_one_allowed_name_allows_no_other():
    policy = TrustPolicy(frozenset({"fractions.Fraction"}))
    with pytest.raises(UnsafeModelError, match=r"fractions\.Decimal"):
        load_pickle(artifact(b"\x80\x02cfractions\nDecimal\n)R."), policy)


def test_a_structure_that_lies_cannot_be_allowed_by_name():
    with pytest.raises(UnsafeModelError) as caught:
        load_pickle(artifact(pickle.dumps(1) + b"tail"), NOBODY)
    assert caught.value.hint.startswith("Do not load it unless you know who made it and how.")


def test_a_package_that_is_not_installed_is_named():
    data = b"\x80\x02cmissing_package.models\nModel\n)\x81."
    policy = TrustPolicy(frozenset({"missing_package.models.Model"}))
    with pytest.raises(MissingPackageError) as caught:
        load_pickle(artifact(data), policy)
    assert caught.value.package == "missing_package"
    assert "pip install missing_package" in caught.value.hint


def test_a_module_that_lies_in_the_current_folder_is_not_to_be_installed(tmp_path, monkeypatch):
    (tmp_path / "own_steps.py").write_text("class Step: ...\n")
    monkeypatch.chdir(tmp_path)
    data = b"\x80\x02cown_steps\nStep\n)\x81."
    with pytest.raises(MissingPackageError) as caught:
        load_pickle(artifact(data), TrustPolicy(frozenset({"own_steps.Step"})))
    hint = "own_steps is in this folder: set PYTHONPATH=. for Python to look for it here."
    assert caught.value.hint == hint


def test_what_an_own_module_lacks_is_named_not_the_module(tmp_path, monkeypatch):
    (tmp_path / "own_needy.py").write_text("import missing_package.frames\n")
    monkeypatch.syspath_prepend(tmp_path)
    data = b"\x80\x02cown_needy\nStep\n)\x81."
    with pytest.raises(MissingPackageError) as caught:
        load_pickle(artifact(data), TrustPolicy(frozenset({"own_needy.Step"})))
    assert caught.value.package == "missing_package"
    assert caught.value.message.startswith("The model needs missing_package, which")


def test_a_class_of_the_training_script_is_explained():
    policy = TrustPolicy(frozenset({"__main__.MyTransformer"}))
    with pytest.raises(UnsupportedModelError, match="script that trained it") as caught:
        load_pickle(artifact(b"\x80\x02c__main__\nMyTransformer\n)\x81."), policy)
    assert "module of its own" in caught.value.hint


def test_a_class_that_the_installed_version_lacks_is_named():
    policy = TrustPolicy(frozenset({"sklearn.tree.tree.DecisionTree"}))
    with pytest.raises(UnsupportedModelError, match=r"sklearn\.tree\.tree"):
        load_pickle(artifact(b"\x80\x02csklearn.tree.tree\nDecisionTree\n)\x81."), policy)


@pytest.mark.parametrize("size", [10, 100, 300, 500])
def test_a_file_that_is_cut_off_is_corrupt(size):
    for data in (pickle.dumps(TREE), dumped(TREE), gzip.compress(pickle.dumps(TREE))):
        with pytest.raises(CorruptModelError):
            load_pickle(artifact(data[:size]), NOBODY)


GOOD = [pickle.dumps(LINEAR, 2), pickle.dumps(LINEAR, 4), dumped(LINEAR), pickle.dumps(TREE, 5)]
OPCODES = b"".join(
    [
        b"()]}NKJMXUIcRbostu.aelq\x85\x86\x87\x88\x89\x8c\x8f\x90\x91\x92\x93\x94\x95\x96\x81\x82Q",
        b"0123gjprhG\x8a\x8bBCSVTFiPd",
    ]
)


def survives(data: bytes) -> None:
    """Scan and loader end, and with nothing but an error of ours."""
    try:
        report = scan(artifact(data), NOBODY)
    except Error:
        report = None
    try:
        load_pickle(artifact(data), NOBODY)
    except Error:
        return
    assert report is not None
    assert report.safe


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(list(OPCODES)) | st.integers(0, 255), max_size=60))
def test_random_opcodes_end_in_a_value_or_in_our_errors(codes):
    survives(b"\x80\x04" + bytes(codes) + b".")


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(GOOD), st.data())
def test_mutations_of_good_pickles_end_in_a_value_or_in_our_errors(good, data):
    mutant = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(mutant) - 1))
        way = data.draw(st.sampled_from(["set", "insert", "delete", "opcode"]))
        if way == "set":
            mutant[at] = data.draw(st.integers(0, 255))
        elif way == "opcode":
            mutant[at] = data.draw(st.sampled_from(list(OPCODES)))
        elif way == "insert":
            mutant[at:at] = data.draw(st.binary(max_size=8))
        else:
            del mutant[at : at + data.draw(st.integers(1, 20))]
    survives(bytes(mutant))


def test_a_length_out_of_proportion_is_refused_at_once():
    data = b"\x80\x05\x96" + struct.pack("<Q", 1 << 40) + b"."
    with pytest.raises(CorruptModelError, match="1099511627776 bytes are announced"):
        load_pickle(artifact(data), NOBODY)
