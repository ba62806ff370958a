"""Models of every format, trained and loaded once for all suites."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.contract.models import BUILDERS, Case, artifact_of

from shipway.model.spec import TrustPolicy
from shipway.ports import Runtime
from shipway.runtimes import load


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Case, Runtime]]:
    made: dict[str, tuple[Case, Runtime]] = {}

    def build(name: str) -> tuple[Case, Runtime]:
        if name.startswith("PyTorch"):
            pytest.importorskip("torch", reason="PyTorch is not installed")
        if name not in made:
            case = BUILDERS[name](tmp_path_factory.mktemp("model"))
            made[name] = case, load(artifact_of(case), policy=TrustPolicy(), threads=1)
        return made[name]

    return build
