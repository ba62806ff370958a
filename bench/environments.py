"""A virtual environment for each server, so that none bends the versions of another."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.table import ROOT, SCRATCH

UV = Path(sys.executable).with_name("uv")


class InstallError(Exception):
    """The packages of an environment cannot be had here; the message is the installer's."""


def prepare(name: str, packages: Sequence[str]) -> Path:
    """Install ``packages`` unless these very ones are there; return the folder of programs.

    Raises:
        InstallError: they cannot be installed on this machine.
    """
    wanted = [package.replace("{root}", str(ROOT)) for package in packages]
    home = SCRATCH / "venvs" / name
    stamp = home / "installed.txt"
    own = any(str(ROOT) in package for package in wanted)
    text = "\n".join([sys.version, *wanted, _source() if own else ""])
    if not stamp.exists() or stamp.read_text() != text:
        print(f"installing {' '.join(packages)}", flush=True)
        _run([str(UV), "venv", "--quiet", "--clear", "--python", sys.executable, str(home)])
        python = str(home / "bin" / "python")
        fresh = ["--reinstall-package", "shipway", "--refresh-package", "shipway"] if own else []
        install = [str(UV), "pip", "install", "--quiet", "--compile-bytecode", "--python", python]
        _run([*install, *fresh, *wanted])
        stamp.write_text(text)
    return home / "bin"


def _source() -> str:
    """Tells one state of Shipway's own source from another."""
    files = [ROOT / "pyproject.toml", *sorted((ROOT / "src").rglob("*.py"))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InstallError(done.stderr.strip().splitlines()[-1] if done.stderr else "no reason")


def size(bin_folder: Path) -> int:
    """Bytes that the files of an environment take, compiled modules included."""
    files = (path for path in bin_folder.parent.rglob("*") if not path.is_symlink())
    return sum(path.stat().st_size for path in files if path.is_file())


def versions(bin_folder: Path, names: Sequence[str]) -> dict[str, str]:
    """What is installed of the packages ``names``."""
    code = (
        "import importlib.metadata as m, json, sys;"
        "print(json.dumps({d.name.lower(): d.version for d in m.distributions()}))"
    )
    told = subprocess.run(
        [str(bin_folder / "python"), "-c", code], capture_output=True, text=True, check=True
    )
    found = json.loads(told.stdout)
    return {name: found[name] for name in names if name in found}
