"""Files that a scanner and a loader could read in two ways, and state that a check could miss.

A scan is worth as much as its agreement with the unpickler: each of these files once passed and
was then loaded as something else than what had been looked at.
"""

import io
import pickle
import struct

import joblib
import numpy as np
import pytest
import skops.io
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.tree import DecisionTreeClassifier
from tests.unit.model.scan.crafting import (
    ESTIMATOR,
    F8,
    array,
    call,
    dtype,
    inside,
    name,
    pickled,
    raw,
    state,
    text,
)

from shipway.errors import CorruptModelError, UnsafeModelError
from shipway.model.scan import scan
from shipway.model.spec import Artifact, TrustPolicy, sha256
from shipway.runtimes.unpickling import load_pickle

X = np.arange(40.0).reshape(20, 2)
Y = np.arange(20) % 2
NOBODY = TrustPolicy()


def artifact(data: bytes) -> Artifact:
    return Artifact("model.pkl", data, sha256(data))


def refused(data: bytes) -> str:
    """The names that were found, or why the file is broken."""
    with pytest.raises((UnsafeModelError, CorruptModelError)) as caught:
        load_pickle(artifact(data), NOBODY)
    if isinstance(caught.value, UnsafeModelError):
        return " ".join(caught.value.findings)
    return caught.value.message


MINUS = b"J\xff\xff\xff\xff"
NATIVE = b"(K\x03" + text("<") + b"NNN" + MINUS * 2 + b"K\0tb"
KEY = call(
    "numpy._core.multiarray",
    "scalar",
    dtype("U5", b"K\x03", text("<"), b"NNN", b"K\x14K\x04K\x00"),
    raw("nodes".encode("utf-32-le")),
)
NODES = np.zeros(
    3,
    [("left_child", "<i8"), ("right_child", "<i8"), ("feature", "<i8"), ("threshold", "<f8")],
)
NODES["left_child"], NODES["right_child"] = [1, -1, -1], [2, -1, -1]
TREE = name("sklearn.tree._tree", "Tree") + b"(K\x02" + inside(np.array([2])) + b"K\x01tR"
FIELDS = {"max_depth": b"K\x01", "node_count": b"K\x03", "nodes": inside(NODES)}


def after_objects(inner: bytes, rest: bytes) -> bytes:
    """A joblib file: an array of objects as a pickle of its own, then more of the outer one."""
    buffer = io.BytesIO()
    joblib.dump(np.array(["a", None], dtype=object), buffer)
    data = buffer.getvalue()
    return data[: data.rindex(b"\x80\x05")] + inner + rest


def test_what_follows_the_end_of_an_inner_pickle_inside_its_frame_is_not_hidden():
    """The C unpickler reads the whole frame ahead; a scan that stops at STOP is out of step."""
    payload = b"0" + call("builtins", "bytearray", b"M\x10\x27") + b"."
    body = b"N." + b"B" + struct.pack("<I", len(payload))
    inner = b"\x80\x04\x95" + struct.pack("<Q", len(body)) + body
    assert "inside a frame" in refused(after_objects(inner, payload + b"."))


@pytest.mark.parametrize("kind", ["f", "i", "M"])
def test_a_type_without_digits_is_as_large_as_numpy_makes_it(kind):
    """A scan that takes no bytes for an array is out of step with a loader that takes some."""
    size = np.dtype(kind).itemsize
    forged = array(call("numpy", "dtype", text(kind), b"\x89\x88"), b"K\x01\x85", raw(b""))
    assert "_reconstruct" in refused(pickled(forged))
    honest = array(call("numpy", "dtype", text(kind), b"\x89\x88"), b"K\x01\x85", raw(bytes(size)))
    assert scan(artifact(pickled(honest)), NOBODY).safe


STATES = {
    "text of size -1": (dtype("S5", b"K\x03", text("|"), b"NNN", MINUS * 2, b"K\0"), "numpy.dtype"),
    "alignment": (dtype("V8", b"K\x03", text("|"), b"NNNK\x08M\xff\x03K\0"), "numpy.dtype"),
    "state set twice": (F8 + NATIVE + NATIVE, "numpy.dtype"),
    "array exchanged": (
        array(F8, b"K\x01\x85", raw(bytes(8)))
        + b"(K\x01K\x01\x85"
        + F8
        + b"\x89"
        + raw(bytes(8))
        + b"tb",
        "_reconstruct",
    ),
    "numpy text as an attribute": (
        TREE
        + b"}("
        + b"".join(text(key) + value for key, value in FIELDS.items())
        + KEY
        + inside(NODES)
        + b"ub",
        "sklearn.tree._tree.Tree",
    ),
    "state in an instance": (
        TREE
        + call("collections", "OrderedDict")
        + b"("
        + b"".join(text(key) + value for key, value in FIELDS.items())
        + b"ub",
        "sklearn.tree._tree.Tree",
    ),
    "state in slots": (
        TREE + b"N}" + text("nodes") + inside(NODES) + b"s\x86b",
        "sklearn.tree._tree.Tree",
    ),
    "tree without state": (b"]" + TREE + b"a", "sklearn.tree._tree.Tree"),
    "tree that claims more nodes": (
        TREE + state(**{**FIELDS, "node_count": b"J\xff\xff\xff\x7f"}),
        "sklearn.tree._tree.Tree",
    ),
    "class whose constructor is called later": (
        ESTIMATOR + state(func=name("lightgbm.basic", "Booster")),
        "lightgbm.basic.Booster",
    ),
    "the same from the memo": (
        name("xgboost.core", "Booster") + b"q\x00)\x81]h\x00a\x86",
        "xgboost.core.Booster",
    ),
}


