"""The command line as a user meets it: arguments → exit code, stdout, stderr."""

import subprocess
import sys
from pathlib import Path

import pytest

from shipway import errors
from shipway.cli import frame, run
from shipway.cli.exits import exit_code
from shipway.version import __version__

FULL = Path("/dev/full")


@pytest.fixture
def shipway(capsys):
    def call(*arguments):
        code = run(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return call


def test_help_lists_every_command_without_loading_one(shipway):
    code, out, err = shipway("--help")
    assert (code, err) == (0, "")
    for name, summary in frame.COMMANDS.items():
        assert name in out
        assert summary in out


@pytest.mark.parametrize("name", sorted(frame.COMMANDS))
def test_every_command_explains_itself(shipway, name):
    code, out, err = shipway(name, "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"Usage: shipway {name} ")
    assert "Example" in out


def test_alone_it_says_what_it_can_do_and_calls_nothing_an_error(shipway):
    code, out, err = shipway()
    assert (code, out) == (2, "")
    assert err == shipway("--help")[1]


def test_version(shipway):
    assert shipway("--version") == (0, f"shipway {__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["chekc", "x"], "There is no command 'chekc'", "did you mean shipway check?"),
        (["frobnicate"], "There is no command 'frobnicate'", "shipway --help lists them"),
        (
            ["completion", "tcsh"],
            "Invalid value for '{bash|zsh|fish}': 'tcsh' is not one of 'bash', 'zsh', 'fish'.",
            "shipway completion --help shows how it is called",
        ),
        (
            ["check", "x", "--trust", "abc", "--trust", "def"],
            (
                "--trust is 'abc', 'def': "
                "expected a digest as shipway check prints it, sha256: and 64 digits, in item 1"
            ),
            "",
        ),
        (
            ["check", "x", "--allow", "Name"],
            "--allow is 'Name': expected an exact name, package.module.Name, in item 1",
            "",
        ),
        (
            ["serve", "x", "--log-level", "loud"],
            "--log-level is 'loud': must be one of debug, info, warning, error, critical",
            "",
        ),
        (
            ["serve", "x", "--log-format", "xml"],
            "--log-format is 'xml': must be one of auto, console, json",
            "",
        ),
        (["--frob"], "No such option '--frob'.", "shipway --help shows how it is called"),
    ],
)
def test_what_cannot_be_parsed_is_a_usage_error(shipway, arguments, message, hint):
    told = f"error: {message}\n" + (f"hint: {hint}\n" if hint else "")
    assert shipway(*arguments) == (2, "", told)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_call_us_back(shipway, shell):
    code, out, err = shipway("completion", shell)
    assert (code, err) == (0, "")
    assert "_SHIPWAY_COMPLETE" in out


def test_completion_offers_the_commands():
    environ = {"COMP_WORDS": "shipway ch", "COMP_CWORD": "1", "_SHIPWAY_COMPLETE": "bash_complete"}
    found = subprocess.run(
        [sys.executable, "-m", "shipway"], env=environ, capture_output=True, text=True, check=True
    )
    assert found.stdout.splitlines() == ["plain,check"]


def test_every_error_has_an_exit_code_of_its_own_kind():
    assert exit_code(errors.SettingError("")) == 2
    assert exit_code(errors.CorruptModelError("")) == 3
    assert exit_code(errors.UnsafeModelError("")) == 4
    assert exit_code(errors.PortInUseError("")) == 6
    assert exit_code(errors.NotReadyError("")) == 1


def test_a_reader_that_goes_away_is_no_traceback():
    pipe = f"{sys.executable} -m shipway completion zsh | true"
    found = subprocess.run(["sh", "-c", pipe], capture_output=True, text=True, check=True)
    assert found.stderr == ""


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
def test_a_full_disk_is_said_without_a_traceback():
    with FULL.open("w") as full:
        found = subprocess.run(
            [sys.executable, "-m", "shipway", "completion", "zsh"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    told = "error: The result cannot be written: No space left on device\n"
    assert (found.returncode, found.stderr) == (1, told)
