"""What a parity report proves."""

import json

import pytest

from shipway.conversion.parity import Difference, GroupResult
from shipway.conversion.report import ParityReport, require_proof
from shipway.errors import ParityError


def report(*, different=0, rows=10, refused=0, digest="sha256:aa"):
    shown = (Difference("g", (1.0,), 1, 2, "the labels differ"),) * different
    group = GroupResult("g", rows, refused, different, 1e-9, shown)
    return ParityReport(
        model="Model",
        original_digest="sha256:00",
        digest=digest,
        framework="scikit-learn",
        tolerance=1e-5,
        groups=(group,),
        versions={"onnx": "1"},
    )


def test_the_document_tells_all():
    document = json.loads(report(refused=3).to_json())
    assert (document["equal"], document["compared"], document["largest"]) == (True, 7, 1e-9)
    assert (document["digest"], document["original_digest"]) == ("sha256:aa", "sha256:00")
    assert document["format"] == 1


def test_the_same_report_is_the_same_bytes():
    assert report().to_json() == report().to_json()


@pytest.mark.parametrize("made", [report(different=1), report(refused=10)])
def test_a_difference_or_no_row_at_all_is_no_proof(made):
    assert not made.equal
    with pytest.raises(ParityError) as caught:
        require_proof("sha256:aa", made.to_json(), "model.onnx")
    assert caught.value.message == "The parity report of model.onnx tells of differences"


def test_a_report_proves_one_file_only():
    require_proof("sha256:aa", report().to_json(), "model.onnx")
    with pytest.raises(ParityError) as caught:
        require_proof("sha256:bb", report().to_json(), "model.onnx")
    assert "it has the digest sha256:bb, the report tells of sha256:aa" in caught.value.message


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", b"null", b'{"digest": "x"}'])
def test_a_broken_report_proves_nothing(data):
    with pytest.raises(ParityError) as caught:
        require_proof("sha256:aa", data, "model.onnx")
    assert caught.value.message == "The parity report of model.onnx cannot be read"