@pytest.mark.parametrize("trick", STATES)
def test_state_that_a_check_would_miss_is_refused(trick):
    body, expected = STATES[trick]
    assert expected in refused(pickled(body))


def colliding_numbers() -> bytes:
    """Complex numbers that all hash alike: the hash of the imaginary part is times 1000003."""
    pairs = [
        name("builtins", "complex")
        + b"G"
        + struct.pack(">d", 10**14 - 1_000_003 * n)
        + b"G"
        + struct.pack(">d", n)
        + b"\x86RN"
        for n in range(1, 11_000)
    ]
    return pickled(b"}(" + b"".join(pairs) + b"u")


def colliding_tuples() -> bytes:
    """Long tuples that hash alike and are equal up to their last element."""
    start = b"(" + b"K\x01" * 500
    keys = [
        start + b"\x8a\x0a" + (((1 << 61) - 1) * n).to_bytes(10, "little") + b"tN"
        for n in range(1, 400)
    ]
    return pickled(b"}(" + b"".join(keys) + b"u")


@pytest.mark.parametrize("make", [colliding_numbers, colliding_tuples])
def test_keys_whose_comparison_takes_hours_are_refused(make):
    assert "colliding keys" in refused(make())


@pytest.mark.parametrize("store", [pickle.dumps, skops.io.dumps])
def test_a_vectorizer_that_opens_the_files_that_rows_name_needs_a_yes(store):
    """A step before it may give a constant: then the model names the file, not the row."""
    full = "sklearn.feature_extraction.text.CountVectorizer"
    stored = artifact(store(CountVectorizer(input="filename")))
    (finding,) = scan(stored, NOBODY).findings
    assert (finding.name, finding.allowable) == (full, True)
    assert scan(stored, TrustPolicy(names=frozenset({full}))).safe
    assert scan(artifact(store(CountVectorizer())), NOBODY).safe


def widen(holder):
    vars(holder).update(tree_=type(holder)().fit(np.c_[X, X], Y).tree_)


def wide_tree():
    model = DecisionTreeClassifier().fit(X, Y)
    widen(model)
    return model


def wide_forest():
    model = RandomForestClassifier(2).fit(X, Y)
    widen(model.estimators_[0])
    return model


def wide_boosting():
    model = GradientBoostingRegressor(n_estimators=2).fit(X, Y)
    widen(model.estimators_[0, 0])
    return model


def wide_histogram():
    model = HistGradientBoostingRegressor(max_iter=2, min_samples_leaf=1).fit(X, Y)
    model._predictors[0][0].nodes["feature_idx"][0] = 1 << 40
    return model


@pytest.mark.parametrize("store", ["pickle", "joblib"])
@pytest.mark.parametrize("make", [wide_tree, wide_forest, wide_boosting, wide_histogram])
def test_a_tree_for_wider_rows_than_its_owner_takes_is_refused(make, store):
    """Compiled code reads the column without asking whether the row has it."""
    buffer = io.BytesIO()
    (pickle if store == "pickle" else joblib).dump(make(), buffer)
    report = scan(artifact(buffer.getvalue()), NOBODY)
    assert [finding.name.rpartition(".")[2][:4] for finding in report.findings]


@pytest.mark.parametrize("store", [pickle, joblib])
@pytest.mark.parametrize(
    "model",
    [
        DecisionTreeClassifier(),
        RandomForestClassifier(2),
        GradientBoostingRegressor(n_estimators=2),
        HistGradientBoostingRegressor(max_iter=2, min_samples_leaf=1),
    ],
    ids=lambda model: type(model).__name__,
)
def test_honest_trees_pass(model, store):
    buffer = io.BytesIO()
    store.dump(model.fit(X, Y), buffer)
    assert scan(artifact(buffer.getvalue()), NOBODY).findings == ()
