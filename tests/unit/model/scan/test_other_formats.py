# ruff: noqa: E501 - a table reads best with one lie a line

import io
import json
import pickle
import zipfile

import numpy as np
import pytest
import skops.io
from sklearn.linear_model import LinearRegression
from sklearn.tree import DecisionTreeClassifier
from tests.unit.model.scan.crafting import call, name, pickled, text

from shipway.errors import CorruptModelError, UnsafeModelError
from shipway.model.scan import scan
from shipway.model.spec import Artifact, Format, TrustPolicy, sha256

NOBODY = TrustPolicy()
X = np.arange(20.0).reshape(10, 2)
Y = np.arange(10) % 3


def artifact(data: bytes) -> Artifact:
    return Artifact("model", data, sha256(data))


def found(data: bytes) -> list[str]:
    return [finding.name for finding in scan(artifact(data), NOBODY).findings]


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in members.items():
            archive.writestr(member, data)
    return buffer.getvalue()


def schema(node: object, **members: bytes) -> bytes:
    return zipped({"schema.json": json.dumps(node).encode(), **members})


def node(loader: str, module: str, qualname: str, **rest: object) -> dict[str, object]:
    return {"__loader__": loader, "__module__": module, "__class__": qualname, **rest}


def test_an_honest_skops_file_is_safe_and_tells_its_versions():
    report = scan(artifact(skops.io.dumps(LinearRegression().fit(X, Y))), NOBODY)
    assert report.format is Format.SKOPS
    assert report.findings == ()
    assert set(report.versions) == {"skops", "scikit-learn"}
    assert "sklearn.linear_model._base.LinearRegression" in report.names


