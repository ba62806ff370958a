"""A user's sample of rows: CSV, Parquet or NumPy, brought into the columns of a signature."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np

from shipway.errors import MissingPackageError, UsageError
from shipway.model.signature import Feature, Rows, Signature

__all__ = ["read_sample"]

KINDS = ".csv, .parquet or .npz"


def read_sample(path: Path, signature: Signature) -> Rows:
    """The rows of a file, shape (n, features), n >= 1.

    Columns are found by name; where the model has no names of its own, by position when the file
    has as many columns as the model. Columns that the model does not take are left out.

    Raises:
        shipway.errors.UsageError: unreadable, of another kind, without the model's columns, or a
            cell that the column cannot hold; the message names line and column.
        shipway.errors.MissingPackageError: Parquet without pandas and a Parquet engine.
    """
    try:
        data = path.read_bytes()
    except OSError as exc:
        raise UsageError(f"The sample {path} cannot be read: {exc.strerror}") from exc
    readers = {".csv": _csv, ".parquet": _parquet, ".npz": _npz}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise UsageError(f"The sample {path} is of an unknown kind", f"Give a file in {KINDS}.")
    names, cells = reader(data, path)
    if not len(cells):
        raise UsageError(f"The sample {path} has no rows")
    places = _places(names, len(cells[0]), signature, path)
    rows = np.empty((len(cells), len(signature.features)), object)
    for number, line in enumerate(cells):
        if len(line) != len(cells[0]):
            raise UsageError(
                f"Row {number + 1} of {path} has {len(line)} columns instead of {len(cells[0])}"
            )
        for column, (place, feature) in enumerate(zip(places, signature.features, strict=True)):
            rows[number, column] = _cell(line[place], feature, f"{path}, row {number + 1}")
    if signature.numeric:
        return np.array([[np.nan if v is None else v for v in row] for row in rows], np.float64)
    return rows


def _csv(data: bytes, path: Path) -> tuple[list[str] | None, list[Any]]:
    try:
        lines = [line for line in csv.reader(io.StringIO(data.decode("utf-8-sig"))) if line]
    except (UnicodeDecodeError, csv.Error) as exc:
        raise UsageError(f"The sample {path} is no CSV file in UTF-8: {exc}") from exc
    if lines and not all(_is_number(cell) for cell in lines[0]):
        return [cell.strip() for cell in lines[0]], list(lines[1:])
    return None, list(lines)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _parquet(data: bytes, path: Path) -> tuple[list[str] | None, list[Any]]:
    try:
        import pandas as pd

        frame = pd.read_parquet(io.BytesIO(data))
    except ImportError as exc:
        raise MissingPackageError(
            f"Reading {path} needs pandas and pyarrow: {exc}",
            "Install them: pip install pandas pyarrow",
            package="pyarrow",
        ) from exc
    except Exception as exc:
        raise UsageError(f"The sample {path} is no Parquet file: {exc}") from exc
    frame = frame.astype(object).where(frame.notna(), None)
    return [str(name) for name in frame.columns], frame.to_numpy(object).tolist()


def _npz(data: bytes, path: Path) -> tuple[list[str] | None, list[Any]]:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except Exception as exc:
        raise UsageError(
            f"The sample {path} is no NumPy archive of plain arrays: {exc}",
            "Save it with numpy.savez(path, X=rows).",
        ) from exc
    matrices = [array for array in arrays.values() if array.ndim == 2]
    if "X" in arrays and arrays["X"].ndim == 2:
        return None, arrays["X"].tolist()
    if len(matrices) == 1 == len(arrays):
        return None, matrices[0].tolist()
    plain = all(array.ndim == 1 for array in arrays.values())
    if plain and len({len(array) for array in arrays.values()}) == 1:
        columns = (array.tolist() for array in arrays.values())
        return list(arrays), list(zip(*columns, strict=True))
    raise UsageError(
        f"The sample {path} holds neither one matrix nor columns of one length",
        "Save it with numpy.savez(path, X=rows).",
    )


def _places(names: list[str] | None, width: int, signature: Signature, path: Path) -> list[int]:
    wanted = signature.names
    if names is not None:
        if all(name in names for name in wanted):
            return [names.index(name) for name in wanted]
        if signature.named:
            lost = [name for name in wanted if name not in names]
            raise UsageError(
                f"The sample {path} has no column {lost[0]!r}"
                + (f" (and {len(lost) - 1} more are missing)" if len(lost) > 1 else ""),
                f"The model takes: {', '.join(wanted[:20])}",
            )
    if width != len(wanted):
        raise UsageError(f"The sample {path} has {width} columns, the model takes {len(wanted)}")
    return list(range(width))


def _cell(value: Any, feature: Feature, where: str) -> Any:
    empty = value is None or (isinstance(value, float) and np.isnan(value)) or value == ""
    if empty:
        if feature.missing:
            return None
        raise UsageError(f"{where}: {feature.name} is missing, but the model takes no missing one")
    if feature.kind == "string":
        return str(value)
    try:
        return float(value)
    except (TypeError, ValueError) as exc:
        raise UsageError(f"{where}: {feature.name} is {value!r}, which is no number") from exc
