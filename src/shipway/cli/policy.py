"""What a user may allow a model file beyond the built-in list, as options of commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

__all__ = ["trust_options"]


def trust_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command ``--allow`` and ``--trust``: tuples of names and of digests."""
    allow = click.option(
        "--allow",
        multiple=True,
        metavar="NAME",
        help="Allow one exact name (package.module.Name) beyond the built-in list; "
        "may be repeated.",
    )
    trust = click.option(
        "--trust",
        multiple=True,
        metavar="DIGEST",
        help="Load the file with this digest (sha256:…) whatever it runs; may be repeated.",
    )
    return allow(trust(command))
