"""Every trick that the advisories and test suites of pickle scanners know, in one table.

Each is refused by name or as broken, within a budget of time and memory, and nothing runs: the
commands would make a file, imports and calls would trip an audit hook.
"""

# ruff: noqa: E501 - a table reads best with one trick a line

import bz2
import gzip
import io
import lzma
import pickle
import resource
import struct
import sys
import zlib
from pathlib import Path

import joblib
import numpy as np
import pytest
from tests.unit.model.scan import gadgets
from tests.unit.model.scan.crafting import (
    CANARY,
    ESTIMATOR,
    F8,
    TOUCH,
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

FORBIDDEN = (
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "os.remove",
    "os.rename",
    "os.startfile",
    "os.system",
    "pty.spawn",
    "shutil",
    "socket",
    "subprocess",
    "urllib",
    "webbrowser",
)
WATCH = {"on": False, "seen": []}


def _audit(event, _args):
    if WATCH["on"] and event.startswith(FORBIDDEN):
        WATCH["seen"].append(event)


sys.addaudithook(_audit)


@pytest.fixture(autouse=True)
def nothing_runs():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    WATCH.update(on=True, seen=[])
    yield
    WATCH["on"] = False
    assert WATCH["seen"] == []
    assert not Path(CANARY).exists()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 400 << 10, f"{grown} KiB"


def artifact(data: bytes) -> Artifact:
    return Artifact("model.pkl", data, sha256(data))


def refused(data: bytes) -> list[str]:
    """What the scan found; the loader has to refuse it as well."""
    with pytest.raises((UnsafeModelError, CorruptModelError)) as caught:
        load_pickle(artifact(data), TrustPolicy())
    try:
        report = scan(artifact(data), TrustPolicy())
    except CorruptModelError as exc:
        return [f"corrupt: {exc.message}"]
    assert isinstance(caught.value, UnsafeModelError)
    assert not report.safe
    assert all(finding.name in caught.value.findings for finding in report.findings)
    return [finding.name for finding in report.findings]


WAYS = {
    "c": lambda mention, _: mention + TOUCH + b"\x85R",
    "stack": lambda _, names: call(*names, TOUCH),
    "inst": lambda mention, _: b"(" + TOUCH + b"i" + mention[1:],
    "obj": lambda mention, _: b"(" + mention + TOUCH + b"o",
    "newobj": lambda mention, _: mention + TOUCH + b"\x85\x81",
    "value": lambda mention, _: b"]" + mention + b"a",
    "shadow": lambda mention, _: ESTIMATOR + state(predict=mention),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("start", range(0, len(gadgets.LIST), 50))
def test_a_gadget_is_refused_by_name(start, way):
    for module, qualname in gadgets.LIST[start : start + 50]:
        mention = f"c{module}\n{qualname}\n".encode()
        found = refused(pickled(WAYS[way](mention, (module, qualname))))
        last = qualname.rpartition(".")[2]
        assert any(item.rpartition(".")[2] == last for item in found), (module, qualname, found)


OS = name("os", "system")
SYSTEM = call("os", "system", TOUCH)
HONEST = pickle.dumps({"coef": [1.0, 2.0]}, 4)
NODES = np.zeros(
    3, [("left_child", "<i8"), ("right_child", "<i8"), ("feature", "<i8"), ("threshold", "<f8")]
)


def tree(left: list[int], right: list[int], feature: tuple[int, ...] = (0, 0, 0)) -> bytes:
    nodes = NODES.copy()
    nodes["left_child"], nodes["right_child"], nodes["feature"] = left, right, feature
    made = name("sklearn.tree._tree", "Tree") + b"(K\x02" + inside(np.array([2])) + b"K\x01tR"
    return pickled(made + state(max_depth=b"K\x01", node_count=b"K\x03", nodes=inside(nodes)))


def joblib_objects(body: bytes) -> bytes:
    """A joblib file whose array of objects is a pickle of its own."""
    buffer = io.BytesIO()
    joblib.dump(np.array(["a", None], dtype=object), buffer)
    data = buffer.getvalue()
    return data[: data.rindex(b"\x80\x05")] + body + b"."


def nest(depth: int, opening: bytes, closing: bytes) -> bytes:
    return opening * depth + closing * depth


def doubling(start: bytes, join: bytes, times: int) -> bytes:
    """A value that holds itself twice, and so on: 2 ** times when it is walked."""
    return start + b"".join(b"q%c(h%ch%c" % (n, n, n) + join for n in range(times))


STRUCT = b"(" + text("a") + b"t}" + text("a") + b"(" + dtype("O8", inside(3), text("|"), b"NNN", b"J\xff\xff\xff\xff" * 2, b"K\x3f") + b"K\0ts"  # fmt: skip
FAKE_FLAGS = dtype("V8", b"K\x03", text("|"), b"N", STRUCT, b"K\x08K\x01K\0")
NO_FLAGS = dtype("O8", b"K\x03", text("|"), b"NNN", b"J\xff\xff\xff\xff" * 2, b"K\0")
NEGATIVE = dtype("U5", b"K\x03", text("<"), b"NNN", b"J\xf8\xff\xff\xff", b"K\x04K\x08")
ONE = b"K\x01\x85"

TRICKS = {
    # names that are not constants, or hidden
    "computed name": (call("builtins", "str", text("os")) + text("system") + b"\x93", "computed name"),
    "name from a call": (text("os") + call("_codecs", "encode", text("system"), text("latin1")) + b"\x93", "computed name"),
    "memo swaps the name": (text("os") + b"q\x00" + text("numpy") + b"q\x01" + b"h\x00" + text("system") + b"\x93" + TOUCH + b"\x85R", "os.system"),
    "memo overwritten": (text("numpy") + b"q\x00" + text("os") + b"q\x00" + b"00h\x00" + text("system") + b"\x93", "os.system"),
    "memoize after put": (text("os") + b"\x94" + text("numpy") + b"p1\n00h\x00" + text("system") + b"\x93", "os.system"),
    "name in an escape": (b"V\\u006f\\u0073\n" + b"Vsystem\n\x93" + TOUCH + b"\x85R", "os.system"),
    "name in a byte string": (b"S'\\x6fs'\nS'system'\n\x93", "os.system"),
    "pop hides nothing": (OS + b"0N", "os.system"),
    "pop mark hides nothing": (b"(" + SYSTEM + b"1N", "os.system"),
    "dotted through an allowed module": (name("sklearn.linear_model._base", "np.os.system"), "sklearn.linear_model._base.np.os.system"),
    "dotted through an allowed class": (name("sklearn.linear_model._base", "LinearRegression.__init__.__globals__"), "sklearn.linear_model._base.LinearRegression.__init__.__globals__"),
    "python 2 spelling": (b"c__builtin__\neval\n" + TOUCH + b"\x85R", "builtins.eval"),
    "python 2 module": (b"ccommands\ngetoutput\n" + TOUCH + b"\x85R", "subprocess.getoutput"),
    "numpy 1 spelling": (b"cnumpy.core\n_ufunc_reconstruct\n" + text("os") + text("system") + b"\x86R", "numpy._core._ufunc_reconstruct"),
    "extension registry": (b"\x82\x01", "extension registry"),
    "extension registry, long": (b"\x84\x01\0\0\0", "extension registry"),
    "persistent id": (text("x") + b"Q", "persistent id"),
    "persistent id in text": (b"Px\n", "persistent id"),
    "out-of-band buffer": (b"\x97", "out-of-band buffer"),
    # calls
    "call of a result": (call("collections", "OrderedDict") + b")R", "computed callable"),
    "call of a constant": (text("os.system") + TOUCH + b"\x85R", "computed callable"),
    "call of a list item": (b"]" + OS + b"a" + TOUCH + b"\x85R", "os.system"),
    "computed arguments": (name("builtins", "slice") + call("collections", "OrderedDict") + b"R", "computed arguments"),
    "function kept as a value": (ESTIMATOR + state(predict=name("numpy._core.multiarray", "_reconstruct")), "numpy._core.multiarray._reconstruct"),
    "function kept in the memo": (name("_codecs", "encode") + b"q\x000]h\x00a", "_codecs.encode"),
    "function kept by dup": (name("_codecs", "encode") + b"2" + text("a") + text("latin1") + b"\x86R\x86", "_codecs.encode"),
    "referred to, then called": (call("numpy", "log1p", F8), "numpy.log1p"),
    "any codec": (call("_codecs", "encode", text("x"), text("rot13")), "_codecs.encode"),
    "reconstruct of anything": (call("copyreg", "_reconstructor", name("numpy", "dtype"), name("builtins", "int"), b"N"), "copyreg._reconstructor"),
    "random state with a function": (call("numpy.random._pickle", "__generator_ctor", text("id"), OS), "numpy.random._pickle.__generator_ctor"),
    "factory of a default": (call("collections", "defaultdict", OS), "collections.defaultdict"),
    "factory is a class": (call("collections", "defaultdict", name("sklearn.linear_model._base", "LinearRegression")), "collections.defaultdict"),
    "constructor opens a file": (call("lightgbm.basic", "Booster", b"NN", text("/etc/passwd")), "lightgbm.basic.Booster"),
    "ndarray of any size": (call("numpy", "ndarray", b"\x8a\x06\0\0\0\0\0\x01\x85"), "numpy.ndarray"),
    "bytes of any size": (call("builtins", "bytes", b"\x8a\x06\0\0\0\0\0\x01"), "builtins.bytes"),
    "bytearray of any size": (call("builtins", "bytearray", b"\x8a\x06\0\0\0\0\0\x01"), "builtins.bytearray"),
    "range of any length": (call("builtins", "range", b"\x8a\x06\0\0\0\0\0\x01"), "builtins.range"),
    "set of a range": (call("builtins", "set", call("builtins", "range", b"K\x05")), "builtins.set"),
    # state
    "state on a class": (name("sklearn.linear_model._base", "LinearRegression") + state(predict=text("x")), "sklearn.linear_model._base.LinearRegression"),
    "state on a function": (name("numpy", "log1p") + state(x=b"N"), "numpy.log1p"),
    "state on a list": (b"]" + state(x=b"N"), "state on a container"),
    "class exchanged": (ESTIMATOR + b"N" + b"}" + text("__class__") + OS + b"s\x86b", "__class__"),
    "dunder slot": (ESTIMATOR + b"N}" + text("__dict__") + b"}s\x86b", "__dict__"),
    "dunder attribute": (ESTIMATOR + state(__reduce__=b"N"), "__reduce__"),
    "items of an estimator": (ESTIMATOR + text("a") + b"Ns", "items of sklearn.linear_model._base.LinearRegression"),
    "items after state": (call("collections", "OrderedDict") + state(update=b"N") + text("a") + b"Ns", "items of collections.OrderedDict"),
    # arrays
    "type that denies its objects": (NO_FLAGS, "numpy.dtype"),
    "fields that deny their objects": (FAKE_FLAGS, "numpy.dtype"),
    "forged pointers": (array(FAKE_FLAGS, ONE, raw(b"A" * 8)), "numpy.dtype"),
    "text of negative size": (NEGATIVE, "numpy.dtype"),
    "shared type": (call("numpy", "dtype", text("f8")), "numpy.dtype"),
    "type of anything": (call("numpy", "dtype", OS, b"\x89\x88"), "numpy.dtype"),
    "array larger than its bytes": (array(F8, b"J\xff\xff\xff\x7f\x85", raw(b"12345678")), "numpy._core.multiarray._reconstruct"),
    "array of negative size": (array(F8, b"J\xff\xff\xff\xff\x85", raw(b"")), "numpy._core.multiarray._reconstruct"),
    "objects in bytes": (array(dtype("O8", b"K\x03", text("|"), b"NNN", b"J\xff\xff\xff\xff" * 2, b"K\x3f"), ONE, raw(b"A" * 8)), "numpy._core.multiarray._reconstruct"),
    "reconstruct of any size": (call("numpy._core.multiarray", "_reconstruct", name("numpy", "ndarray"), b"J\xff\xff\xff\x7f\x85", raw(b"b")), "numpy._core.multiarray._reconstruct"),
    "scalar without bytes": (call("numpy._core.multiarray", "scalar", F8), "numpy._core.multiarray.scalar"),
    "joblib arrays in a plain pickle": (b"cjoblib.numpy_pickle\nNumpyArray\\u0057rapper\n", "joblib.numpy_pickle.NumpyArray\\u0057rapper"),
    "wrapper behind an escape": (text("joblib.numpy_pickle") + b"VNumpyArray\\u0057rapper\n\x93", "joblib.numpy_pickle.NumpyArrayWrapper"),
    # endless work
    "endless hash": (b"}" + doubling(b"K\x01", b"t", 60) + b"Ns", "nested key"),
    "endless hash in a set": (b"\x8f(" + doubling(b")", b"t", 60) + b"\x90", "nested key"),
    "endless hash of frozensets": (b"\x8f(" + doubling(b")", b"t", 20) + b"\x90", "nested key"),
    "deep key": (b"}" + b")" + b"\x85" * 100_000 + b"Ns", "nested key"),
    "endless walk": (doubling(b"]K\x01a", b"l", 60), "nested containers"),
    "colliding integers": (b"}(" + b"".join(b"\x8a\x0a" + (((1 << 61) - 1) * n).to_bytes(10, "little") + b"N" for n in range(1, 12_000)) + b"u", "colliding keys"),
    "large integer": (b"\x8b\x00\x00\x10\x00" + b"\x7f" * (1 << 20), "oversized integer"),
    "memo index that takes all memory": (b"Nr\xff\xff\xff\x7f", "memo index"),
    "memo index in text": (b"Np99999999999\n", "memo index"),
    "more containers than bytes": (b"]" * 1_400_000, "too many objects"),
    "integer of many digits": (b"I" + b"9" * 500_000 + b"\n", "corrupt: "),
    "long of many digits": (b"L" + b"9" * 500_000 + b"L\n", "corrupt: "),
    "length beyond the end": (b"\x96\xff\xff\xff\xff\xff\xff\xff\x7f", "corrupt: "),
    "text beyond the end": (b"\x8d\xff\xff\xff\xff\xff\xff\xff\x7f", "corrupt: "),
    "frame beyond the end": (b"\x95\xff\xff\xff\xff\xff\xff\xff\x7f", "corrupt: "),
    "frame in a frame": (b"\x95\x20\0\0\0\0\0\0\0\x95\x01\0\0\0\0\0\0\0" + b"N" * 40, "corrupt: "),
    "unknown opcode": (b"N\xff", "corrupt: "),
    "empty stack": (b"0000R", "corrupt: "),
    "payload before the error": (SYSTEM + b"\xff", "os.system"),
    "payload before an empty stack": (SYSTEM + b"0000R", "os.system"),
}  # fmt: skip


@pytest.mark.parametrize("trick", TRICKS)
@pytest.mark.timeout(20)
def test_a_trick_is_refused(trick):
    body, expected = TRICKS[trick]
    found = refused(pickled(body))
    assert any(item.startswith(expected) for item in found), found


FILES = {
    "no STOP": (b"\x80\x04" + SYSTEM, "os.system"),
    "cut off": (HONEST[:-4], "corrupt: "),
    "a second pickle behind the first": (HONEST + pickled(SYSTEM), "os.system"),
    "a tail behind the first": (HONEST + b"\xff\xff", "trailing bytes"),
    "an honest second pickle": (HONEST + HONEST, "trailing bytes"),
    "a shell script behind it": (HONEST + b"\n#!/bin/sh\ntouch x\n", "trailing bytes"),
    "protocol 0": (b"cos\nsystem\n(S'touch x'\ntR.", "os.system"),
    "protocol 1": (b"(cos\nsystem\nU\x07touch xo.", "os.system"),
    "gzip": (gzip.compress(pickled(SYSTEM)), "os.system"),
    "zlib": (zlib.compress(pickled(SYSTEM)), "os.system"),
    "bz2": (bz2.compress(pickled(SYSTEM)), "os.system"),
    "xz": (lzma.compress(pickled(SYSTEM)), "os.system"),
    "lzma": (lzma.compress(pickled(SYSTEM), lzma.FORMAT_ALONE), "os.system"),
    "a second stream in the gzip": (gzip.compress(HONEST) + gzip.compress(pickled(SYSTEM)), "os.system"),
    "a pickle behind the gzip": (gzip.compress(HONEST) + pickled(SYSTEM), "corrupt: "),
    "objects in joblib": (joblib_objects(pickled(SYSTEM)), "os.system"),
    "objects in joblib, gzip": (gzip.compress(joblib_objects(pickled(SYSTEM))), "os.system"),
    "joblib in joblib": (joblib_objects(pickled(name("joblib.numpy_pickle", "NumpyArrayWrapper"))), "joblib.numpy_pickle"),
    "behind the objects": (joblib_objects(inside(None) + b"." + SYSTEM), "os.system"),
    "a tree that turns in circles": (tree([0, -1, -1], [2, -1, -1]), "sklearn.tree._tree.Tree"),
    "a tree that points back": (tree([1, 0, -1], [2, 2, -1]), "sklearn.tree._tree.Tree"),
    "a tree that points outside": (tree([1, -1, -1], [3_000_000, -1, -1]), "sklearn.tree._tree.Tree"),
    "a tree with a negative child": (tree([1, -1, -1], [-2, -1, -1]), "sklearn.tree._tree.Tree"),
    "a tree with a foreign feature": (tree([1, -1, -1], [2, -1, -1], (99, 0, 0)), "sklearn.tree._tree.Tree"),
}  # fmt: skip


@pytest.mark.parametrize("trick", FILES)
@pytest.mark.timeout(20)
def test_a_file_is_refused(trick):
    data, expected = FILES[trick]
    found = refused(data)
    assert any(item.startswith(expected) for item in found), found


@pytest.mark.parametrize("squeeze", [gzip.compress, bz2.compress, lzma.compress, zlib.compress])
def test_a_decompression_bomb_is_refused_early(squeeze):
    bomb = squeeze(b"\x80\x04B" + struct.pack("<I", 200 << 20) + bytes(200 << 20) + b".")
    with pytest.raises(UnsafeModelError, match="decompression bomb") as caught:
        load_pickle(artifact(bomb), TrustPolicy())
    assert caught.value.findings == ("decompression bomb",)


def test_a_payload_in_constant_bytes_is_harmless_because_nothing_may_load_them():
    data = pickled(ESTIMATOR + state(payload=raw(pickled(SYSTEM))))
    loaded = load_pickle(artifact(data), TrustPolicy())
    assert loaded.payload == pickled(SYSTEM)
    found = refused(pickled(call("pickle", "loads", raw(pickled(SYSTEM)))))
    assert found == ["_pickle.loads"] or found == ["pickle.loads"]


def test_deep_nests_neither_crash_the_scan_nor_the_loader():
    data = pickled(nest(100_000, b"]", b"a")[: 200_000 - 1])
    assert scan(artifact(data), TrustPolicy()).safe
    assert isinstance(load_pickle(artifact(data), TrustPolicy()), list)


def test_honest_trees_pass():
    assert scan(artifact(tree([1, -1, -1], [2, -1, -1])), TrustPolicy()).safe
