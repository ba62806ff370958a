"""``shipway convert``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from shipway.cli import talk
from shipway.cli.exits import exit_code
from shipway.errors import Error, ParityError

__all__ = ["command"]

SHOWN = 5


@click.command
@click.argument("model", required=False, metavar="[MODEL]")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Default: beside MODEL, or NAME.onnx."
)
@click.option(
    "--sample",
    type=click.Path(path_type=Path),
    help="Rows to compare on beside those that are made: .csv, .parquet or .npz.",
)
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0, min_open=True),
    default=1e-5,
    show_default=True,
    help="Largest difference of numbers, relative to their scale. Labels have to be equal.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=600.0,
    show_default=True,
    help="Seconds after which the conversion is ended.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report on stdout.")
@click.option("--verify", is_flag=True, help="Only check MODEL (an ONNX file) by its report.")
@click.option("--allow", multiple=True, metavar="NAME", help="As in shipway check.")
@click.option("--trust", multiple=True, metavar="DIGEST", help="As in shipway check.")
@click.option("--inside", type=click.Path(path_type=Path), hidden=True)
@click.option("--parent", type=int, default=os.getppid, hidden=True)
def command(
    model: str | None,
    *,
    output: Path | None,
    sample: Path | None,
    tolerance: float,
    timeout: float,
    as_json: bool,
    verify: bool,
    allow: tuple[str, ...],
    trust: tuple[str, ...],
    inside: Path | None,
    parent: int,
) -> int:
    r"""Turn a model into a portable ONNX file, proven to answer the same.

    Both models answer the same rows: those of the sample, and rows made to find differences. Only
    when all labels are equal and all numbers within the tolerance is the file kept, with the
    report beside it (model.onnx.parity.json). Exit code 8: it cannot be converted; 9: the two
    differ, and the report says on which rows; the original can still be served.

    \b
    Examples:
      shipway convert models/model.pkl
      shipway convert model.joblib -o model.onnx --sample rows.csv
      shipway convert --verify model.onnx
    """
    from shipway.settings import read_settings

    said = {"path": model, "allow": allow or None, "trust": trust or None}
    settings = read_settings(options={"model": said})
    if inside is not None:
        return _inside(settings, inside, parent, sample, tolerance)
    if verify:
        from shipway.conversion.beside import check_file

        check_file(Path(settings.model.path))
        talk.say(f"{settings.model.path} is the file that its parity report proves")
        return 0
    from shipway.wiring import convert

    target = output or _beside(settings.model.path)
    document = convert(settings, target, sample=sample, tolerance=tolerance, timeout=timeout)
    if as_json:
        talk.data(document)
    else:
        talk.table(_rows(document, target))
    if document["equal"]:
        return 0
    error = _failure(document, target)
    talk.problem(error)
    return exit_code(error)


def _beside(model: str) -> Path:
    from shipway.model.registered import RegistryName, is_registry_name

    if is_registry_name(model):
        return Path(f"{RegistryName.parse(model).name}.onnx")
    return Path(model).with_suffix(".onnx")


def _inside(settings: Any, folder: Path, parent: int, sample: Path | None, tolerance: float) -> int:
    """Do the work, for the process that waits for what is left in the folder."""
    from shipway.conversion.apart import FILE, REPORT, end_with, leave_error
    from shipway.wiring import convert_inside

    end_with(parent, folder)
    try:
        made = convert_inside(settings, sample=sample, tolerance=tolerance)
    except Error as error:
        leave_error(folder, error)
        return exit_code(error)
    (folder / FILE).write_bytes(made.data)
    (folder / REPORT).write_bytes(made.report.to_json())
    return 0


def _rows(document: dict[str, Any], target: Path) -> list[tuple[str, str]]:
    rows = [
        ("model", f"{document['model']} ({document['framework']})"),
        ("original", document["original_digest"]),
    ]
    if document["equal"]:
        rows += [("converted", f"{target}\n{document['digest']}")]
    for group in document["groups"]:
        rows.append((group["name"], _group(group)))
    for count, (before, after) in (document["speed"] or {}).items():
        if before and after:
            name = "1 row" if count == "1" else f"{count} rows"
            rows.append((name, f"{before:.0f} µs → {after:.0f} µs ({before / after:.1f} ×)"))
    verdict = "equal" if document["equal"] else "different"
    rows.append(("verdict", f"{verdict} ({document['compared']} rows compared)"))
    return rows


def _group(group: dict[str, Any]) -> str:
    text = f"{group['rows']} rows"
    if group["refused"]:
        text += f", {group['refused']} refused by both"
    text += f", {group['different']} different" if group["different"] else ", equal"
    return f"{text}, largest difference {group['largest']:.1e}"


def _failure(document: dict[str, Any], target: Path) -> ParityError:
    if not document["compared"]:
        why = "The model refuses every row that was made"
        return ParityError(why, "Give rows that it takes with --sample.")
    found = [item for group in document["groups"] for item in group["differences"]]
    lines = [
        f"{item['group']}: {item['why']} for {item['row']}: "
        f"{item['original']} became {item['converted']}"
        for item in found[:SHOWN]
    ]
    count = sum(group["different"] for group in document["groups"])
    return ParityError(
        f"The converted model answers {count} of {document['compared']} rows otherwise:\n"
        + "\n".join(lines),
        f"Nothing was converted; {target.name}.parity.json lists the rows. "
        "Serve the original: shipway serve MODEL",
    )
