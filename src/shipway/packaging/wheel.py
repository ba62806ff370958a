"""The running installation of this package, packed as a wheel again.

A project must be built with the very version that made it, and that version need not be on any
index: so it travels with the project (docs/adr/0003-the-project-carries-its-own-wheel.md).
"""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath

from shipway.errors import UsageError

__all__ = ["Wheel", "pack", "repack"]

NAME = "shipway"
# What an installer adds to dist-info: facts about that installation, not about the package.
INSTALLERS = {
    "RECORD",
    "INSTALLER",
    "REQUESTED",
    "direct_url.json",
    "uv_build.json",
    "uv_cache.json",
}
TAG = "py3-none-any"
EARLIEST = (1980, 1, 1, 0, 0, 0)
FILE_0644 = (0o100644) << 16


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel file: its name as PEP 427 builds it, and its bytes."""

    name: str
    data: bytes = field(repr=False)


def repack() -> Wheel:
    """This installation as a wheel: the same files give the same bytes.

    Raises:
        shipway.errors.UsageError: the package runs from a place without its metadata.
    """
    try:
        found = distribution(NAME)
    except PackageNotFoundError as exc:
        raise UsageError(
            f"{NAME} has no installation metadata here, so it cannot be packed for the project",
            f"Install it (pip install {NAME}) instead of running it from a bare folder.",
        ) from exc
    return pack(f"{NAME}-{found.version}", {**dict(_code()), **dict(_metadata(found))})


def pack(stem: str, files: Mapping[str, bytes]) -> Wheel:
    """A wheel of these files (archive path → bytes), with a RECORD as PEP 376 wants it.

    Entries are sorted (metadata last, as PEP 427 recommends) and carry no clock, no user and no
    local compressor's choices: they are stored, since an image layer compresses them anyway.
    """
    record = f"{stem}.dist-info/RECORD"
    names = sorted(files, key=lambda name: (".dist-info/" in name, name))
    lines = [f"{name},sha256={_digest(files[name])},{len(files[name])}" for name in names]
    content = {name: files[name] for name in names}
    content[record] = "\n".join([*lines, f"{record},,", ""]).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in content.items():
            entry = zipfile.ZipInfo(name, EARLIEST)
            entry.external_attr = FILE_0644
            entry.create_system = 3
            archive.writestr(entry, data)
    return Wheel(f"{stem}-{TAG}.whl", buffer.getvalue())


def _code() -> Iterator[tuple[str, bytes]]:
    # Not the RECORD: an editable installation lists none of these files.
    package = Path(__file__).resolve().parents[1]
    for path in package.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc":
            yield f"{NAME}/{path.relative_to(package).as_posix()}", path.read_bytes()


def _metadata(found: Distribution) -> Iterator[tuple[str, bytes]]:
    folder = f"{NAME}-{found.version}.dist-info"
    for item in found.files or ():
        path = PurePosixPath(item)
        if path.parts[0] != folder or path.name in INSTALLERS:
            continue
        data = Path(str(item.locate())).read_bytes()
        yield str(path), _settled(data) if path.name == "WHEEL" else data


def _settled(wheel: bytes) -> bytes:
    """The WHEEL file with the tag of a pure wheel, whatever kind of installation it came from."""
    kept = [line for line in wheel.splitlines() if not line.startswith((b"Tag:", b"Build:"))]
    return b"\n".join([*kept, f"Tag: {TAG}".encode(), b""])


def _digest(data: bytes) -> str:
    raw = base64.urlsafe_b64encode(hashlib.sha256(data).digest())
    return raw.rstrip(b"=").decode()
