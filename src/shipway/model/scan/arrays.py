"""What is known of numpy arrays in a pickle: element type, shape, bytes.

``numpy.dtype.__setstate__`` believes whatever flags and sizes it is given: a type of objects
whose flags say that it holds none makes numpy take bytes of the file for pointers. So the state
of every type and the size of every array are checked here against each other.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import numpy as np

from shipway.model.scan.values import Array, Call, DType, Global, Items, Table, Tup, Value

if TYPE_CHECKING:
    from shipway.model.scan.machine import Machine

__all__ = [
    "WRAPPER",
    "dtype",
    "dtype_state",
    "element_type",
    "from_parts",
    "from_state",
    "integer",
    "is_scalar",
    "read",
    "shape_of",
]

WRAPPER = ("joblib.numpy_pickle", "NumpyArrayWrapper")

_TEXT = re.compile(r"[<>|=]?([?biufcSUVOMm])(\d{0,9})")
_REFERENCE_FLAGS = 0x1 | 0x2 | 0x4  # counted, pickled as list, pointer
_OBJECT_FLAGS = 63
_MOST_EMPTY = 1_000_000


def dtype(text: Value) -> DType | None:
    """The type that ``numpy.dtype(text)`` makes, None for text that numpy's pickles do not hold."""
    found = _TEXT.fullmatch(text) if type(text) is str else None
    if found is None:
        return None
    if found[1] == "O":
        return DType("|O", 8)
    try:
        return DType(found[1] + found[2], np.dtype(found[1] + found[2]).itemsize)
    except (TypeError, ValueError):
        return None


def dtype_state(kind: DType, state: Value) -> str:
    """Take over the state of a type; the answer is what is wrong with it, or nothing."""
    if type(state) is not Tup or len(state.items) not in (8, 9) or state.items[0] not in (3, 4):
        return "an unknown version of its state"
    _, order, sub, names, fields, size, align, flags = state.items[:8]
    if type(flags) is not int or type(size) is not int or type(order) is not str:
        return "a state of the wrong types"
    if order not in ("<", ">", "|", "="):
        return "an unknown order of bytes"
    if kind.objects:
        plain = sub is None and names is None and fields is None and size == -1
        return "" if plain and flags == _OBJECT_FLAGS else "objects whose flags deny it"
    if flags & _REFERENCE_FLAGS or flags < 0:
        return "flags of objects on a type that holds none"
    sized = (kind.text or "V")[0] in "SUV"  # numpy takes their size from the state
    if size != kind.size and (sized or size != -1):
        return f"a size of {size} bytes instead of {kind.size}"
    if align not in (-1, 1, 2, 4, 8, 16, 32):
        return f"an alignment of {align} bytes"
    if sub is not None:
        return "arrays as elements of an array"
    if fields is not None:
        return _structured(kind, names, fields)
    if names is not None:
        return "names without fields"
    kind.text = f"{order}{kind.text}"
    return ""


def _structured(kind: DType, names: Value, fields: Value) -> str:
    if type(names) is not Tup or type(fields) is not Table or not (kind.text or "").startswith("V"):
        return "fields of the wrong types"
    if len(names.items) > 1000 or len(fields.pairs) != 2 * len(names.items) or not fields.plain:
        return "names that do not agree with its fields"
    kind.text = None
    for name in names.items:
        field = fields.get(name) if type(name) is str else None
        if type(name) is not str or type(field) is not Tup or len(field.items) != 2:
            return "fields of the wrong types"
        inner, offset = element_type(field.items[0]), field.items[1]
        if inner is None or type(offset) is not int or inner.objects:
            return "fields that are no plain numbers or texts"
        if offset < 0 or offset + inner.size > kind.size:
            return "fields that reach beyond its size"
        if name in kind.fields:
            return "fields of the same name"
        kind.fields[name] = (inner, offset)
    return ""


