"""What a person reads: words to stderr, data to stdout, colour only where it is welcome."""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from shipway.errors import Error

__all__ = ["alone", "data", "problem", "say", "table", "warn"]


def _styled(text: str, **style: Any) -> str:
    # https://no-color.org: any value that is not empty switches colour off.
    return text if os.environ.get("NO_COLOR") else click.style(text, **style)


def say(text: str) -> None:
    """Tell the person at the terminal something that is not the command's result."""
    click.echo(text, err=True)


def warn(text: str) -> None:
    """Say something that went otherwise than one may think."""
    click.echo(f"{_styled('warning:', fg='yellow', bold=True)} {text}", err=True)


def problem(error: Error) -> None:
    """Say what happened and why, then what to do about it."""
    click.echo(f"{_styled('error:', fg='red', bold=True)} {error.message}", err=True)
    for line in error.hint.splitlines():
        click.echo(f"{_styled('hint:', fg='cyan', bold=True)} {line}", err=True)


def data(document: Any) -> None:
    """Print a result for programs: one JSON document on stdout."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def table(rows: Sequence[tuple[str, str]]) -> None:
    """Print a result for people: names in one column, values in the next."""
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        first, *rest = value.splitlines() or [""]
        click.echo(f"{_styled(name.ljust(width), bold=True)}  {first}".rstrip())
        for line in rest:
            click.echo(f"{' ' * width}  {line}")


@contextmanager
def alone() -> Iterator[None]:
    """Keep the libraries that load and ask a model from talking in between.

    What they print to stdout, also from C++, goes to stderr: a result for programs stays one
    document. Their Python warnings are dropped, unless somebody asked for them (``python -W``).
    """
    if sys.stdout is None or sys.stderr is None:  # closed by the caller: shipway check >&-
        yield
        return
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with warnings.catch_warnings():
            if not sys.warnoptions:
                warnings.simplefilter("ignore")
            yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
