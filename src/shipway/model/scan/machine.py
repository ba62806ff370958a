"""A pickle interpreted over symbols: every opcode has its meaning, none has an effect.

The opcodes are documented in CPython's ``pickletools``. The machine is stricter than an
unpickler: what no pickler writes (a computed name, a call of a computed value, state set on a
class, an index or a length out of proportion) is refused even where an unpickler would go on.
"""

from __future__ import annotations

from collections.abc import Callable

from shipway.model import allowlist
from shipway.model.allowlist import Use
from shipway.model.scan import arrays, policies, trees
from shipway.model.scan.opcodes import TABLE
from shipway.model.scan.report import Gathered
from shipway.model.scan.stream import Stream
from shipway.model.scan.values import Call, Global, Items, Table, Tup, Value, weight

__all__ = ["Machine"]

_NO_FRAME = 1 << 62
_BIG = (1 << 61) - 1  # the modulus of hash(int): multiples of it collide
_COLLIDING_KEYS = 10_000
_INSTANCE_KEYS = 200_000
_KEY_WEIGHT = 10_000
_KEY_DEPTH = 100
_LONG = 4096
_PLAIN_DUNDERS = frozenset({"__orig_class__", "__doc__", "__module__", "__name__", "__qualname__"})


class Machine:
    """One run over one stream. ``inline`` tells that joblib's arrays lie between the opcodes.

    ``persistent`` stands in for the loader's persistent ids; without it they are refused.
    """

    def __init__(
        self,
        stream: Stream,
        gathered: Gathered,
        *,
        inline: bool = False,
        persistent: Callable[[Machine, Value], Value] | None = None,
        resolve: Callable[[Machine, str, str], Global | None] | None = None,
    ) -> None:
        self.stream: Stream = stream
        self.gathered: Gathered = gathered
        self.inline = inline
        self.persistent = persistent
        self.resolve = resolve
        self.stack: list[Value] = []
        self.marks: list[list[Value]] = []
        self.memo: dict[int, Value] = {}
        self.globals: dict[tuple[str, str], Global] = {}
        self.loose: dict[Global, int] = {}
        self.unfinished: dict[int, Call] = {}
        self.forests: list[trees.Forest] = []
        self.room = 1_000_000 + len(stream.data) // 4
        self.colliding = 0
        self.instance_keys = 0

    def run(self) -> Value:
        """The symbol of the object that the pickle describes; the stream is left behind STOP.

        Raises:
            CorruptModelError: no unpickler could load it.
        """
        stream, data, end = self.stream, self.stream.data, self.stream.end
        while True:
            position = stream.position
            if position >= stream.frame_end:
                if position > stream.frame_end:
                    raise stream.fail("an opcode reaches beyond its frame")
                stream.frame_end = _NO_FRAME
            if position >= end:
                raise stream.fail("it ends before the STOP opcode: it is cut off")
            stream.position = position + 1
            code = data[position]
            if code == 0x2E:
                return self._stop()
            handler = TABLE[code]
            if handler is None:
                raise stream.fail(f"there is no opcode 0x{code:02x}")
            try:
                handler(self)
            except IndexError as exc:
                raise stream.fail("an opcode takes from an empty stack") from exc

    def _stop(self) -> Value:
        if not self.stack:
            raise self.stream.fail("nothing is left at the STOP opcode")
        if self.stream.frame_end not in (_NO_FRAME, self.stream.position):
            # The rest of the frame is read ahead by one unpickler and left over by another.
            raise self.stream.fail("it ends inside a frame")
        value = self.stack.pop()
        for call in self.unfinished.values():
            self.find(str(call.callee), "it is never given its state: compiled code trusts it")
        for forest in self.forests:
            if trouble := forest.trouble():
                self.find(forest.name, f"its state is not what it writes itself: {trouble}")
        for function, count in self.loose.items():
            if count > 0:
                self.find(str(function), "it may be called, but not be kept as a value")
        return value

    def find(self, name: str, reason: str, *, allowable: bool = False) -> None:
        """Note something that nobody allowed, here."""
        self.gathered.find(name, reason, self.stream.where, allowable=allowable)

    def count_container(self) -> None:
        """Bound the memory that empty containers take: 1 byte of file makes 64 bytes of list."""
        self.room -= 1
        if self.room == 0:
            self.find("too many objects", "the file makes more containers than its size explains")
        if self.room < -1_000_000:
            raise self.stream.fail("it makes more containers than its size explains")

    def pop_mark(self) -> list[Value]:
        """What lies above the topmost mark."""
        items = self.stack
        self.stack = self.marks.pop()
        return items

    def put(self, index: int) -> None:
        """Remember the top of the stack under an index that an honest pickler could have used."""
        if index > 2 * len(self.memo) + 1000:
            self.find("memo index", f"the index {index} makes an unpickler take all memory")
            raise self.stream.fail(f"memo index {index} is out of proportion")
        self.memo[index] = self.stack[-1]

    def get(self, index: int) -> None:
        """Push what was remembered."""
        try:
            value = self.memo[index]
        except KeyError:
            raise self.stream.fail(f"memo index {index} was never set") from None
        self.keep(value)
        self.stack.append(value)

    def keep(self, value: Value) -> None:
        """One more mention of what must not be a value in the end: a policy excuses each."""
        if type(value) is Global and value.passing:
            self.loose[value] = self.loose.get(value, 0) + 1

    def refer(self, module: Value, name: Value) -> None:
        """Push the global of that name."""
        if type(module) is not str or type(name) is not str:
            self.find("computed name", "the name of a global is not a constant")
            self.stack.append(Global("?", "?", callable_=True, function=False))
            return
        found = self.globals.get((module, name))
        if found is None:
            found = self.globals[module, name] = self._global(module, name)
        self.keep(found)
        self.stack.append(found)

    def _global(self, module: str, name: str) -> Global:
        module, name = allowlist.canonical(module, name)
        if self.resolve is not None and (own := self.resolve(self, module, name)) is not None:
            return own
        if (module, name) == arrays.WRAPPER:
            self.gathered.names.add(f"{module}.{name}")
            if not self.inline:
                self.find(f"{module}.{name}", "joblib's arrays are not expected here")
            return Global(module, name, callable_=True, function=False)
        use = self.gathered.use(module, name, self.stream.where)
        vouched = f"{module}.{name}" in self.gathered.policy.names
        function = use is Use.CALL or (policies.is_function(module, name) and not vouched)
        return Global(
            module,
            name,
            callable_=use is not Use.REFER,
            function=function,
            empty=use is Use.NEW,
        )

    def excuse(self, value: Value) -> None:
        """A policy knows that this function is a harmless argument."""
        if type(value) is Global and value in self.loose:
            self.loose[value] -= 1

    def call(self, callee: Value, args: Value) -> None:
        """Push the result of a call, or of a creation."""
        if type(args) is not Tup:
            if type(args) is Call:
                self.find("computed arguments", "the arguments of a call are not a plain tuple")
                args = Tup([])
            else:
                raise self.stream.fail("the arguments of a call are no tuple")
        if type(callee) is not Global:
            self.find("computed callable", "what is called is not a name but a computed value")
            callee = Global("?", "?", callable_=True, function=False)
        self.excuse(callee)
        if not callee.callable:
            self.find(str(callee), "it may be referred to, but not be called", allowable=True)
        made = policies.apply(self, Call(callee, args.items))
        if type(made) is Call and made.callee.key in trees.KEYS:
            self.unfinished[id(made)] = made
        self.stack.append(made)

    def build(self) -> None:
        """Set the state of an instance."""
        state = self.stack.pop()
        target = self.stack[-1]
        if type(target) is not Call:
            name = str(target) if type(target) is Global else "state on a container"
            self.find(name, "state is set on something that is no instance: a class is changed")
            return
        if target.built:
            self.find(str(target.callee), "its state is set twice: what was checked is exchanged")
        target.built = True
        self.unfinished.pop(id(target), None)
        self._check_state(target, state)
        if self.inline and (target.callee.module, target.callee.name) == arrays.WRAPPER:
            self.stack[-1] = arrays.read(self, target, state)
            return
        policies.apply_state(self, target, state)
        target.state = state

    def _check_state(self, target: Call, state: Value) -> None:
        if type(state) is Call:
            self.find(str(target.callee), "its state is computed")
        parts: list[tuple[Value, frozenset[str]]] = [(state, _PLAIN_DUNDERS)]
        if type(state) is Tup and len(state.items) == 2:
            parts = [(state.items[0], _PLAIN_DUNDERS), (state.items[1], frozenset())]
        for table, harmless in parts:
            if type(table) is not Table:
                continue
            if not table.plain:
                self.find(str(target.callee), "the name of an attribute is no plain text")
            for key in table.pairs[::2]:
                if type(key) is str and key[:2] == "__" == key[-2:] and key not in harmless:
                    self.find(key, "an attribute that belongs to Python itself is set")

    def key(self, key: Value) -> None:
        """Check what has to be hashed: constants are free, nests and collisions are bounded."""
        kind = type(key)
        if kind is str or kind is bool or key is None or kind is float or kind is memoryview:
            return
        if type(key) is int:
            if -_BIG < key < _BIG:
                return
            self.colliding += 1
        elif type(key) is Call:
            self.instance_keys += 1
            self.colliding += not arrays.is_scalar(key)
        elif type(key) is Tup or (type(key) is Items and key.kind == "frozenset"):
            size, depth = weight(key)
            if size > _KEY_WEIGHT or depth > _KEY_DEPTH:
                self.find("nested key", "hashing a key of a dictionary or a set would never end")
            self.colliding += 1 + size // 8
        elif kind is not Global:
            raise self.stream.fail("a key of a dictionary or a set cannot be hashed")
        if self.colliding > _COLLIDING_KEYS or self.instance_keys > _INSTANCE_KEYS:
            self.find("colliding keys", "so many keys of this kind can be made to hash alike")

    def fill(self, items: list[Value]) -> None:
        """Append to the list on top of the stack (or to an instance of a container class)."""
        target = self.stack[-1]
        if type(target) is Items and target.kind == "list":
            target.items.extend(items)
        else:
            self._fill_instance(target)

    def update(self, pairs: list[Value]) -> None:
        """Set items of the dictionary on top of the stack."""
        if len(pairs) % 2:
            raise self.stream.fail("a key without a value")
        for key in pairs[::2]:
            if type(key) is not str:
                self.key(key)
        target = self.stack[-1]
        if type(target) is Table:
            target.pairs.extend(pairs)
        else:
            self._fill_instance(target)
            if type(target) is Call:
                target.args = [*target.args, *pairs]

    def add(self, items: list[Value]) -> None:
        """Add to the set on top of the stack."""
        for item in items:
            self.key(item)
        target = self.stack[-1]
        if type(target) is Items and target.kind == "set":
            target.items.extend(items)
        else:
            self._fill_instance(target)

    def _fill_instance(self, target: Value) -> None:
        if type(target) is not Call:
            raise self.stream.fail("items are put into something that is no container")
        if target.callee.key not in policies.CONTAINERS or target.state is not None:
            self.find(
                f"items of {target.callee}", "putting items into it calls a method of the instance"
            )

    def integer(self, size: int) -> int:
        """A binary integer of bounded size."""
        if size > _LONG:
            self.find("oversized integer", f"an integer of {size} bytes")
        return int.from_bytes(self.stream.take(size), "little", signed=True)

    def nested(self, part: str) -> Value:
        """A pickle inside the pickle (joblib's object arrays), scanned to its own end."""
        stream = Stream(self.stream.data, self.stream.position, part)
        inner = Machine(stream, self.gathered)
        inner.room = self.room
        value = inner.run()
        self.room = inner.room
        self.stream.position = stream.position
        return value
