"""skops files: a zip archive of a JSON tree whose nodes name what they are made of.

Every node has ``__loader__``, ``__module__`` and ``__class__``; skops imports the latter two and
calls the result as the loader says. So each is held against the allow-list as in a pickle.
Source: ``skops/io/_general.py``.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from typing import Any

import numpy as np

from shipway.errors import CorruptModelError
from shipway.model import containers
from shipway.model.allowlist import Use, canonical
from shipway.model.scan import policies, trees
from shipway.model.scan.report import Gathered
from shipway.model.scan.versions import is_version

__all__ = ["scan_skops"]

_CONTAINERS = frozenset(
    {"DictNode", "DefaultDictNode", "ListNode", "SetNode", "TupleNode", "BytesNode"}
    | {"BytearrayNode", "SliceNode"}
)
_MADE = frozenset({"ObjectNode", "ConstructorFromReduceNode", "LossNode", "TreeNode", "ReduceNode"})
_REFERRED = frozenset({"FunctionNode", "TypeNode"})
_ARRAYS = frozenset(
    {"NdArrayNode", "MaskedArrayNode", "DTypeNode", "SparseMatrixNode"}
    | {"RandomStateNode", "RandomGeneratorNode"}
)
_CONSTANTS = frozenset({"JsonNode", "CachedNode"})
_PLAIN = frozenset(
    ("builtins", name)
    for name in ("dict", "list", "set", "tuple", "frozenset", "bytes", "bytearray", "slice")
) | {("collections", "OrderedDict"), ("collections", "defaultdict")}
_GENERATORS = ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")


def scan_skops(archive: zipfile.ZipFile, gathered: Gathered) -> None:
    """Hold every node of the schema, and the header of every array, against what is allowed.

    Raises:
        CorruptModelError: the schema is no JSON tree, or an array is none.
    """
    try:
        schema = json.loads(containers.read_member(archive, "schema.json"))
    except (ValueError, RecursionError) as exc:
        raise CorruptModelError(
            f"schema.json in the skops file is no readable JSON: {exc}.", "Save the model again."
        ) from exc
    _record(schema, gathered)
    waiting: list[tuple[Any, str]] = [(schema, "schema.json")]
    while waiting:
        node, where = waiting.pop()
        if isinstance(node, dict):
            _node(node, where, archive, gathered)
            waiting += [(inner, f"{where}/{key}"[:200]) for key, inner in node.items()]
        elif isinstance(node, list):
            waiting += [(inner, where) for inner in node]
    for name in archive.namelist():
        if name.endswith(".npy"):
            _array(archive, name, gathered)
        elif name.endswith(".npz"):
            _sparse(archive, name, gathered)


def _record(schema: Any, gathered: Gathered) -> None:
    if isinstance(schema, dict) and is_version(schema.get("_skops_version")):
        gathered.version("skops", schema["_skops_version"])


def _node(node: dict[str, Any], where: str, archive: zipfile.ZipFile, gathered: Gathered) -> None:
    _sklearn_version(node, gathered)
    _bit_generator(node.get("bit_generator"), where, gathered)
    if not {"__loader__", "__module__", "__class__"} & node.keys():
        return
    loader, module, name = (node.get(key) for key in ("__loader__", "__module__", "__class__"))
    if loader in _CONSTANTS:
        return
    if not isinstance(module, str) or not isinstance(name, str) or not isinstance(loader, str):
        gathered.find("node without a name", "a node hides what it is made of", where)
        return
    key = canonical(module, name)
    full = ".".join(key)
    if loader in _CONTAINERS and key in _PLAIN:
        gathered.names.add(full)
    elif loader == "PartialNode" and key == ("functools", "partial"):
        gathered.names.add(full)
        _partial(node, where, gathered)
    elif loader not in _CONTAINERS | _MADE | _REFERRED | _ARRAYS:
        gathered.use(*key, where)
        gathered.find(full, f"the node {loader} computes what it calls", where)
    else:
        _named(loader, key, node, where, gathered)
        if key[0] == policies.TEXTS and full not in gathered.policy.names:
            _vectorizer(node, full, where, gathered)
        if loader == "TreeNode":
            _tree(node, full, where, archive, gathered)


def _named(
    loader: str, key: tuple[str, str], node: dict[str, Any], where: str, gathered: Gathered
) -> None:
    full = ".".join(key)
    use = gathered.use(*key, where)
    if not use or full in gathered.policy.names:
        return
    if loader in _CONTAINERS | _MADE and not use & (Use.CALL | Use.CREATE):
        gathered.find(full, "it may be referred to, but not be called", where, allowable=True)
    if loader in _REFERRED and not use & Use.REFER:
        gathered.find(full, "it may be called, but not be kept as a value", where)
    if loader == "ConstructorFromReduceNode" and (
        use is Use.NEW or (policies.is_particular(*key) and not _short_range(key, node))
    ):
        gathered.find(full, "its constructor is called with arguments of the file's choice", where)


def _short_range(key: tuple[str, str], node: dict[str, Any]) -> bool:
    """``range`` of a few numbers, as a search of parameters holds it."""
    content = node.get("content")
    items = content.get("content") if isinstance(content, dict) else None
    if key != ("builtins", "range") or not isinstance(items, list):
        return False
    numbers = [str(item.get("content")) for item in items if isinstance(item, dict)]
    return all(re.fullmatch(r"-?\d{1,7}", number) for number in numbers)


def _partial(node: dict[str, Any], where: str, gathered: Gathered) -> None:
    """Its function is a node of its own: one that is only referred to, no class to be made."""
    content = node.get("content")
    function = content.get("func") if isinstance(content, dict) else None
    if isinstance(function, dict) and function.get("__loader__") == "FunctionNode":
        key = canonical(str(function.get("__module__")), str(function.get("__class__")))
        if gathered.use(*key, where) is Use.REFER and key[1][:1].islower():
            return
    gathered.find("functools.partial", "it is made over something else than a function", where)


def _vectorizer(node: dict[str, Any], full: str, where: str, gathered: Gathered) -> None:
    content = node.get("content")
    state = content.get("content") if isinstance(content, dict) else None
    given = state.get("input") if isinstance(state, dict) else None
    if isinstance(given, dict) and given.get("content") != '"content"':
        gathered.find(full, policies.OPENS_FILES, where, allowable=True)


def _bit_generator(value: Any, where: str, gathered: Gathered) -> None:
    """Skops calls the attribute of ``numpy.random`` that this text names."""
    if isinstance(value, dict) and value.get("__loader__") != "JsonNode":
        return  # a node that is looked at by itself
    name = str(value.get("content") if isinstance(value, dict) else value)[:100].strip('"')
    if value is not None and name not in _GENERATORS:
        gathered.find(f"numpy.random.{name}", "it is no bit generator of numpy", where)


def _sklearn_version(node: dict[str, Any], gathered: Gathered) -> None:
    recorded = node.get("_sklearn_version")
    if isinstance(recorded, dict) and isinstance(recorded.get("content"), str):
        version = recorded["content"].strip('"')
        if is_version(version):
            gathered.version("scikit-learn", version)


def _tree(
    node: dict[str, Any], full: str, where: str, archive: zipfile.ZipFile, gathered: Gathered
) -> None:
    try:
        member = node["content"]["content"]["nodes"]["file"]
        nodes = np.load(io.BytesIO(containers.read_member(archive, member)), allow_pickle=False)
    except (KeyError, TypeError, ValueError, EOFError, OSError, MemoryError):
        gathered.find(full, "a tree without readable nodes", where)
        return
    trouble = trees.nodes_trouble(nodes)
    if trouble:
        gathered.find(full, f"its state is not what it writes itself: {trouble}", where)


def _sparse(archive: zipfile.ZipFile, name: str, gathered: Gathered) -> None:
    """SciPy opens a sparse matrix as an archive of its own, without any limit."""
    inner = containers.open_zip(containers.read_member(archive, name))
    for member in inner.namelist():
        _array(inner, member, gathered)


def _array(archive: zipfile.ZipFile, name: str, gathered: Gathered) -> None:
    """Numpy allocates what a header claims: it has to agree with the bytes that follow."""
    data = containers.read_member(archive, name)
    stream = io.BytesIO(data)
    try:
        major, _ = np.lib.format.read_magic(stream)
        read = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}
        shape, _, dtype = read[major](stream)
    except (ValueError, KeyError, EOFError, RecursionError, MemoryError) as exc:
        raise CorruptModelError(
            f"The array {name} in the skops file is broken: {exc}.", "Save the model again."
        ) from exc
    count = 1
    for extent in shape:
        count *= extent
    if dtype.hasobject:
        gathered.find("pickled array", "an array of objects needs the pickle module", name)
    elif count * dtype.itemsize != len(data) - stream.tell():
        gathered.find("lying array", f"an array claims {count} elements in {len(data)} bytes", name)
