"""A converted file and its report on disk."""

import pytest
from tests.unit.conversion.test_report import report

from shipway.conversion.beside import check_file, keep, keep_report, report_path
from shipway.errors import ParityError, UsageError
from shipway.model.spec import sha256

DATA = b"a converted model"
GOOD = report(digest=sha256(DATA)).to_json()
BAD = report(digest=None, different=1).to_json()


@pytest.fixture
def target(tmp_path):
    return tmp_path / "model.onnx"


def test_both_are_kept_and_nothing_else(target):
    keep(target, DATA, GOOD)
    assert target.read_bytes() == DATA
    assert sorted(path.name for path in target.parent.iterdir()) == [
        "model.onnx",
        "model.onnx.parity.json",
    ]
    check_file(target)


def test_a_failed_proof_leaves_only_its_report(target):
    keep(target, DATA, GOOD)
    keep_report(target, BAD)
    assert not target.exists()
    assert report_path(target).read_bytes() == BAD


def test_a_file_that_no_report_proved_is_not_ours_to_remove(target):
    target.write_bytes(b"somebody's own")
    keep_report(target, BAD)
    assert target.read_bytes() == b"somebody's own"
    with pytest.raises(ParityError):
        check_file(target)


def test_a_changed_file_is_found(target):
    keep(target, DATA, GOOD)
    target.write_bytes(DATA + b"!")
    with pytest.raises(ParityError) as caught:
        check_file(target)
    assert "is not the file that its parity report proves" in caught.value.message


def test_a_file_without_a_report_proves_nothing(target):
    target.write_bytes(DATA)
    with pytest.raises(ParityError) as caught:
        check_file(target)
    assert caught.value.message.startswith("There is no parity report")


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(UsageError) as caught:
        keep(tmp_path / "none" / "model.onnx", DATA, GOOD)
    assert caught.value.message.endswith("cannot be written: No such file or directory")
