"""Threads of numeric libraries: as many as asked for, and none before a fork.

A server that runs several workers on few cores must not let each of them start a thread per
core, and a pool started before a fork is dead in the child: the child then waits for it for ever.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

__all__ = ["ThreadLimit", "parts", "tame"]

ROOTS = ("sklearn.", "xgboost.", "lightgbm.", "catboost.", "imblearn.")

THREADED = ("Forest", "ExtraTrees", "XGB", "LGBM", "Bagging")
"""Estimators whose ``n_jobs`` means threads at prediction; elsewhere it may mean processes."""


class ThreadLimit:
    """Called at the start of each prediction: limits OpenMP and BLAS once per thread.

    OpenMP keeps its limit per thread that calls it (OpenMP 5.2, ICV ``nthreads-var``), so a limit
    set by the thread that loaded the model would not hold in the threads that answer.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._local = threading.local()

    def __call__(self) -> None:
        """Make sure that the current thread is limited."""
        if not getattr(self._local, "limited", False):
            from threadpoolctl import threadpool_limits

            threadpool_limits(limits=self._threads)
            self._local.limited = True


def parts(model: Any) -> Iterator[Any]:
    """Every estimator inside a model, itself first."""
    seen: set[int] = set()
    waiting = [model]
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, list | tuple):
            waiting.extend(value)
        elif isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, np.ndarray):
            if value.dtype == object and value.size < 100_000:
                waiting.extend(value.ravel().tolist())
        elif _is_estimator(value):
            yield value
            waiting.extend(vars(value).values())


def _is_estimator(value: Any) -> bool:
    if isinstance(value, type) or not hasattr(value, "__dict__"):
        return False
    return hasattr(value, "fit") or type(value).__module__.startswith(ROOTS)


def tame(model: Any, threads: int) -> None:
    """Set ``n_jobs`` of every part, and stop each from printing while it answers."""
    for part in parts(model):
        own = vars(part)
        if "n_jobs" in own:
            many = any(word in type(part).__name__ for word in THREADED)
            part.n_jobs = threads if many else 1
        if isinstance(own.get("verbose"), int):
            part.verbose = 0
