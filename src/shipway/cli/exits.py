"""Exit codes, as one table: what a script may rely on."""

from __future__ import annotations

from shipway import errors

__all__ = ["EXITS", "INTERRUPTED", "exit_code"]

INTERRUPTED = 130
"""Ended by Ctrl-C: 128 + SIGINT, as shells count."""

EXITS: dict[type[errors.Error], int] = {
    errors.Error: 1,
    errors.UsageError: 2,
    errors.ModelError: 3,
    errors.UnsafeModelError: 4,
    errors.MissingPackageError: 5,
    errors.PortInUseError: 6,
    errors.ProjectExistsError: 7,
    errors.ConversionError: 8,
    errors.ParityError: 9,
    errors.LoadTestError: 10,
    errors.TrackingError: 11,
}
"""The nearest class in an error's line of descent decides."""


def exit_code(error: errors.Error) -> int:
    """The process's exit code for an error; never 0."""
    return next(EXITS[kind] for kind in type(error).__mro__ if kind in EXITS)
