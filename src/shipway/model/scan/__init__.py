"""What loading a model file would do, found without executing anything.

``scan`` is the first of two lines of defence; the second is the restricted unpickler in
``runtimes.unpickling``. Both apply the same allow-list of exact names (ADR 0002).
"""

from __future__ import annotations

from shipway.errors import ModelError
from shipway.model import containers
from shipway.model.formats import detect, holds_joblib_arrays
from shipway.model.scan.findings import Finding, ScanReport
from shipway.model.scan.natives import scan_onnx, scan_torchscript, scan_xgboost
from shipway.model.scan.pickles import scan_pickle
from shipway.model.scan.refusal import refusal
from shipway.model.scan.report import Gathered
from shipway.model.scan.skops import scan_skops
from shipway.model.spec import Artifact, Format, TrustPolicy

__all__ = ["Finding", "ScanReport", "refusal", "scan"]


def scan(artifact: Artifact, policy: TrustPolicy) -> ScanReport:
    """Read the artifact as its loader would, with nothing executed and every resource bounded.

    An artifact whose digest the policy trusts has no findings; names and versions are reported
    as far as they can be read.

    Raises:
        UnknownFormatError: the content is none of the formats.
        CorruptModelError: it breaks off or contradicts itself.
        UnsafeModelError: its container is a bomb or leads out of itself.
        MissingPackageError: compressed with LZ4, and the package lz4 is not installed.
    """
    found = detect(artifact.data, artifact.name)
    gathered = Gathered(policy)
    trusted = artifact.digest in policy.digests
    try:
        found = _scan(artifact.data, found, gathered)
    except ModelError:
        if not trusted:
            raise
    return ScanReport(
        found,
        () if trusted else tuple(gathered.findings),
        frozenset(gathered.names),
        gathered.versions,
    )


def _scan(data: bytes, found: Format, gathered: Gathered) -> Format:
    if found in (Format.PICKLE, Format.JOBLIB):
        data = containers.decompress(data)
        inline = holds_joblib_arrays(data)
        scan_pickle(data, gathered, inline=inline, part="the pickle")
        return Format.JOBLIB if inline else Format.PICKLE
    if found in (Format.XGBOOST_JSON, Format.XGBOOST_UBJ):
        scan_xgboost(data, gathered)
    elif found is Format.ONNX:
        scan_onnx(data, gathered)
    elif found in (Format.SKOPS, Format.TORCHSCRIPT):
        with containers.open_zip(data) as archive:
            (scan_skops if found is Format.SKOPS else scan_torchscript)(archive, gathered)
    return found
