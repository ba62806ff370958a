"""Write the reference pages that the program itself knows: ``make docs``.

``tests/system/test_docs.py`` compares them with the program, so that they cannot drift.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import click

from shipway import errors
from shipway.cli.exits import EXITS
from shipway.cli.frame import group
from shipway.settings import KNOWN, Settings

HERE = Path(__file__).resolve().parent
WIDTH = 88
NOTE = "<!-- Written by `make docs`; do not edit. -->\n"


def cli_page() -> str:
    """The help text of every command, and the exit codes."""
    top = group.make_context("shipway", [], resilient_parsing=True, terminal_width=WIDTH)
    parts = ["# Commands\n", NOTE, _help(group, top)]
    for name in group.list_commands(top):
        if command := group.get_command(top, name):
            context = command.make_context(name, [], parent=top, resilient_parsing=True)
            parts += [f"\n## shipway {name}\n", _help(command, context)]
    parts += ["\n## Exit codes\n", "| code | when |", "| --- | --- |", "| 0 | it worked |"]
    parts += [f"| {code} | {_sentence(kind)} |" for kind, code in EXITS.items()]
    parts += ["| 130 | ended by Ctrl-C (`shipway serve` ends with 0 once it answers) |\n"]
    return "\n".join(parts)


def _help(command: click.Command, context: click.Context) -> str:
    return f"```text\n{command.get_help(context)}\n```"


def _sentence(kind: type[errors.Error]) -> str:
    if kind is errors.Error:
        return "anything else"
    text = inspect.getdoc(kind) or ""
    text = text.partition(";")[0].rstrip(".")
    return text[0].lower() + text[1:]


def configuration_page() -> str:
    """Every setting: name, type, default, environment variable, meaning."""
    parts = [
        "# Configuration\n",
        NOTE,
        "Later beats earlier: defaults, `shipway.toml` in the current folder, environment",
        "variables, the command line. An unknown section, setting or `SHIPWAY_` variable is an",
        "error. Lists are comma-separated in an environment variable.",
    ]
    sections = get_type_hints(Settings)
    for item in fields(Settings):
        kind = sections[item.name]
        about = (inspect.getdoc(kind) or "").partition("\n\n")[0].replace("\n", " ")
        parts += [
            f"\n## [{item.name}]\n",
            f"{about}\n",
            "| setting | type | default | environment | meaning |",
            "| --- | --- | --- | --- | --- |",
        ]
        parts += [f"| {' | '.join(cells)} |" for cells in _settings(item.name, kind)]
    return "\n".join([*parts, ""])


def _settings(section: str, kind: Any) -> Iterator[tuple[str, ...]]:
    hints = get_type_hints(kind, include_extras=True)
    meanings = _meanings(kind)
    short = {place: variable for variable, place in KNOWN.items()}
    for item in fields(kind):
        variables = [f"`SHIPWAY_{section}_{item.name}`".upper()]
        if (section, item.name) in short:
            variables.insert(0, f"`{short[section, item.name]}`")
        yield (
            f"`{item.name}`",
            _type(hints[item.name]),
            _default(item.default),
            "<br>".join(variables),
            meanings.get(item.name, ""),
        )


def _meanings(kind: Any) -> dict[str, str]:
    """The string below each field: what Python forgets and readers want."""
    nodes = list(ast.walk(ast.parse(textwrap.dedent(inspect.getsource(kind)))))
    found = {}
    for node, after in pairwise(nodes):
        match node, after:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str() as text)),
            ):
                found[name] = " ".join(text.split()).replace("``", "`").replace("|", "\\|")
    return found


def _type(hint: Any) -> str:
    names = {int: "whole number", float: "number", str: "text", bool: "true or false"}
    if hint in names:
        return names[hint]
    if get_origin(hint) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(hint))
    if metadata := getattr(hint, "__metadata__", ()):
        return _type(get_args(hint)[0]) + _range(metadata[0])
    if get_origin(hint) is tuple:
        return "list of " + _type(get_args(hint)[0])
    inner = [part for part in get_args(hint) if part not in (type(None), ...)]
    return " or ".join(dict.fromkeys(map(_type, inner))) if inner else "table"


def _range(meta: Any) -> str:
    low, high = getattr(meta, "ge", None), getattr(meta, "le", None)
    if (above := getattr(meta, "gt", None)) is not None:
        return f" above {above}" + (f", up to {high}" if high is not None else "")
    if low is None:
        return ""
    return f", {low} to {high}" if high is not None else f", at least {low}"


def _default(value: Any) -> str:
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if value is None or value == () or not isinstance(value, int | float | str):
        return "none"
    return f'`"{value}"`' if isinstance(value, str) else f"`{value}`"


PAGES = {"cli.md": cli_page, "configuration.md": configuration_page}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), encoding="utf-8")
