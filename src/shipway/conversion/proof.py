"""Convert a loaded model and prove it: the use case, without files and processes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from shipway.conversion.graph import ROWS, to_onnx
from shipway.conversion.parity import GroupResult, ask_all, compare
from shipway.conversion.ranges import find_ranges
from shipway.conversion.report import ParityReport
from shipway.conversion.rows import Group, Labelled, boundaries, jumps, made_rows
from shipway.conversion.splits import operators, read_splits
from shipway.errors import ConversionError, Error
from shipway.model.signature import Rows
from shipway.model.spec import Artifact, sha256
from shipway.ports import Runtime

__all__ = ["Converted", "convert_and_prove"]

Load = Callable[[Artifact], Runtime]
TIMED_ROWS = (1, 64)
MOST_SECONDS = 0.3
NETWORK_HALVINGS = 12
DISTANCES = {"TopK", "ArgMin"}
"""Operators that compare distances."""
INEXACT = {"MatMul", "Gemm", "Exp", "Log", "Pow"}
"""Operators whose last bit depends on the library."""


@dataclass(frozen=True, slots=True)
class Converted:
    """The converted file and its proof; ``data`` is only good when the report says equal."""

    data: bytes
    report: ParityReport


def convert_and_prove(
    model: object,
    original: Runtime,
    *,
    load: Load,
    sample: tuple[str, Rows] | None,
    tolerance: float,
    versions: Mapping[str, str],
) -> Converted:
    """The model as an ONNX file, compared with its original on the same rows.

    ``load`` makes a runtime of the converted file; ``sample`` is the name and the rows of a
    sample. Rows are made as well, whether or not there is a sample.

    Raises:
        shipway.errors.ConversionError: there is no converter, or its file cannot be loaded.
        shipway.errors.MissingPackageError: a converter is not installed.
    """
    spec = original.spec
    facts = {"original": spec.digest, "framework": spec.framework}
    data = to_onnx(model, spec.signature, facts)
    try:
        converted = load(Artifact("model.onnx", data, sha256(data)))
    except Error as exc:
        raise ConversionError(
            f"The converted model cannot be loaded: {exc.message}",
            "The original can be served as it is: shipway serve MODEL",
        ) from exc
    groups = _groups(model, original, data, sample)
    results = tuple(
        compare(
            group,
            original.predict,
            converted.predict,
            tolerance=tolerance,
            labels=spec.signature.task == "classifier",
        )
        for group in groups
    )
    report = ParityReport(
        model=type(model).__name__,
        original_digest=spec.digest,
        digest=sha256(data),
        framework=spec.framework,
        tolerance=tolerance,
        groups=results,
        versions=versions,
        sample=sample[0] if sample else None,
        speed=_speed(original, converted, groups, results),
    )
    return Converted(data, report)


def _groups(
    model: object, original: Runtime, data: bytes, sample: tuple[str, Rows] | None
) -> list[Group]:
    signature = original.spec.signature
    splits = read_splits(data, ROWS)
    thresholds: dict[int, list[float]] = {}
    for part in splits:
        for column, value in zip(part.feature.tolist(), part.value.tolist(), strict=True):
            thresholds.setdefault(column, []).append(value)
    ranges = find_ranges(model, signature, thresholds)
    kinds = operators(data)
    groups = made_rows(signature, ranges, splits, distances=bool(kinds & DISTANCES))
    if sample:
        groups.insert(0, Group("sample", sample[1]))

    def ask(rows: Rows) -> Any:
        answers = ask_all(original.predict, rows)
        if answers.probabilities is not None:
            numbers = answers.probabilities[:, 0]
        elif signature.task == "regressor" and answers.predictions.ndim == 1:
            numbers = np.where(answers.refused, np.nan, answers.predictions).astype(np.float64)
        else:
            numbers = np.where(answers.refused, np.nan, 0.0)
        return answers.predictions, numbers

    base = next(group.rows for group in groups)
    groups += [found for found in (_boundaries(original, base, ask),) if found]
    if "TreeEnsemble" in kinds:
        exact = not kinds & INEXACT
        groups += [found for found in (jumps(signature, base, ask, exact=exact),) if found]
    return groups


def _boundaries(original: Runtime, base: Rows, ask: Labelled) -> Group | None:
    signature = original.spec.signature
    if original.spec.framework == "torch":
        return boundaries(signature, base, ask, halvings=NETWORK_HALVINGS)
    return boundaries(signature, base, ask)


def _speed(
    original: Runtime,
    converted: Runtime,
    groups: list[Group],
    results: tuple[GroupResult, ...],
) -> dict[str, tuple[float, float]]:
    rows = next(
        (
            g.rows
            for g, r in zip(groups, results, strict=True)
            if not r.refused and len(g.rows) > 63
        ),
        original.spec.signature.example_rows(64),
    )
    return {
        str(count): (_microseconds(original, rows[:count]), _microseconds(converted, rows[:count]))
        for count in TIMED_ROWS
    }


def _microseconds(runtime: Runtime, rows: Rows) -> float:
    """The fastest of some calls: what the machine does besides only makes a call slower."""
    best = float("inf")
    end = time.perf_counter() + MOST_SECONDS
    try:
        for _ in range(200):
            start = time.perf_counter()
            runtime.predict(rows)
            now = time.perf_counter()
            best = min(best, now - start)
            if now > end:
                break
    except Error:
        return 0.0
    return round(best * 1e6, 2)
