"""What the callables on the allow-list may be called with, where their arguments matter.

A function that imports, allocates or calls what it is given is listed only because its honest
use is narrow; here that use is spelled out. A name without an entry may be called with anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from shipway.model.scan import arrays, trees, versions
from shipway.model.scan.values import Array, Call, DType, Global, Items, Table, Tup, Value

if TYPE_CHECKING:
    from shipway.model.scan.machine import Machine

__all__ = ["CONTAINERS", "apply", "apply_state", "is_function", "is_particular"]


_Policy = Callable[["Machine", Call], Value | str]
"""The result of the call; text says what is wrong with its arguments (text is never a result)."""

CONTAINERS = frozenset(
    {
        "collections:OrderedDict",
        "collections:defaultdict",
        "collections:deque",
        "collections:Counter",
        "sklearn.utils._bunch:Bunch",
    }
)
_FACTORIES = frozenset(
    f"builtins:{name}" for name in ("list", "dict", "set", "int", "float", "str", "bool", "tuple")
) | {"collections:OrderedDict"}
_BASES = _FACTORIES | {"builtins:object", "builtins:bytes", "builtins:complex"}
_ARRAYS = ("numpy._core.multiarray:_reconstruct", "numpy.ma.core:_mareconstruct")
TEXTS = "sklearn.feature_extraction.text"
OPENS_FILES = 'with input="filename" it opens whatever file a row, or a step before it, names'
_LONGEST_RANGE = 10_000_000


def is_function(module: str, name: str) -> bool:
    """Whether a name must be called at once and not be kept: what it does depends on arguments."""
    key = f"{module}:{name}"
    return key in _POLICIES and key not in _CLASSES


def is_particular(module: str, name: str) -> bool:
    """Whether only some arguments are harmless."""
    return f"{module}:{name}" in _POLICIES


def apply(machine: Machine, call: Call) -> Value:
    """Check a call and tell its result."""
    callee = call.callee
    if _vouched(machine, callee):
        return call
    if callee.empty and call.args:
        machine.find(str(callee), "it is created with arguments, where a pickler writes none")
        return call
    policy = _POLICIES.get(callee.key)
    if policy is None:
        return call
    result = policy(machine, call)
    if type(result) is str:
        machine.find(str(callee), f"it is called with arguments that no pickler writes: {result}")
        return call
    return result


def _vouched(machine: Machine, callee: Global) -> bool:
    return f"{callee.module}.{callee.name}" in machine.gathered.policy.names


def apply_state(machine: Machine, call: Call, state: Value) -> None:
    """Check the state that an instance is given."""
    key = call.callee.key
    trouble = ""
    if key == "numpy:dtype":
        if isinstance(call.fact, DType):
            trouble = arrays.dtype_state(call.fact, state)
    elif key in _ARRAYS:
        array = arrays.from_state(state)
        if isinstance(array, Array):
            call.fact = array
        else:
            trouble = array
    elif key == "functools:partial" and not _vouched(machine, call.callee):
        trouble = _partial_state(state)
    elif type(state) is Table:
        versions.from_state(machine.gathered, call.callee, state)
        trouble = trees.trouble(call, state)
        if call.callee.module == TEXTS and state.get("input") == "filename":
            _opens_files(machine, call.callee)
        if key in trees.OWNERS:
            machine.forests.append(trees.Forest(key, state))
    elif key in trees.KEYS:
        trouble = "no dictionary"
    if trouble:
        machine.find(str(call.callee), f"its state is not what it writes itself: {trouble}")


def _opens_files(machine: Machine, callee: Global) -> None:
    if not _vouched(machine, callee):
        machine.find(str(callee), OPENS_FILES, allowable=True)


def _dtype(_machine: Machine, call: Call) -> Value | str:
    args = call.args
    kind = arrays.dtype(args[0]) if args else None
    if kind is None or len(args) != 3 or args[1] not in (False, 0) or args[2] not in (True, 1):
        return "not a type, align=False, copy=True"
    call.fact = kind
    return call


def _reconstruct(_machine: Machine, call: Call) -> Value | str:
    *classes, shape, kind = call.args or [None, None]
    if not classes or len(classes) > 2 or any(type(item) is not Global for item in classes):
        return "not a class of arrays"
    if arrays.shape_of(shape) != (0,) or type(kind) not in (memoryview, str) or len(kind) != 1:  # type: ignore[arg-type]
        return "not an empty array"
    return call


def _frombuffer(_machine: Machine, call: Call) -> Value | str:
    if len(call.args) != 4 or call.args[3] not in ("C", "F"):
        return "not bytes, type, shape and order"
    array = arrays.from_parts(call.args[2], call.args[1], call.args[0])
    if not isinstance(array, Array):
        return array
    call.fact = array
    return call


def _scalar(_machine: Machine, call: Call) -> Value | str:
    kind = arrays.element_type(call.args[0]) if len(call.args) == 2 else None
    if kind is None or kind.objects or type(call.args[1]) is not memoryview:
        return "not a type and its bytes"
    if len(call.args[1]) != kind.size:
        return "not as many bytes as the type has"
    call.fact = Array((1,), kind, call.args[1])
    return call


def _encode(_machine: Machine, call: Call) -> Value | str:
    match call.args:
        case [str(text), "latin1"]:
            try:
                return memoryview(text.encode("latin1"))
            except UnicodeEncodeError:
                return "text that is not Latin-1"
    return "not text and 'latin1'"


def _bytes(_machine: Machine, call: Call) -> Value | str:
    match call.args:
        case []:
            return memoryview(b"")
        case [memoryview() as data]:
            return data
        case [str(text), "latin-1" | "latin1"]:
            try:
                return memoryview(text.encode("latin1"))
            except UnicodeEncodeError:
                return "text that is not Latin-1"
    return "not bytes"


def _collection(machine: Machine, call: Call) -> Value | str:
    kind = call.callee.name
    if not call.args:
        items: list[Value] = []
    elif len(call.args) == 1 and isinstance(source := call.args[0], Items | Tup):
        items = list(source.items)
    else:
        return "not a plain list of elements"
    if kind in ("set", "frozenset"):
        for item in items:
            machine.key(item)
    return Tup(items) if kind == "tuple" else Items(kind, items)


def _mapping(machine: Machine, call: Call) -> Value | str:
    for source in call.args:
        if type(source) is Table:
            continue
        if not isinstance(source, Items | Tup):
            return "not a plain list of pairs"
        for pair in source.items:
            if not isinstance(pair, Items | Tup) or len(pair.items) != 2:
                return "not a plain list of pairs"
            machine.key(pair.items[0])
    return call


def _defaultdict(_machine: Machine, call: Call) -> Value | str:
    factory = call.args[0] if call.args else None
    if factory is None or (type(factory) is Global and factory.key in _FACTORIES):
        return call if len(call.args) < 2 else "not a factory alone"
    return "a factory that is no plain container or number"


def _deque(_machine: Machine, call: Call) -> Value | str:
    if not call.args or isinstance(call.args[0], Items | Tup):
        return call
    return "not a plain list of elements"


def _range(_machine: Machine, call: Call) -> Value | str:
    numbers = [item for item in call.args if type(item) is int]
    if len(numbers) != len(call.args) or any(abs(item) > _LONGEST_RANGE for item in numbers):
        return "not a range of reasonable length"
    return call


def _constants(_machine: Machine, call: Call) -> Value | str:
    plain = (int, float, str, bool, type(None))
    return call if all(isinstance(item, plain) for item in call.args) else "not plain constants"


def _object(_machine: Machine, call: Call) -> Value | str:
    return "any at all" if call.args else call


def _never(_machine: Machine, _call: Call) -> Value | str:
    return "it is only ever referred to"


def _reconstructor(machine: Machine, call: Call) -> Value | str:
    match call.args:
        case [Global() as cls, Global() as base, state] if base.key in _BASES and cls.callable:
            if (state is None) is not (base.key == "builtins:object"):
                return "a base without its state"
            machine.excuse(cls)
            made = Call(cls, [] if state is None else [state])
            return apply(machine, made)
    return "not a class, a plain base and its state"


def _newobj(machine: Machine, call: Call) -> Value | str:
    match call.args:
        case [Global() as cls, *rest] if cls.callable and not cls.function:
            machine.excuse(cls)
            return apply(machine, Call(cls, rest))
    return "not a class"


def _blank(machine: Machine, call: Call) -> Value | str:
    """Cython's ``newObj(cls)``."""
    return _newobj(machine, call) if len(call.args) == 1 else "not a class alone"


