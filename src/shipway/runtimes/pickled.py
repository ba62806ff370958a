"""Files that hold a Python object: pickle, joblib, skops."""

from __future__ import annotations

from typing import Any

from shipway.errors import CorruptModelError, MissingPackageError, ModelError, UnsafeModelError
from shipway.model.allowlist import Use, canonical, permitted
from shipway.model.signature import Declared
from shipway.model.spec import Artifact, TrustPolicy
from shipway.runtimes import catboost, lightgbm, sklearn, xgboost
from shipway.runtimes.draft import Loaded
from shipway.runtimes.packages import require
from shipway.runtimes.unpickling import load_pickle

__all__ = ["read_pickle", "read_skops"]

WRAPPERS = {"xgboost": xgboost.wrap, "lightgbm": lightgbm.wrap, "catboost": catboost.wrap}


def read_pickle(
    artifact: Artifact, policy: TrustPolicy, threads: int, _declared: Declared
) -> Loaded:
    """A pickle or joblib file, by the restricted unpickler."""
    return _wrap(load_pickle(artifact, policy), threads)


def read_skops(
    artifact: Artifact, policy: TrustPolicy, threads: int, _declared: Declared
) -> Loaded:
    """A skops file: its types were scanned, and those skops does not know are asked for again.

    Raises:
        shipway.errors.UnsafeModelError: a type that is on no list.
    """
    skops = require("skops.io", "A skops file")
    try:
        types = skops.get_untrusted_types(data=artifact.data)
        _check_types(artifact, types, policy)
        model = skops.loads(artifact.data, trusted=types)
    except ModuleNotFoundError as exc:
        raise MissingPackageError(
            f"The model needs {exc.name}, which is not installed",
            f"Install it: pip install {exc.name}",
            package=exc.name or "",
        ) from exc
    except ModelError:
        raise
    except Exception as exc:
        raise CorruptModelError(
            f"skops cannot load the file: {type(exc).__name__}: {exc}",
            "Was it saved by a much newer or older version of scikit-learn or skops?",
        ) from exc
    return _wrap(model, threads)


def _check_types(artifact: Artifact, types: list[str], policy: TrustPolicy) -> None:
    if artifact.digest in policy.digests:
        return
    foreign = []
    for name in types:
        module, _, qualname = name.rpartition(".")
        # What each is used for was scanned node by node; this asks whether it is listed at all.
        if permitted(*canonical(module, qualname), policy) is Use.NONE:
            foreign.append(name)
    if foreign:
        raise UnsafeModelError(
            f"Loading {artifact.name} would use types that nobody allowed: {', '.join(foreign)}",
            f"If you know what they do, allow them in shipway.toml: [model] allow = {foreign}",
            findings=foreign,
        )


def _wrap(model: Any, threads: int) -> Loaded:
    root = type(model).__module__.partition(".")[0]
    return WRAPPERS.get(root, sklearn.wrap)(model, threads=threads)
