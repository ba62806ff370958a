"""What stands for the objects of a pickle while it is interpreted without being executed.

Constants stand for themselves (``None``, ``bool``, ``int``, ``float``, ``str``); bytes are a
``memoryview`` of the file. Nothing here is ever hashed or compared with another value.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["Array", "Call", "DType", "Global", "Items", "Table", "Tup", "Value", "weight"]


class Global:
    """A name that the pickle imports."""

    __slots__ = ("callable", "empty", "function", "key", "module", "name")

    def __init__(
        self, module: str, name: str, *, callable_: bool, function: bool, empty: bool = False
    ) -> None:
        self.module = module
        self.name = name
        self.key = f"{module}:{name}"
        self.callable = callable_
        self.function = function
        """It may be called, but not kept as a value."""
        self.empty = empty
        """It may be created, but not with arguments."""

    @property
    def passing(self) -> bool:
        """It may be called while loading, and not be kept: the model would call it later."""
        return self.function or (self.empty and not self.module.startswith("sklearn."))

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


class Tup:
    """A tuple; ``weight`` is its size with everything shared counted as often as it occurs."""

    __slots__ = ("depth", "items", "weight")

    def __init__(self, items: list[Value]) -> None:
        self.items = items
        self.weight: int
        self.depth: int
        weight = 1 + len(items)
        depth = 1
        for item in items:
            if type(item) is Tup or type(item) is Items:
                weight += item.weight
                depth = max(depth, item.depth + 1)
        self.weight = min(weight, 1 << 60)
        self.depth = depth


class Items:
    """A list, a set or a frozenset."""

    __slots__ = ("depth", "items", "kind", "weight")

    def __init__(self, kind: str, items: list[Value]) -> None:
        self.kind = kind
        self.items = items
        self.weight: int = 1
        self.depth: int = 1
        if kind == "frozenset":
            frozen = Tup(items)
            self.weight, self.depth = frozen.weight, frozen.depth


class Table:
    """A dictionary: keys and values in turn."""

    __slots__ = ("pairs",)

    def __init__(self, pairs: list[Value]) -> None:
        self.pairs = pairs

    @property
    def plain(self) -> bool:
        """All keys are text of the file: numpy's texts equal such a key, and replace its value."""
        return all(type(key) is str for key in self.pairs[::2])

    def get(self, key: str) -> Value:
        """The last value stored under a text key, None when there is none."""
        pairs = self.pairs
        for index in range(len(pairs) - 2, -1, -2):
            if pairs[index] == key and type(pairs[index]) is str:
                return pairs[index + 1]
        return None


class DType:
    """An array's element type, told from the arguments and the state of ``numpy.dtype``.

    ``text`` is what numpy understands ("<f8"), None for a structured type, which has ``fields``:
    name to (type, offset). ``size`` is in bytes.
    """

    __slots__ = ("fields", "size", "text")

    def __init__(self, text: str | None, size: int) -> None:
        self.text = text
        self.size = size
        self.fields: dict[str, tuple[DType, int]] = {}

    @property
    def objects(self) -> bool:
        """The elements are references to Python objects."""
        return self.text is not None and self.text.endswith("O")

    def numpy(self) -> np.dtype[np.void]:
        """The real type; made from checked text and numbers alone."""
        if self.text is not None:
            return np.dtype(self.text)
        return np.dtype(
            {
                "names": list(self.fields),
                "formats": [kind.numpy() for kind, _ in self.fields.values()],
                "offsets": [offset for _, offset in self.fields.values()],
                "itemsize": self.size,
            }
        )


class Array:
    """A numpy array whose bytes lie in the file (``data``), or are of no interest (None)."""

    __slots__ = ("data", "dtype", "shape")

    def __init__(
        self, shape: tuple[int, ...], dtype: DType | None, data: memoryview | None
    ) -> None:
        self.shape = shape
        self.dtype = dtype
        self.data = data

    def numpy(self) -> npt.NDArray[np.void] | None:
        """The elements in the order of the file; None when the bytes are not at hand."""
        if self.data is None or self.dtype is None or self.dtype.objects:
            return None
        return np.frombuffer(self.data, dtype=self.dtype.numpy())


class Call:
    """The result of calling a global: an instance, a dtype, an array."""

    __slots__ = ("args", "built", "callee", "fact", "state")

    def __init__(self, callee: Global, args: list[Value]) -> None:
        self.callee = callee
        self.args = args
        self.state: Value = None
        self.built = False
        self.fact: DType | Array | None = None
        """What a policy found out about it."""


Value = None | bool | int | float | str | memoryview | Global | Tup | Items | Table | Call


def weight(value: Value) -> tuple[int, int]:
    """(size, depth) of what has to be visited to hash a key."""
    if type(value) is Tup or type(value) is Items:
        return value.weight, value.depth
    return 1, 1
