"""Runs the ``console`` blocks of a document as its reader would, and compares what they print.

A line that starts with ``$ `` is a command (``> `` continues it), the lines below are what it
prints; ``...`` stands for any text. Words after ``console`` on the fence say what is special:

``server``   the block's last command keeps running: the rest of the document is typed into
             another terminal, and at its end Ctrl-C has to end the server with exit code 0.
``fails``    the block's last command ends with an exit code other than 0.
``docker``   needs a Docker Engine.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^```console([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MARK = "=== end of command"


@dataclass(frozen=True)
class Step:
    """One command and the output that the document promises."""

    command: str
    expected: str

    def pattern(self) -> re.Pattern[str]:
        parts = (re.escape(part) for part in self.expected.split("..."))
        return re.compile(".*?".join(parts), re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    words: frozenset[str]
    steps: tuple[Step, ...]


def blocks(text: str) -> list[Block]:
    """The console blocks of a Markdown document, in order."""
    found = []
    for words, body in FENCE.findall(text):
        steps: list[Step] = []
        for line in body.splitlines():
            if line.startswith("$ "):
                steps.append(Step(line[2:], ""))
            elif line.startswith("> ") and not steps[-1].expected:
                steps[-1] = Step(f"{steps[-1].command}\n{line[2:]}", "")
            else:
                steps[-1] = Step(steps[-1].command, f"{steps[-1].expected}{line.rstrip()}\n")
        found.append(Block(frozenset(words.split()), tuple(steps)))
    return found


class Terminal:
    """A bash that prints on a terminal; ``printed`` collects what came since the last command."""

    def __init__(self, directory: Path, environ: Mapping[str, str]) -> None:
        self._screen, printer = os.openpty()
        self.process = subprocess.Popen(
            ["/bin/bash", "--noprofile", "--norc"],
            stdin=subprocess.PIPE,
            stdout=printer,
            stderr=printer,
            text=True,
            cwd=directory,
            env=environ,
            start_new_session=True,
        )
        os.close(printer)
        self.printed = ""
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        # Terminals end lines with CR LF; a closed one raises an error (EIO) in place of an end.
        with (
            os.fdopen(self._screen, encoding="utf-8", newline="\r\n") as screen,
            contextlib.suppress(OSError),
        ):
            for line in screen:
                with self._changed:
                    self.printed += line.replace("\r\n", "\n")
                    self._changed.notify()

    def start(self, command: str) -> None:
        assert self.process.stdin
        self.printed = ""
        # In braces, so that the command cannot swallow what is typed next.
        self.process.stdin.write(f"{{ {command}\n}} </dev/null; printf '\\n{MARK} %s\\n' $?\n")
        self.process.stdin.flush()

    def wait_for(self, pattern: re.Pattern[str], timeout: float) -> re.Match[str]:
        deadline = time.monotonic() + timeout
        with self._changed:
            while not (match := pattern.match(self.printed)):
                left = deadline - time.monotonic()
                if left <= 0 or not self._reader.is_alive():
                    raise AssertionError(f"waited for:\n{pattern.pattern}\n\ngot:\n{self.printed}")
                self._changed.wait(min(left, 0.5))
            return match

    def finish(self, timeout: float) -> tuple[str, int]:
        """What the command printed, and its exit code."""
        pattern = re.compile(rf"(.*)\n{MARK} (\d+)\n", re.DOTALL)
        match = self.wait_for(pattern, timeout)
        lines = match[1].rstrip("\n").splitlines()
        return "".join(f"{line.rstrip()}\n" for line in lines), int(match[2])

    def interrupt(self) -> None:
        """Ctrl-C."""
        os.killpg(self.process.pid, signal.SIGINT)

    def close(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._reader.join(5)
        assert self.process.stdin
        self.process.stdin.close()


def run(
    document: list[Block], directory: Path, environ: Mapping[str, str], timeout: float = 60
) -> None:
    """Type all blocks of a document.

    Raises:
        AssertionError: something else was printed than the document says, or a command failed.
    """
    terminals = [Terminal(directory, environ)]
    servers: list[tuple[Terminal, Step]] = []
    try:
        for block in document:
            for step in block.steps:
                terminal, last = terminals[-1], step is block.steps[-1]
                terminal.start(step.command)
                if last and "server" in block.words:
                    terminal.wait_for(step.pattern(), timeout)
                    servers.append((terminal, step))
                    here = Path(f"/proc/{terminal.process.pid}/cwd").readlink()
                    terminals.append(Terminal(here, environ))
                    continue
                printed, code = terminal.finish(timeout)
                assert (code != 0) == (last and "fails" in block.words), (
                    f"$ {step.command}\nexit code {code}\n{printed}"
                )
                assert step.pattern().fullmatch(printed), (
                    f"$ {step.command}\nsays:\n{step.expected}\nprints:\n{printed}"
                )
        for terminal, step in reversed(servers):
            terminal.interrupt()
            printed, code = terminal.finish(timeout)
            assert code == 0, f"$ {step.command}\nexit code {code} after Ctrl-C\n{printed}"
            assert "Traceback" not in printed
    finally:
        for terminal in terminals:
            terminal.close()
