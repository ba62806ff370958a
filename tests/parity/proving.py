"""Load a model as the server does, convert it, prove it."""

from dataclasses import replace

import numpy as np
from tests.parity.data import WINE

from shipway import runtimes
from shipway.conversion.proof import convert_and_prove
from shipway.conversion.versions import versions
from shipway.model.signature import Declared, Feature
from shipway.model.spec import Artifact, TrustPolicy, sha256
from shipway.runtimes.bare import load_object

TOLERANCE = 1e-5
NEEDS_EXAMPLE = "RadiusNeighborsClassifier"
"""It refuses a row without neighbours: an example is needed, as shipway.toml would give it."""


def prove(data, name=""):
    """The report of one model file, which the tests trust because they made it."""
    artifact = Artifact("model", data, sha256(data))
    policy = TrustPolicy(digests=frozenset([artifact.digest]))
    declared = None
    if NEEDS_EXAMPLE in name:
        values = enumerate(np.asarray(WINE[0][0]).tolist())
        declared = Declared(features=tuple(Feature(f"x{i}", example=v) for i, v in values))
    original = runtimes.load(artifact, policy=policy, declared=declared)
    made = convert_and_prove(
        load_object(artifact, policy=policy),
        original,
        load=lambda converted: runtimes.load(converted, policy=policy),
        sample=None,
        tolerance=TOLERANCE,
        versions=versions(),
    )
    return replace(made.report, sample=None)