def _index(_machine: Machine, call: Call) -> Value | str:
    match call.args:
        case [Global() as cls, Table() as fields] if cls.module.partition(".")[0] == "pandas":
            data = fields.get("data")
            if not (type(data) is Call and data.callee.key == "builtins:range"):
                return call
    return "not a class of pandas and its fields"


def _tree(_machine: Machine, call: Call) -> Value | str:
    match call.args:
        case [int(), Call(fact=Array(shape=(classes,))), int(outputs)] if classes == outputs:
            return call
    return "not numbers of features, classes and outputs that agree"


def _random(machine: Machine, call: Call) -> Value | str:
    for item in call.args:
        if type(item) is Global:
            if item.key != "numpy.random._pickle:__bit_generator_ctor" and not (
                item.module.startswith("numpy.random._") and not item.function
            ):
                return "not a bit generator"
            machine.excuse(item)
        elif type(item) is not str and not (
            type(item) is Call and item.callee.module.startswith("numpy.random.")
        ):
            return "not a bit generator"
    return call


def _partial(_machine: Machine, call: Call) -> Value | str:
    return call if len(call.args) == 1 and _plain_function(call.args[0]) else "not a function alone"


def _plain_function(value: Value) -> bool:
    """A function that is only ever referred to: no class, whose constructor it would call."""
    return type(value) is Global and not value.callable and value.name[:1].islower()


