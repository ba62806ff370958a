"""``shipway check``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from shipway.cli import talk
from shipway.cli.exits import exit_code
from shipway.cli.policy import trust_options

if TYPE_CHECKING:
    from shipway.model.report import CheckReport
    from shipway.model.signature import Signature

__all__ = ["command"]

FEATURES_SHOWN = 8


@click.command
@click.argument("model", required=False, metavar="[MODEL]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
@trust_options
def command(
    model: str | None, *, as_json: bool, allow: tuple[str, ...], trust: tuple[str, ...]
) -> int:
    r"""Say what a model file is and whether it is safe to load.

    Nothing in the file is run before every name that it refers to was found on the allow-list.
    Then it is loaded and answers one row, as the server would. Exit code 0: it can be served;
    4: refused as unsafe; 5: a package is missing; 3: anything else that is wrong with the file.

    \b
    Examples:
      shipway check models/model.pkl
      shipway check model.joblib --json
      shipway check model.pkl --allow mypackage.transformers.LogScaler
      shipway check models:/churn@champion
    """
    from shipway.settings import read_settings
    from shipway.wiring import check_model

    said = {"path": model, "allow": allow or None, "trust": trust or None}
    settings = read_settings(options={"model": said})
    with talk.alone():
        report = check_model(settings)
    if as_json:
        talk.data(report.document())
    else:
        talk.table(_rows(report))
        for warning in report.warnings:
            talk.warn(warning)
        if report.error:
            talk.problem(report.error)
    return exit_code(report.error) if report.error else 0


def _rows(report: CheckReport) -> list[tuple[str, str]]:
    rows = [("model", report.path)]
    if report.artifact:
        rows.append(("size", _size(report.artifact.size)))
        rows.append(("digest", report.artifact.digest))
        if report.artifact.registered:
            rows.append(("registered", report.artifact.registered))
    if report.scan:
        rows.append(("format", str(report.scan.format)))
    if report.spec:
        rows.append(("framework", _framework(report)))
        rows += _signature(report.spec.signature)
    if report.scan and report.verdict:
        names = len(report.scan.names)
        allowed = f"{names} name{'s' * (names != 1)} referred to, all on the allow-list"
        if not names:
            allowed = "it holds data only"
        rows.append(("verdict", f"safe: {allowed}" if report.verdict == "safe" else report.verdict))
        rows += [
            ("", f"{item.name}: {item.reason} ({item.where})") for item in report.scan.findings
        ]
    return rows


def _size(count: int) -> str:
    amount, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            break
        amount /= 1000
    text = f"{amount:.1f}" if unit != "B" else str(count)
    return f"{text} {unit}"


def _framework(report: CheckReport) -> str:
    spec = report.spec
    if spec is None:
        return ""
    recorded = (
        f"made with {spec.recorded_version}" if spec.recorded_version else "version not recorded"
    )
    return f"{spec.framework} ({recorded}, installed {spec.installed_version or 'not'})"


def _signature(signature: Signature) -> list[tuple[str, str]]:
    shown = [
        f"{feature.name} ({feature.kind}{', may be missing' if feature.missing else ''})"
        for feature in signature.features[:FEATURES_SHOWN]
    ]
    if len(signature.features) > FEATURES_SHOWN:
        shown.append(f"… {len(signature.features) - FEATURES_SHOWN} more")
    rows = [("task", signature.task), (f"features ({len(signature.features)})", "\n".join(shown))]
    if signature.classes is not None:
        rows.append(
            (f"classes ({len(signature.classes)})", ", ".join(map(str, signature.classes[:20])))
        )
    if signature.outputs > 1:
        rows.append(("outputs", f"{signature.outputs} values for a row"))
    rows.append(("confidence", "yes" if signature.confidence else "none: no class probabilities"))
    return rows
