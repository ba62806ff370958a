"""What each opcode of a pickle means to the symbolic machine: one table, byte to function."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from shipway.model.scan.values import Call, Global, Items, Table, Tup, Value

if TYPE_CHECKING:
    from shipway.model.scan.machine import Machine

__all__ = ["TABLE"]

_Handler = Callable[["Machine"], None]
TABLE: list[_Handler | None] = [None] * 256


def _op(code: bytes) -> Callable[[_Handler], _Handler]:
    def register(handler: _Handler) -> _Handler:
        TABLE[code[0]] = handler
        return handler

    return register


def _push(code: bytes, read: Callable[[Machine], Value]) -> None:
    def handler(machine: Machine) -> None:
        machine.stack.append(read(machine))

    TABLE[code[0]] = handler


def _int_line(machine: Machine) -> Value:
    raw = machine.stream.line()
    if raw in (b"00", b"01"):
        return raw == b"01"
    return machine.stream.integer(raw)


def _float_line(machine: Machine) -> Value:
    raw = machine.stream.line()
    try:
        return float(raw[:1000])
    except ValueError as exc:
        raise machine.stream.fail("a number that is none") from exc


_push(b"N", lambda _: None)
_push(b"\x88", lambda _: True)
_push(b"\x89", lambda _: False)
_push(b"I", _int_line)
_push(b"L", lambda m: m.stream.integer(m.stream.line().removesuffix(b"L")))
_push(b"F", _float_line)
_push(b"J", lambda m: m.stream.signed(4))
_push(b"K", lambda m: m.stream.number(1))
_push(b"M", lambda m: m.stream.number(2))
_push(b"G", lambda m: m.stream.double())
_push(b"\x8a", lambda m: m.integer(m.stream.number(1)))
_push(b"S", lambda m: m.stream.quoted())
_push(b"T", lambda m: m.stream.old_text(bytes(m.stream.take(m.stream.number(4)))))
_push(b"U", lambda m: m.stream.old_text(bytes(m.stream.take(m.stream.number(1)))))
_push(b"V", lambda m: m.stream.escaped())
_push(b"X", lambda m: m.stream.text(m.stream.number(4)))
_push(b"\x8c", lambda m: m.stream.text(m.stream.number(1)))
_push(b"\x8d", lambda m: m.stream.text(m.stream.number(8)))
_push(b"B", lambda m: m.stream.take(m.stream.number(4)))
_push(b"C", lambda m: m.stream.take(m.stream.number(1)))
_push(b"\x8e", lambda m: m.stream.take(m.stream.number(8)))
_push(b"\x96", lambda m: m.stream.take(m.stream.number(8)))


@_op(b"\x8b")
def _long4(machine: Machine) -> None:
    size = machine.stream.signed(4)
    if size < 0:
        raise machine.stream.fail("an integer of negative length")
    machine.stack.append(machine.integer(size))


@_op(b"\x80")
def _proto(machine: Machine) -> None:
    version = machine.stream.number(1)
    if version > 5:
        raise machine.stream.fail(f"pickle protocol {version} does not exist")


@_op(b"\x95")
def _frame(machine: Machine) -> None:
    stream = machine.stream
    size = stream.number(8)
    if stream.position <= stream.frame_end != 1 << 62:
        raise stream.fail("a frame begins inside a frame")
    if size > stream.end - stream.position:
        raise stream.fail(f"a frame of {size} bytes is cut off")
    stream.frame_end = stream.position + size


# -- the stack and the memo


@_op(b"(")
def _mark(machine: Machine) -> None:
    machine.count_container()
    machine.marks.append(machine.stack)
    machine.stack = []


@_op(b"0")
def _pop(machine: Machine) -> None:
    if machine.stack:
        machine.excuse(machine.stack.pop())
    else:
        machine.pop_mark()


@_op(b"1")
def _pop_mark(machine: Machine) -> None:
    for value in machine.pop_mark():
        machine.excuse(value)


@_op(b"2")
def _dup(machine: Machine) -> None:
    value = machine.stack[-1]
    machine.keep(value)
    machine.stack.append(value)


@_op(b"\x94")
def _memoize(machine: Machine) -> None:
    machine.memo[len(machine.memo)] = machine.stack[-1]


def _text_index(machine: Machine) -> int:
    raw = machine.stream.line()
    if len(raw) > 20 or not raw.isdigit():
        raise machine.stream.fail("a memo index that is none")
    return int(raw)


_op(b"p")(lambda m: m.put(_text_index(m)))
_op(b"q")(lambda m: m.put(m.stream.number(1)))
_op(b"r")(lambda m: m.put(m.stream.number(4)))
_op(b"g")(lambda m: m.get(_text_index(m)))
_op(b"h")(lambda m: m.get(m.stream.number(1)))
_op(b"j")(lambda m: m.get(m.stream.number(4)))


# -- containers


def _tuple(machine: Machine, items: list[Value]) -> None:
    machine.count_container()
    machine.stack.append(Tup(items))


def _last(machine: Machine, count: int) -> list[Value]:
    if len(machine.stack) < count:
        raise machine.stream.fail("an opcode takes from an empty stack")
    items = machine.stack[-count:]
    del machine.stack[-count:]
    return items


def _new(code: bytes, make: Callable[[list[Value]], Value]) -> None:
    def handler(machine: Machine) -> None:
        machine.count_container()
        machine.stack.append(make([]))

    TABLE[code[0]] = handler


_new(b")", Tup)
_new(b"]", lambda items: Items("list", items))
_new(b"}", Table)
_new(b"\x8f", lambda items: Items("set", items))
_op(b"\x85")(lambda m: _tuple(m, _last(m, 1)))
_op(b"\x86")(lambda m: _tuple(m, _last(m, 2)))
_op(b"\x87")(lambda m: _tuple(m, _last(m, 3)))
_op(b"t")(lambda m: _tuple(m, m.pop_mark()))
_op(b"a")(lambda m: m.fill(_last(m, 1)))
_op(b"e")(lambda m: m.fill(m.pop_mark()))
_op(b"s")(lambda m: m.update(_last(m, 2)))
_op(b"u")(lambda m: m.update(m.pop_mark()))
_op(b"\x90")(lambda m: m.add(m.pop_mark()))


@_op(b"l")
def _list(machine: Machine) -> None:
    items = machine.pop_mark()
    machine.stack.append(Items("list", items))


@_op(b"d")
def _dict(machine: Machine) -> None:
    pairs = machine.pop_mark()
    machine.stack.append(Table([]))
    machine.update(pairs)


@_op(b"\x91")
def _frozenset(machine: Machine) -> None:
    items = machine.pop_mark()
    for item in items:
        machine.key(item)
    machine.stack.append(Items("frozenset", items))


# -- names, calls and state


@_op(b"c")
def _global(machine: Machine) -> None:
    module = machine.stream.name()
    machine.refer(module, machine.stream.name())


@_op(b"\x93")
def _stack_global(machine: Machine) -> None:
    module, name = _last(machine, 2)
    machine.refer(module, name)


@_op(b"R")
def _reduce(machine: Machine) -> None:
    callee, args = _last(machine, 2)
    machine.call(callee, args)


@_op(b"\x81")
def _newobj(machine: Machine) -> None:
    callee, args = _last(machine, 2)
    machine.call(callee, args)


@_op(b"\x92")
def _newobj_ex(machine: Machine) -> None:
    callee, args, keywords = _last(machine, 3)
    if type(keywords) is not Table or type(args) is not Tup:
        raise machine.stream.fail("NEWOBJ_EX without arguments")
    machine.call(callee, Tup([*args.items, keywords]) if keywords.pairs else args)


@_op(b"i")
def _inst(machine: Machine) -> None:
    module = machine.stream.name()
    name = machine.stream.name()
    args = machine.pop_mark()
    machine.refer(module, name)
    machine.call(machine.stack.pop(), Tup(args))


@_op(b"o")
def _obj(machine: Machine) -> None:
    callee, *args = machine.pop_mark() or [None]
    machine.call(callee, Tup(args))


_op(b"b")(lambda m: m.build())


# -- what no model needs


def _persistent(machine: Machine, pid: Value) -> None:
    if machine.persistent is not None:
        machine.stack.append(machine.persistent(machine, pid))
        return
    machine.find("persistent id", "the pickle asks its loader for an object from elsewhere")
    machine.stack.append(_nothing())


def _extension(machine: Machine, size: int) -> None:
    code = machine.stream.number(size)
    machine.find("extension registry", f"the name of a global hides behind the code {code}")
    machine.stack.append(_nothing())


def _nothing() -> Call:
    return Call(Global("?", "?", callable_=True, function=False), [])


@_op(b"\x97")
def _next_buffer(machine: Machine) -> None:
    machine.find("out-of-band buffer", "the pickle takes bytes that are not in the file")
    machine.stack.append(machine.stream.view[:0])


@_op(b"\x98")
def _readonly_buffer(machine: Machine) -> None:
    machine.find("out-of-band buffer", "the pickle takes bytes that are not in the file")


_op(b"P")(lambda m: _persistent(m, m.stream.name()))
_op(b"Q")(lambda m: _persistent(m, m.stack.pop()))
_op(b"\x82")(lambda m: _extension(m, 1))
_op(b"\x83")(lambda m: _extension(m, 2))
_op(b"\x84")(lambda m: _extension(m, 4))
