"""The command group: it finds commands, loads the one that is called, and ends with its code."""

from __future__ import annotations

import difflib
import errno
import os
from collections.abc import Sequence
from importlib import import_module
from typing import cast

import click

from shipway import errors
from shipway.cli import talk
from shipway.cli.exits import INTERRUPTED, exit_code
from shipway.version import __version__

__all__ = ["COMMANDS", "group", "run"]

COMMANDS = {
    "bench": "Measure a server: rate, latency, memory, workers.",
    "check": "Say what a model file is and whether it is safe to load.",
    "completion": "Print the completion script of a shell.",
    "convert": "Turn a model into a proven ONNX file.",
    "init": "Write a project around a model: server, Dockerfile, pins.",
    "serve": "Answer predictions over HTTP.",
}
"""Name and summary of each command: ``--help`` prints them without loading one."""

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class _Lazy(click.Group):
    """A group whose commands are imported when they are called, so that start-up stays light."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = cast("click.Command", import_module(f"shipway.cli.{cmd_name}").command)
        # Click's mark for a paragraph that keeps its lines, written out in raw docstrings.
        command.help = (command.help or "").replace("\\b\n", "\b\n")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f"did you mean shipway {near[0]}?" if near else "shipway --help lists them"
            raise errors.UsageError(f"There is no command {args[0]!r}", hint)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))


@click.group(
    cls=_Lazy,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="shipway COMMAND --help tells all about one command.",
)
@click.version_option(__version__, message="shipway %(version)s")
def group() -> None:
    """A trained model file becomes a hardened, observable, fast container service."""


def run(arguments: Sequence[str]) -> int:
    """Carry out one command line; the process's exit code (see ``cli.exits``)."""
    try:
        result = group.main(list(arguments), prog_name="shipway", standalone_mode=False)
    except errors.Error as error:
        talk.problem(error)
        return exit_code(error)
    except click.exceptions.NoArgsIsHelpError as exc:
        talk.say(exc.format_message())
        return exit_code(errors.UsageError(""))
    except click.ClickException as exc:
        talk.problem(_usage(exc))
        return exit_code(errors.UsageError(""))
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        # The reader went away (shipway … | head): not our failure, and nobody reads a message.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except OSError as exc:
        if exc.errno not in FULL:
            raise
        # What is still in Python's buffer would fail once more when the process ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        problem = errors.Error(f"The result cannot be written: {exc.strerror}")
        talk.problem(problem)
        return exit_code(problem)
    return result if isinstance(result, int) else 0


def _usage(exc: click.ClickException) -> errors.UsageError:
    context = exc.ctx if isinstance(exc, click.UsageError) else None
    command = context.command_path if context else "shipway"
    return errors.UsageError(exc.format_message(), f"{command} --help shows how it is called")
