"""Hand-made pickles: each function writes opcodes, none is ever run."""

import pickle
import struct


def text(value: str) -> bytes:
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def name(module: str, qualname: str) -> bytes:
    return text(module) + text(qualname) + b"\x93"


def call(module: str, qualname: str, *args: bytes) -> bytes:
    """REDUCE of a global with the arguments given as opcodes."""
    return name(module, qualname) + b"(" + b"".join(args) + b"tR"


def pickled(*body: bytes) -> bytes:
    return b"\x80\x04" + b"".join(body) + b"."


def inside(value: object) -> bytes:
    """The opcodes that push an honest value."""
    return pickle.dumps(value, 2)[2:-1]


CANARY = "/shipway-canary-that-must-never-exist"
TOUCH = text(f"touch {CANARY}")


def state(**attributes: bytes) -> bytes:
    """A dictionary of attributes and BUILD."""
    return b"}(" + b"".join(text(key) + value for key, value in attributes.items()) + b"ub"


ESTIMATOR = name("sklearn.linear_model._base", "LinearRegression") + b")\x81"
F8 = call("numpy", "dtype", text("f8"), b"\x89\x88")


def dtype(kind: str, *rest: bytes) -> bytes:
    """A type with a state of eight parts, given as opcodes."""
    return call("numpy", "dtype", text(kind), b"\x89\x88") + b"(" + b"".join(rest) + b"tb"


def array(kind: bytes, shape: bytes, data: bytes) -> bytes:
    start = call(
        "numpy._core.multiarray", "_reconstruct", name("numpy", "ndarray"), b"K\0\x85C\x01b"
    )
    return start + b"(K\x01" + shape + kind + b"\x89" + data + b"tb"


def raw(data: bytes) -> bytes:
    return b"B" + struct.pack("<I", len(data)) + data
