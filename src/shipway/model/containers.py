"""Compressed streams and zip archives, read within limits.

A few kilobytes can expand to terabytes, and a zip directory can claim anything: every size is
counted here while it grows, and what an honest program would never write is refused.
"""

from __future__ import annotations

import bz2
import io
import lzma
import re
import stat
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shipway.errors import CorruptModelError, MissingPackageError, UnsafeModelError

__all__ = ["LIMITS", "Limits", "compression", "decompress", "open_zip", "peek", "read_member"]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a container may hold. Sizes in bytes.

    ``ratio`` (expanded to compressed) counts only beyond ``free`` bytes: small models may be as
    repetitive as they like.
    """

    expanded: int = 4 << 30
    free: int = 64 << 20
    ratio: int = 300
    entries: int = 200_000
    dictionary: int = 256 << 20
    """Memory that an LZMA stream may ask for; ``xz -9`` needs 65 MiB."""


LIMITS = Limits()

_CHUNK = 1 << 20
_MAGIC: tuple[tuple[str, re.Pattern[bytes]], ...] = (
    ("gzip", re.compile(rb"\x1f\x8b\x08")),
    ("bz2", re.compile(rb"BZh[1-9]1AY&SY")),
    ("xz", re.compile(rb"\xfd7zXZ\0")),
    ("lzma", re.compile(rb"\x5d\0")),
    ("lz4", re.compile(rb"\x04\x22\x4d\x18")),
    ("zlib", re.compile(rb"\x78[\x01\x5e\x9c\xda]")),
)


def compression(data: bytes) -> str | None:
    """The name of the compression that the bytes begin with, None when they are not compressed."""
    return next((kind for kind, magic in _MAGIC if magic.match(data)), None)


def _open_stream(kind: str, limits: Limits) -> Any:
    if kind == "lz4":
        try:
            import lz4.frame
        except ImportError as exc:
            raise MissingPackageError(
                "The model is compressed with LZ4, and the package lz4 is not installed.",
                "Install it: pip install lz4",
                package="lz4",
            ) from exc
        return lz4.frame.LZ4FrameDecompressor()
    makers: dict[str, Callable[[], Any]] = {
        "gzip": lambda: zlib.decompressobj(zlib.MAX_WBITS | 16),
        "zlib": zlib.decompressobj,
        "bz2": bz2.BZ2Decompressor,
        "xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, limits.dictionary),
        "lzma": lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, limits.dictionary),
    }
    return makers[kind]()


def _feed(stream: Any, data: bytes, room: int) -> tuple[bytes, bytes]:
    """One step: at most ``room`` bytes out, and the input that is still to be fed."""
    out: bytes = stream.decompress(data, room)
    tail: bytes = getattr(stream, "unconsumed_tail", b"")
    return out, tail


def _expand(data: bytes, kind: str, limits: Limits, stop: int | None) -> bytes:
    out = bytearray()
    position, pending = 0, b""
    stream = _open_stream(kind, limits)
    while stop is None or len(out) < stop:
        if stream.eof:
            rest = (stream.unused_data or b"") + data[position:]
            if not rest:
                return bytes(out)
            if compression(rest) != kind:
                raise CorruptModelError(
                    f"{len(rest)} bytes follow the end of the {kind} stream.",
                    "Save the model again; an honest writer leaves nothing there.",
                )
            data, position, pending = rest, 0, b""
            stream = _open_stream(kind, limits)
        if not pending and getattr(stream, "needs_input", True):
            pending = data[position : position + _CHUNK]
            position += len(pending)
            if not pending:
                raise CorruptModelError(
                    f"The {kind} stream is cut off: it ends after {len(out)} expanded bytes.",
                    "Copy the file again and compare its size with the original.",
                )
        piece, pending = _feed(stream, pending, _CHUNK)
        out += piece
        _check_growth(len(out), len(data), kind, limits)
    return bytes(out)


def _check_growth(expanded: int, compressed: int, kind: str, limits: Limits) -> None:
    if expanded > limits.expanded:
        why = f"more than {limits.expanded >> 20} MiB"
    elif expanded > limits.free and expanded > limits.ratio * compressed:
        why = f"more than {limits.ratio} times its size"
    else:
        return
    raise UnsafeModelError(
        f"The {kind} stream expands to {why}: it looks like a decompression bomb.",
        "If you made this file yourself, save it without compression.",
        findings=("decompression bomb",),
    )


def decompress(data: bytes, limits: Limits = LIMITS) -> bytes:
    """The bytes themselves, or what they expand to when they are a compressed stream.

    Raises:
        CorruptModelError: the stream is broken, cut off or followed by something else.
        MissingPackageError: LZ4, and the package lz4 is not installed.
        UnsafeModelError: it expands beyond ``limits``.
    """
    return _guarded(data, limits, None)


def peek(data: bytes, count: int, limits: Limits = LIMITS) -> bytes:
    """The first ``count`` expanded bytes (some more or less), to see what a stream holds."""
    return _guarded(data, limits, count)


def _guarded(data: bytes, limits: Limits, stop: int | None) -> bytes:
    kind = compression(data)
    if kind is None:
        return data
    try:
        return _expand(data, kind, limits, stop)
    except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError, RuntimeError) as exc:
        raise CorruptModelError(
            f"The {kind} stream is broken: {exc}.",
            "Copy the file again and compare its digest with the original.",
        ) from exc


def open_zip(data: bytes, limits: Limits = LIMITS) -> zipfile.ZipFile:
    """A zip archive whose directory was checked, its members not yet read.

    Refused are paths that leave the archive, links, encryption, names that occur twice, members
    that share bytes, and more entries or bytes than ``limits`` allow.

    Raises:
        CorruptModelError: no readable directory (most often a file that is cut off).
        UnsafeModelError: the directory holds what an honest writer would not write.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, EOFError) as exc:
        raise CorruptModelError(
            "The zip archive has no readable directory at its end: it is broken or cut off.",
            "Copy the file again and compare its size with the original.",
        ) from exc
    entries = archive.infolist()
    trouble = _directory_trouble(entries, len(data), limits)
    if trouble:
        raise UnsafeModelError(
            f"The zip archive is not one that an honest program writes: {trouble}.",
            "Do not load it. If you made it yourself, save the model again.",
            findings=(trouble,),
        )
    return archive