def _partial_state(state: Value) -> str:
    if type(state) is Tup and len(state.items) == 4 and _plain_function(state.items[0]):
        return ""
    return "not a function and its arguments"


_CLASSES: dict[str, _Policy] = {
    "sklearn.tree._tree:Tree": _tree,
    "numpy:dtype": _dtype,
    "numpy:ndarray": _never,
    "numpy:memmap": _never,
    "builtins:bytes": _bytes,
    "builtins:bytearray": _bytes,
    "builtins:list": _collection,
    "builtins:tuple": _collection,
    "builtins:set": _collection,
    "builtins:frozenset": _collection,
    "builtins:dict": _mapping,
    "builtins:int": _constants,
    "builtins:float": _constants,
    "builtins:str": _constants,
    "builtins:bool": _constants,
    "builtins:complex": _constants,
    "builtins:object": _object,
    "builtins:range": _range,
    "builtins:type": _never,
    "collections:OrderedDict": _mapping,
    "collections:Counter": _mapping,
    "collections:defaultdict": _defaultdict,
    "collections:deque": _deque,
    "functools:partial": _partial,
}
_POLICIES: dict[str, _Policy] = {
    **_CLASSES,
    "numpy._core.multiarray:_reconstruct": _reconstruct,
    "numpy.ma.core:_mareconstruct": _reconstruct,
    "numpy._core.multiarray:scalar": _scalar,
    "numpy._core.numeric:_frombuffer": _frombuffer,
    "numpy.random._pickle:__randomstate_ctor": _random,
    "numpy.random._pickle:__generator_ctor": _random,
    "numpy.random._pickle:__bit_generator_ctor": _random,
    "_codecs:encode": _encode,
    "copyreg:_reconstructor": _reconstructor,
    "copyreg:__newobj__": _newobj,
    "pandas.core.indexes.base:_new_Index": _index,
    "sklearn.metrics._dist_metrics:newObj": _blank,
    "sklearn.neighbors._ball_tree:newObj": _blank,
    "sklearn.neighbors._dist_metrics:newObj": _blank,
    "sklearn.neighbors._kd_tree:newObj": _blank,
}