def element_type(value: Value) -> DType | None:
    """The type that a symbol stands for."""
    if type(value) is Call and isinstance(value.fact, DType):
        return value.fact
    return None


def shape_of(value: Value) -> tuple[int, ...] | None:
    """A shape of plain, not negative integers, at most 64 of them."""
    if type(value) is not Tup or len(value.items) > 64:
        return None
    shape = []
    for item in value.items:
        extent = integer(item)
        if extent is None or extent < 0:
            return None
        shape.append(extent)
    return tuple(shape)


def integer(value: Value) -> int | None:
    """A plain integer, or one of numpy's."""
    if type(value) is int:
        return value
    if type(value) is Call and isinstance(value.fact, Array):
        number = value.fact.numpy()
        if number is not None and number.dtype.kind in "iu" and number.size == 1:
            return int(number[0])
    return None


def is_scalar(value: Call) -> bool:
    """A number or text of numpy's, of whose kind only few hash alike."""
    kind = value.fact.dtype if isinstance(value.fact, Array) else None
    text = (kind.text or "").lstrip("<>|=") if kind else ""
    return (
        text[:1] in ("U", "S")
        or text in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8")
        or (text in ("f2", "f4", "f8", "b1", "?", "b"))
    )


def _make(shape: tuple[int, ...], kind: DType, data: Value) -> Array | str:
    count = math.prod(shape)
    if kind.objects:
        if type(data) is not Items or data.kind != "list" or len(data.items) != count:
            return "an array of objects without a list of its elements"
        return Array(shape, kind, None)
    if type(data) is not memoryview:
        return "an array without bytes"
    if count * kind.size != len(data) or (not kind.size and count > _MOST_EMPTY):
        return f"an array of shape {shape} in {len(data)} bytes"
    return Array(shape, kind, data)


def from_state(state: Value) -> Array | str:
    """The array that ``ndarray.__setstate__`` makes, or what is wrong with it."""
    if type(state) is not Tup or len(state.items) not in (4, 5, 7):
        return "a state of the wrong types"
    items = state.items if len(state.items) == 4 else state.items[1:]
    shape, kind = shape_of(items[0]), element_type(items[1])
    if shape is None or kind is None:
        return "a state of the wrong types"
    return _make(shape, kind, items[3])


def from_parts(shape: Value, kind: Value, data: Value) -> Array | str:
    """The array of these parts, or what is wrong with them."""
    extents, element = shape_of(shape), element_type(kind)
    if extents is None or element is None or element.objects:
        return "parts of the wrong types"
    return _make(extents, element, data)


def read(machine: Machine, wrapper: Call, state: Value) -> Value:
    """Joblib's array behind its wrapper: raw bytes, or a pickle of its own for objects.

    Source: ``joblib/numpy_pickle.py``, ``NumpyArrayWrapper.read_array``.
    """
    stream = machine.stream
    if stream.frame_end != 1 << 62:
        if stream.position != stream.frame_end:
            raise stream.fail("an array begins inside a frame")
        stream.frame_end = 1 << 62
    if type(state) is not Table or not state.plain or wrapper.state is not None:
        raise stream.fail("an array without a description")
    shape, kind = shape_of(state.get("shape")), element_type(state.get("dtype"))
    subclass = state.get("subclass")
    if shape is None or kind is None or state.get("order") not in ("C", "F"):
        raise stream.fail("an array with a description that is none")
    if type(subclass) is not Global or subclass.key not in ("numpy:ndarray", "numpy:memmap"):
        machine.find(str(subclass), "an array of another class than numpy's own")
    wrapper.state = state
    result = Call(wrapper.callee, [])
    if kind.objects:
        result.args = [machine.nested(f"the array of objects at byte {stream.position}")]
        return result
    if state.get("numpy_array_alignment_bytes") is not None:
        stream.take(stream.number(1))
    made = _make(shape, kind, stream.take(math.prod(shape) * kind.size))
    if isinstance(made, str):
        raise stream.fail(made)
    result.fact = made
    return result