def _directory_trouble(entries: list[zipfile.ZipInfo], size: int, limits: Limits) -> str:
    if len(entries) > limits.entries:
        return f"{len(entries)} entries, more than {limits.entries}"
    seen: set[str] = set()
    for entry in entries:
        name = entry.filename
        if name in seen:
            return f"the name {name!r} occurs twice"
        seen.add(name)
        if _leaves(name) or _leaves(entry.orig_filename):
            return f"the path {entry.orig_filename!r} leads out of the archive"
        if entry.flag_bits & 0x1:
            return f"{name!r} is encrypted"
        if stat.S_ISLNK(entry.external_attr >> 16):
            return f"{name!r} is a symbolic link"
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            return f"{name!r} uses the unusual compression {entry.compress_type}"
    if sum(entry.compress_size for entry in entries) > size:
        return "its members share bytes or claim more than the file holds"
    expanded = sum(entry.file_size for entry in entries)
    if expanded > limits.expanded:
        return f"it expands to {expanded >> 20} MiB, more than {limits.expanded >> 20} MiB"
    if expanded > max(limits.free, limits.ratio * size):
        return f"it expands to more than {limits.ratio} times its size, like a decompression bomb"
    return ""


def _leaves(name: str) -> bool:
    return (
        name.startswith(("/", "\\"))
        or "\0" in name
        or re.match(r"[A-Za-z]:", name) is not None
        or ".." in re.split(r"[/\\]", name)
    )


def read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    """One member's bytes, exactly as many as the directory says.

    Raises:
        CorruptModelError: no such member, or its bytes do not agree with the directory.
    """
    try:
        info = archive.getinfo(name)
        with archive.open(info) as stream:
            data = stream.read(info.file_size + 1)
    except (KeyError, zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError) as exc:
        raise CorruptModelError(
            f"The member {name!r} of the zip archive cannot be read: {exc}.",
            "Copy the file again and compare its digest with the original.",
        ) from exc
    if len(data) != info.file_size:
        raise CorruptModelError(
            f"The member {name!r} of the zip archive has {len(data)} bytes, not the "
            f"{info.file_size} that the directory says.",
            "Copy the file again and compare its digest with the original.",
        )
    return data
