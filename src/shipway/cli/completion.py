"""``shipway completion``."""

from __future__ import annotations

from typing import cast

import click
from click.shell_completion import ShellComplete, get_completion_class

__all__ = ["command"]


@click.command
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    r"""Print the completion script of SHELL.

    \b
    Examples:
      shipway completion bash > ~/.local/share/bash-completion/completions/shipway
      shipway completion zsh > "${fpath[1]}/_shipway"
      shipway completion fish > ~/.config/fish/completions/shipway.fish
    """
    from shipway.cli.frame import group

    found = cast("type[ShellComplete]", get_completion_class(shell))
    click.echo(found(group, {}, "shipway", "_SHIPWAY_COMPLETE").source())
