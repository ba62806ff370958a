"""Reading the arguments of pickle opcodes: every length is checked before a byte is taken."""

from __future__ import annotations

import codecs
import struct

from shipway.errors import CorruptModelError

__all__ = ["Stream", "corrupt"]

LINE = 1 << 20
NUMBER = 4000
"""Digits of an integer or a float in text: turning text into an integer takes quadratic time."""


def corrupt(what: str, where: str) -> CorruptModelError:
    """A pickle that no unpickler could load."""
    return CorruptModelError(
        f"The pickle is broken: {what} ({where}).",
        "Save the model again, or copy the file again and compare its digest.",
    )


class Stream:
    """A position in the bytes of a pickle. ``part`` names them in messages."""

    __slots__ = ("data", "end", "frame_end", "part", "position", "view")

    def __init__(self, data: bytes, position: int = 0, part: str = "the pickle") -> None:
        self.data = data
        self.view = memoryview(data)
        self.position = position
        self.end = len(data)
        self.part = part
        self.frame_end = 1 << 62

    @property
    def where(self) -> str:
        """The place, for messages."""
        return f"byte {self.position} of {self.part}"

    def fail(self, what: str) -> CorruptModelError:
        """The error for a pickle that is broken here."""
        return corrupt(what, self.where)

    def take(self, count: int) -> memoryview:
        """The next bytes, without a copy."""
        start = self.position
        stop = start + count
        if stop > self.end:
            raise self.fail(
                f"{count} bytes are announced, but only {self.end - start} are left: it is cut off"
            )
        self.position = stop
        return self.view[start:stop]

    def number(self, size: int) -> int:
        """An unsigned little-endian integer of ``size`` bytes."""
        return int.from_bytes(self.take(size), "little")

    def signed(self, size: int) -> int:
        """The same, signed."""
        return int.from_bytes(self.take(size), "little", signed=True)

    def double(self) -> float:
        """Eight bytes, big-endian."""
        value: float = struct.unpack(">d", self.take(8))[0]
        return value

    def line(self) -> bytes:
        """Up to the next newline, without it."""
        stop = self.data.find(b"\n", self.position, self.position + LINE)
        if stop < 0:
            raise self.fail("a line does not end: it is cut off")
        line = self.data[self.position : stop]
        self.position = stop + 1
        return line

    def text(self, size: int) -> str:
        """UTF-8 of ``size`` bytes, as unpicklers decode it."""
        try:
            return str(self.take(size), "utf-8", "surrogatepass")
        except UnicodeDecodeError as exc:
            raise self.fail("text that is not UTF-8") from exc

    def old_text(self, raw: bytes) -> str:
        """A byte string of Python 2."""
        try:
            return raw.decode("ascii")
        except UnicodeDecodeError as exc:
            raise self.fail("a byte string of Python 2 that is not ASCII") from exc

    def quoted(self) -> str:
        """A quoted byte string of Python 2 in a line of its own."""
        raw = self.line()
        if len(raw) < 2 or raw[:1] not in (b"'", b'"') or raw[-1:] != raw[:1]:
            raise self.fail("a string without quotes")
        try:
            return self.old_text(codecs.escape_decode(raw[1:-1])[0])
        except ValueError as exc:
            raise self.fail("a string with a broken escape") from exc

    def escaped(self) -> str:
        """Text in a line of its own, in the encoding raw-unicode-escape."""
        try:
            return str(self.line(), "raw-unicode-escape")
        except UnicodeDecodeError as exc:
            raise self.fail("text with a broken escape") from exc

    def name(self) -> str:
        """One line of a GLOBAL."""
        try:
            return self.line().decode("utf-8")
        except UnicodeDecodeError as exc:
            raise self.fail("a name that is not UTF-8") from exc

    def integer(self, raw: bytes) -> int:
        """An integer in text."""
        if len(raw) > NUMBER:
            raise self.fail(f"an integer of {len(raw)} digits")
        try:
            return int(raw, 0)
        except ValueError as exc:
            raise self.fail("an integer that is none") from exc
