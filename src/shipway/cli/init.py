"""``shipway init``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shipway.cli import talk
from shipway.errors import UsageError

if TYPE_CHECKING:
    from shipway.packaging.project import ProjectPlan
    from shipway.packaging.writer import Outcome

__all__ = ["command"]

WHEEL = "put a wheel of it into wheels/ and a line into requirements.txt."


@click.command
@click.argument("directory", default=".", metavar="[DIR]", type=click.Path(path_type=Path))
@click.option(
    "--model", required=True, metavar="FILE", help="The model: a file, or an MLflow folder."
)
@click.option("--force", is_flag=True, help="Replace files that are there with other content.")
@click.option("--dry-run", is_flag=True, help="Say what would be written, and write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
@click.option(
    "--allow",
    multiple=True,
    metavar="NAME",
    help="Allow one exact name (package.module.Name) in the model, also in the project; "
    "may be repeated.",
)
@click.option(
    "--trust",
    multiple=True,
    metavar="DIGEST",
    help="Load the file with this digest (sha256:…) whatever it runs, also in the project; "
    "may be repeated.",
)
def command(
    directory: Path,
    *,
    model: str,
    force: bool,
    dry_run: bool,
    as_json: bool,
    allow: tuple[str, ...],
    trust: tuple[str, ...],
) -> int:
    r"""Write a project around a model: server, settings, pinned requirements, Dockerfile, README.

    The model is checked first, as by shipway check, and copied into DIR/models. Files that are
    there with other content are replaced only after a question, or with --force; either all files
    are written or none.

    \b
    Examples:
      shipway init --model model.pkl
      shipway init churn --model churn.onnx
      shipway init churn --model churn.joblib --dry-run
    """
    from shipway.packaging import facts, project, writer
    from shipway.settings import read_settings
    from shipway.wiring import check_model

    said = {"path": model, "allow": allow or None, "trust": trust or None}
    settings = read_settings(directory, options={"model": said})
    with talk.alone():
        report = check_model(settings)
    if report.error or not (report.artifact and report.scan and report.spec):
        raise report.error or UsageError(f"{model} was not checked to its end")
    known = facts.gather(
        Path(model),
        report.artifact,
        report.spec,
        names=report.scan.names,
        versions=report.scan.versions,
        name=facts.image_name(directory.resolve().name),
        policy=settings.model.policy,
        declared=settings.signature,
    )
    plan = project.plan(known)
    own = ", ".join(sorted(known.strangers))
    lacking = (f"The image cannot load the model without {own}: {WHEEL}",) if own else ()
    for warning in (*report.warnings, *lacking):
        talk.warn(warning)
    outcome = writer.compare(plan, directory)
    if not dry_run:
        overwrite = force or (bool(outcome.replaced) and _may_replace(directory, outcome.replaced))
        outcome = writer.write(plan, directory, overwrite=overwrite)
    if as_json:
        talk.data(_document(plan, directory, outcome, written=not dry_run))
    else:
        _tell(plan, directory, outcome, dry_run=dry_run)
    return 0


def _may_replace(directory: Path, paths: tuple[str, ...]) -> bool:
    """Ask, where there is somebody to ask; elsewhere the writer refuses with the same list."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    talk.say(f"{directory} already has these files, with other content:")
    for path in paths:
        talk.say(f"  {path}")
    return click.confirm("Replace them?", err=True, abort=True)


def _document(
    plan: ProjectPlan, directory: Path, outcome: Outcome, *, written: bool
) -> dict[str, Any]:
    actions = {
        **dict.fromkeys(outcome.created, "create"),
        **dict.fromkeys(outcome.replaced, "replace"),
        **dict.fromkeys(outcome.unchanged, "keep"),
    }
    return {
        "directory": str(directory.resolve()),
        "name": plan.name,
        "model_path": plan.model_path,
        "written": written,
        "files": [
            {
                "path": file.path,
                "size": len(file.data),
                "mode": f"{file.mode:04o}",
                "action": actions[file.path],
            }
            for file in plan.files
        ],
    }


def _tell(plan: ProjectPlan, directory: Path, outcome: Outcome, *, dry_run: bool) -> None:
    words = dict.fromkeys(outcome.replaced, "replace") | dict.fromkeys(outcome.unchanged, "keep")
    for file in plan.files:
        click.echo(f"{words.get(file.path, 'create'):8}{file.path}")
    if dry_run:
        talk.say("Nothing was written (--dry-run).")
        return
    here = "" if directory.resolve() == Path.cwd() else f"cd {directory} && "
    talk.say(
        f"Next: {here}docker build -t {plan.name}:v1 . && docker run -p 8000:8000 {plan.name}:v1"
    )
