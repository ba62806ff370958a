"""PyTorch: TorchScript and torch.export archives, loaded without Python code of the model."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from shipway.errors import CorruptModelError, SettingError, UnsafeModelError, UnsupportedModelError
from shipway.model.signature import Declared, Feature, Rows
from shipway.model.spec import Artifact, TrustPolicy
from shipway.runtimes.draft import Loaded, plain_features
from shipway.runtimes.packages import installed, require
from shipway.runtimes.tensors import in_batches, interpret, narrow
from shipway.runtimes.torch_archive import check_export, check_script

__all__ = ["read_export", "read_script"]

NUMBERS = {"torch.float32": np.float32, "torch.float64": np.float64, "torch.int64": np.int64}


def read_script(
    artifact: Artifact, policy: TrustPolicy, threads: int, declared: Declared
) -> Loaded:
    """A module saved by ``torch.jit.save``.

    TorchScript keeps no shape of its input: the number of features is taken from the first
    layer with a weight matrix, and from shipway.toml where there is none.
    """
    data = artifact.data if artifact.digest in policy.digests else check_script(artifact.data)
    torch = require("torch", "A TorchScript model")
    torch.set_num_threads(threads)
    with warnings.catch_warnings():
        # PyTorch deprecates TorchScript for torch.export; the file is already what it is.
        warnings.filterwarnings("ignore", "`torch.jit.load` is deprecated", DeprecationWarning)
        module = torch.jit.load(io.BytesIO(data), map_location="cpu").eval()
    weights = [parameter for _, parameter in module.named_parameters()]
    width = next((int(weight.shape[1]) for weight in weights if weight.dim() == 2), None)
    kind = str(weights[0].dtype) if weights else "torch.float32"
    features = None if width is None else plain_features(width)
    return _loaded(torch, _scores(torch, module, kind), features, declared)


def read_export(
    artifact: Artifact, policy: TrustPolicy, threads: int, declared: Declared
) -> Loaded:
    """A program saved by ``torch.export.save``; a fixed batch size is filled up."""
    data = artifact.data if artifact.digest in policy.digests else check_export(artifact.data)
    torch = require("torch", "A torch.export model")
    torch.set_num_threads(threads)
    try:
        program = torch.export.load(io.BytesIO(data))
    except UnsafeModelError:
        raise
    except Exception as exc:
        raise CorruptModelError(
            f"PyTorch cannot load the exported program: {type(exc).__name__}: {exc}",
            f"It was read by PyTorch {installed('torch')}; was it saved by a newer one?",
        ) from exc
    wanted = set(program.graph_signature.user_inputs)
    inputs = [
        node.meta["val"]
        for node in program.graph.nodes
        if node.op == "placeholder" and node.name in wanted
    ]
    if len(inputs) != 1 or len(inputs[0].shape) != 2 or not isinstance(inputs[0].shape[1], int):
        shapes = ", ".join(str(tuple(value.shape)) for value in inputs)
        raise UnsupportedModelError(
            f"The exported program takes inputs of shape {shapes}",
            "A model must take one matrix: rows by features.",
        )
    batch, width = inputs[0].shape
    scores = _scores(torch, program.module(), str(inputs[0].dtype))
    if isinstance(batch, int):
        scores = in_batches(scores, batch)
    return _loaded(torch, scores, plain_features(width), declared)


def _scores(torch: Any, module: Any, kind: str) -> Callable[[Rows], npt.NDArray[Any]]:
    dtype = NUMBERS.get(kind, np.float32)

    def scores(rows: Rows) -> npt.NDArray[Any]:
        with torch.inference_mode():
            output = module(torch.from_numpy(narrow(rows, dtype)))
        while isinstance(output, list | tuple) and output:
            output = output[0]
        values: npt.NDArray[Any] = output.numpy()
        return values

    return scores


def _loaded(
    torch: Any,
    scores: Callable[[Rows], npt.NDArray[Any]],
    features: tuple[Feature, ...] | None,
    declared: Declared,
) -> Loaded:
    try:
        draft, bind = interpret(scores, features, declared, named=False)
    except (SettingError, UnsupportedModelError):
        raise
    except Exception as exc:
        count = len(features or declared.features)
        lines = [line for line in str(exc).splitlines() if line.strip()]
        raise UnsupportedModelError(
            f"The PyTorch model does not answer rows of {count} numbers: "
            f"{lines[-1].strip() if lines else type(exc).__name__}",
            "If it takes another number of features, list them in shipway.toml, [signature] "
            "features. A model must take one matrix: rows by features.",
        ) from exc
    return Loaded(framework="torch", installed=torch.__version__, draft=draft, bind=bind)
