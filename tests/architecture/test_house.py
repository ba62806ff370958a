"""The house rules that no linter knows."""

import ast
import inspect
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import shipway
from shipway import errors

SOURCE = Path(shipway.__file__).parent
ROOT = Path(__file__).parents[2]
MODULES = sorted(SOURCE.rglob("*.py"))
HEAVY = ("fastapi", "starlette", "uvicorn", "pydantic", "mlflow", "pandas", "sklearn", "numpy")


def test_import_shipway_is_light():
    code = "import sys, shipway; print(*(m for m in sys.argv[1:] if m in sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code, *HEAVY], capture_output=True, text=True, check=True
    )
    assert loaded.stdout.strip() == ""


def test_public_names_are_sorted_and_exist():
    assert sorted(shipway.__all__) == shipway.__all__
    assert all(hasattr(shipway, name) for name in shipway.__all__)


def test_the_error_tree_is_closed():
    classes = [
        c for _, c in inspect.getmembers(errors, inspect.isclass) if c.__module__ == errors.__name__
    ]
    exceptions = [c for c in classes if issubclass(c, BaseException)]
    assert all(issubclass(c, errors.Error) for c in exceptions)
    assert {c.__name__ for c in classes} == set(errors.__all__)
    drawn = {word for word in (errors.__doc__ or "").split() if word.endswith("Error")}
    assert drawn == {c.__name__ for c in exceptions}


BROUGHT_BY_OTHERS = {
    "lz4": "whoever wrote an lz4 file",
    "scipy": "scikit-learn",
    "threadpoolctl": "scikit-learn",
}


def test_every_package_that_is_imported_is_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    declared = {canonicalize_name(Requirement(line).name) for line in lines}
    known = {"shipway", *sys.stdlib_module_names, *BROUGHT_BY_OTHERS}
    owners = packages_distributions()
    missing = {
        name
        for module in MODULES
        for name in imported(module) - known
        if not declared & {canonicalize_name(owner) for owner in owners.get(name, [name])}
    }
    assert not missing


def imported(module):
    """The top names of all absolute imports in a file, also of those inside functions."""
    names = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_files_and_functions_stay_within_budget(module):
    text = module.read_text()
    assert len(text.splitlines()) <= 400, "split the module"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= 80, f"{node.name} has {length} lines"


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_every_exception_raised_is_in_the_tree(module):
    """A class that is raised and defined here derives from Error: no second tree grows."""
    for node in ast.walk(ast.parse(module.read_text())):
        if (
            isinstance(node, ast.ClassDef)
            and node.name.endswith("Error")
            and module.name != "errors.py"
        ):
            pytest.fail(f"{node.name} belongs in errors.py")
