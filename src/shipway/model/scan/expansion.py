"""How large a value is when everything that is shared counts as often as it occurs.

A few hundred bytes make a list of lists of lists … of the same lists: harmless until something
(``numpy.asarray``, a comparison, ``repr``) walks through it.
"""

from __future__ import annotations

from shipway.model.scan.values import Call, Items, Table, Tup, Value

__all__ = ["expands_beyond"]


def _inside(value: Value) -> list[Value]:
    if type(value) is Table:
        return value.pairs
    if type(value) is Tup or type(value) is Items:
        return value.items
    return []


def expands_beyond(root: Value, limit: int) -> bool:
    """Whether any container reachable from ``root`` expands to more than ``limit`` elements.

    Instances end a walk and begin another: nothing walks through them unasked.
    """
    sizes: dict[int, int] = {}
    roots: list[Value] = [root]
    while roots:
        stack: list[tuple[Value, bool]] = [(roots.pop(), False)]
        while stack:
            value, done = stack.pop()
            key = id(value)
            if done:
                size = 1
                for item in _inside(value):
                    size += sizes.get(id(item), 1)
                if size > limit:
                    return True
                sizes[key] = size
                continue
            if key in sizes:
                continue
            if type(value) is Call:
                sizes[key] = 1
                roots.extend(item for item in value.args if _walkable(item))
                if _walkable(value.state):
                    roots.append(value.state)
            elif _walkable(value):
                sizes[key] = 1
                stack.append((value, True))
                stack.extend((item, False) for item in _inside(value) if _walkable(item))
    return False


def _walkable(value: Value) -> bool:
    return type(value) in (Tup, Items, Table, Call)