LIES = {
    "object": (node("ObjectNode", "os", "system"), "os.system"),
    "type": (node("TypeNode", "builtins", "eval"), "builtins.eval"),
    "function": (node("FunctionNode", "os", "system"), "os.system"),
    "reduce": (node("ConstructorFromReduceNode", "subprocess", "Popen"), "subprocess.Popen"),
    "method": (node("MethodNode", "sklearn.linear_model._base", "LinearRegression"), "sklearn.linear_model._base.LinearRegression"),
    "operator": (node("OperatorFuncNode", "operator", "methodcaller"), "operator.methodcaller"),
    "partial": (node("PartialNode", "functools", "partial", content={"func": node("FunctionNode", "os", "system")}), "os.system"),
    "lying list": (node("ListNode", "os", "system", content=[]), "os.system"),
    "lying array": (node("NdArrayNode", "os", "system", type="numpy"), "os.system"),
    "dotted": (node("TypeNode", "sklearn.base", "np.load"), "sklearn.base.np.load"),
    "unknown loader": (node("FutureNode", "builtins", "dict"), "builtins.dict"),
    "called reference": (node("ConstructorFromReduceNode", "numpy", "log1p"), "numpy.log1p"),
    "constructor": (node("ConstructorFromReduceNode", "lightgbm.basic", "Booster"), "lightgbm.basic.Booster"),
    "bit generator": ({"bit_generator": node("JsonNode", "builtins", "str", content='"seed"')}, "numpy.random.seed"),
    "bytes of any size": (node("ConstructorFromReduceNode", "builtins", "bytearray"), "builtins.bytearray"),
    "range of any length": (node("ConstructorFromReduceNode", "builtins", "range", content={"content": [{"content": "100000000"}]}), "builtins.range"),
    "partial over a class": (node("PartialNode", "functools", "partial", content={"func": node("TypeNode", "builtins", "bytearray")}), "functools.partial"),
    "no name": (node("ObjectNode", "os", "system") | {"__module__": None}, "node without a name"),
    "deep in a list": (node("ListNode", "builtins", "list", content=[[[node("TypeNode", "os", "system")]]]), "os.system"),
    "a tree without nodes": (node("TreeNode", "sklearn.tree._tree", "Tree"), "sklearn.tree._tree.Tree"),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_in_a_skops_schema_is_refused_by_name(lie):
    tree, expected = LIES[lie]
    assert expected in found(schema(tree))


def test_a_skops_tree_that_turns_in_circles_is_refused():
    honest = skops.io.dumps(DecisionTreeClassifier(max_depth=2).fit(X, Y))
    with zipfile.ZipFile(io.BytesIO(honest)) as archive:
        members = {member: archive.read(member) for member in archive.namelist()}
    for member, data in members.items():
        nodes = np.load(io.BytesIO(data)) if member.endswith(".npy") else None
        if nodes is not None and nodes.dtype.names:
            nodes["left_child"][0] = 0
            buffer = io.BytesIO()
            np.save(buffer, nodes)
            members[member] = buffer.getvalue()
    assert found(honest) == []
    assert found(zipped(members)) == ["sklearn.tree._tree.Tree"]


def test_an_array_that_claims_more_than_it_holds_is_refused():
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    lying = buffer.getvalue().replace(b"(3,), }          ", b"(3000000000,), } ")
    assert found(schema({}, **{"0.npy": lying})) == ["lying array"]


def test_an_array_of_pickled_objects_is_refused():
    buffer = io.BytesIO()
    np.save(buffer, np.array([None]), allow_pickle=True)
    assert found(schema({}, **{"0.npy": buffer.getvalue()})) == ["pickled array"]


@pytest.mark.parametrize("text", [b"{", b"[" * 200_000, b"\xff"])
def test_a_schema_that_is_no_json_is_corrupt(text):
    with pytest.raises(CorruptModelError, match=r"schema\.json"):
        scan(artifact(zipped({"schema.json": text})), NOBODY)


def _encrypted() -> bytes:
    data = bytearray(schema({}))
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


def _linked() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("schema.json", "{}")
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    return buffer.getvalue()


def _bomb() -> bytes:
    return schema({}, **{"0.npy": bytes(400 << 20)})


def _lying_size() -> bytes:
    data = bytearray(schema({}, **{"0.npy": bytes(1000)}))
    at = data.rindex(b"PK\x01\x02") + 20
    data[at : at + 4] = (1 << 30).to_bytes(4, "little")
    return bytes(data)


ARCHIVES = {
    "zip slip": (lambda: schema({}, **{"../evil": b""}), "leads out of the archive"),
    "absolute path": (lambda: schema({}, **{"/etc/cron.d/evil": b""}), "leads out of the archive"),
    "windows path": (lambda: schema({}, **{"C:\\evil": b""}), "leads out of the archive"),
    "link": (_linked, "is a symbolic link"),
    "encrypted": (_encrypted, "is encrypted"),
    "bomb": (_bomb, "like a decompression bomb"),
    "lying sizes": (_lying_size, "claim more than the file holds"),
}


@pytest.mark.parametrize("trick", ARCHIVES)
def test_an_archive_that_no_honest_program_writes_is_refused(trick):
    make, expected = ARCHIVES[trick]
    with pytest.raises(UnsafeModelError, match=expected):
        scan(artifact(make()), NOBODY)


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_a_name_that_occurs_twice_is_refused():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("schema.json", "{}")
        archive.writestr("schema.json", "[]")
    with pytest.raises(UnsafeModelError, match="occurs twice"):
        scan(artifact(buffer.getvalue()), NOBODY)


def torchscript(body: bytes) -> bytes:
    return zipped(
        {"m/code/__torch__.py": b"", "m/constants.pkl": pickled(b")"), "m/data.pkl": body}
    )


def test_names_of_torchscript_are_no_names_of_python():
    body = name("__torch__", "Net") + b")\x81}b"
    assert found(torchscript(pickled(body))) == []


def test_a_torchscript_archive_with_names_of_python_is_refused():
    assert found(torchscript(pickled(call("os", "system", text("id"))))) == ["os.system"]
    assert found(torchscript(pickle.dumps(print, 2))) == ["builtins.print"]


def proto(number: int, value: bytes) -> bytes:
    return bytes([number << 3 | 2, len(value)]) + value


def onnx(graph: bytes = b"\x0a\0", domain: bytes = b"") -> bytes:
    opset = proto(1, domain) + b"\x10\x11"
    return (
        b"\x08\x0a"
        + proto(2, b"skl2onnx")
        + proto(3, b"1.20.0")
        + proto(7, graph)
        + proto(8, opset)
    )


def test_onnx_tells_its_producer_and_operators():
    report = scan(artifact(onnx()), NOBODY)
    assert report.versions == {"skl2onnx": "1.20.0", "onnx-opset": "17"}
    assert report.safe


def test_onnx_with_tensors_in_other_files_is_refused():
    outside = proto(13, proto(1, b"location") + proto(2, b"/etc/passwd")) + b"\x70\x01"
    assert found(onnx(graph=proto(5, outside))) == ["external data"]
    assert found(onnx(graph=proto(1, proto(5, proto(5, outside))))) == ["external data"]


def test_onnx_with_sparse_tensors_in_other_files_is_refused():
    outside = proto(1, proto(13, proto(1, b"location") + proto(2, b"secret")) + b"\x70\x01")
    assert found(onnx(graph=proto(15, outside))) == ["external data"]
    assert found(onnx(graph=proto(1, proto(5, b"\xb2\x01" + bytes([len(outside)]) + outside)))) == [
        "external data"
    ]
    function = proto(7, proto(5, proto(5, outside[2:])))
    assert found(onnx() + b"\xca\x01" + bytes([len(function)]) + function) == ["external data"]


def test_onnx_with_operators_of_another_library_is_refused():
    assert found(onnx(domain=b"evil.ops")) == ["evil.ops"]


@pytest.mark.parametrize(
    "data",
    [
        b'{"learner":{"gradient_booster":{}},"version":[3,2,0]}',
        b'{"version": [3, 2, 0], "learner": {"gradient_booster": {}}}',
        b"{L\0\0\0\0\0\0\0\x07learner{}L\0\0\0\0\0\0\0\x07version[#L\0\0\0\0\0\0\0\x03i\x03i\x02i\0}",
    ],
)
def test_xgboost_tells_its_version(data):
    assert scan(artifact(data), NOBODY).versions == {"xgboost": "3.2.0"}
