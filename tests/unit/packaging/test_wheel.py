import csv
import hashlib
import io
import zipfile
from base64 import urlsafe_b64decode

from shipway.packaging.wheel import pack, repack
from shipway.version import __version__


def content(wheel):
    with zipfile.ZipFile(io.BytesIO(wheel.data)) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def test_the_running_installation_becomes_the_same_wheel_every_time():
    first, second = repack(), repack()
    assert first.name == f"shipway-{__version__}-py3-none-any.whl"
    assert first.data == second.data


def test_it_holds_the_code_the_templates_and_the_metadata_and_nothing_of_this_installation():
    files = content(repack())
    info = f"shipway-{__version__}.dist-info"
    assert f'__version__ = "{__version__}"'.encode() in files["shipway/version.py"]
    assert b"FROM ${BASE_IMAGE}" in files["shipway/packaging/templates/Dockerfile.in"]
    assert f"\nVersion: {__version__}\n".encode() in files[f"{info}/METADATA"]
    assert b"shipway = shipway.__main__:main" in files[f"{info}/entry_points.txt"]
    assert files[f"{info}/WHEEL"].endswith(b"Root-Is-Purelib: true\nTag: py3-none-any\n")
    assert not [name for name in files if name.endswith(".pyc") or "__pycache__" in name]
    assert not [name for name in files if name.endswith(("direct_url.json", "INSTALLER", ".pth"))]


def test_record_lists_every_file_with_its_digest():
    files = content(repack())
    record = f"shipway-{__version__}.dist-info/RECORD"
    rows = list(csv.reader(io.StringIO(files[record].decode())))
    assert {row[0] for row in rows} == set(files)
    for name, digest, size in rows:
        if name == record:
            assert (digest, size) == ("", "")
        else:
            raw = urlsafe_b64decode(digest.removeprefix("sha256=") + "=")
            assert (raw, int(size)) == (hashlib.sha256(files[name]).digest(), len(files[name]))


def test_entries_carry_no_clock_and_can_be_read_by_everyone():
    wheel = pack(
        "demo-1.0", {"demo-1.0.dist-info/METADATA": b"m", "demo/b.py": b"b", "demo/a.py": b""}
    )
    with zipfile.ZipFile(io.BytesIO(wheel.data)) as archive:
        listed = [(i.filename, i.date_time, i.external_attr >> 16) for i in archive.infolist()]
    epoch = (1980, 1, 1, 0, 0, 0)
    assert listed == [
        ("demo/a.py", epoch, 0o100644),
        ("demo/b.py", epoch, 0o100644),
        ("demo-1.0.dist-info/METADATA", epoch, 0o100644),
        ("demo-1.0.dist-info/RECORD", epoch, 0o100644),
    ]
