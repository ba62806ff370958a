"""A sparse matrix inside a skops file is an archive in the archive: the limits hold there too."""

import io
import zipfile

import numpy as np
import pytest
import scipy.sparse
import skops.io
from sklearn.neighbors import KNeighborsClassifier

from shipway.errors import CorruptModelError, UnsafeModelError
from shipway.model.scan import scan
from shipway.model.spec import Artifact, TrustPolicy, sha256


@pytest.fixture(scope="module")
def honest():
    rows = scipy.sparse.csr_matrix(np.eye(12)[:, :4])
    return skops.io.dumps(KNeighborsClassifier(3).fit(rows, [0, 1] * 6))


def with_member(data, change):
    """The same skops file with its sparse matrix replaced by what ``change`` makes of it."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(made, "w") as new:
        for name in old.namelist():
            member = old.read(name)
            new.writestr(name, change(member) if name.endswith(".npz") else member)
    return made.getvalue()


def findings(data):
    report = scan(Artifact("model.skops", data, sha256(data)), TrustPolicy())
    return {finding.name for finding in report.findings}


def bomb(_):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.npy", bytes(80 << 20))
    return made.getvalue()


def lying(_):
    header = io.BytesIO()
    claim = {"descr": "<f8", "fortran_order": False, "shape": (10**9,)}
    np.lib.format.write_array_header_1_0(header, claim)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("data.npy", header.getvalue())
    return made.getvalue()


def test_an_honest_one_is_safe(honest):
    assert not findings(with_member(honest, lambda member: member))


def test_a_bomb_is_refused_before_anything_expands_it(honest):
    with pytest.raises(UnsafeModelError, match="like a decompression bomb"):
        findings(with_member(honest, bomb))


def test_an_array_that_lies_about_its_size_is_named(honest):
    assert findings(with_member(honest, lying)) == {"lying array"}


def test_what_is_no_archive_is_broken(honest):
    with pytest.raises(CorruptModelError):
        findings(with_member(honest, lambda member: member[: len(member) // 2]))
