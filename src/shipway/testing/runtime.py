"""A model of known answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from shipway.errors import Error, InputError, Issue, PredictionError
from shipway.model.signature import Feature, Label, Outputs, Rows, Signature
from shipway.model.spec import Format, ModelSpec, sha256

__all__ = ["FixedRuntime", "numbers"]


def numbers(
    count: int, *, classes: tuple[Label, ...] | None = None, confidence: bool | None = None
) -> Signature:
    """The signature of a model of ``count`` unnamed numbers; with ``classes`` a classifier."""
    return Signature(
        task="regressor" if classes is None else "classifier",
        features=tuple(Feature(f"x{index}") for index in range(count)),
        classes=classes,
        confidence=classes is not None if confidence is None else confidence,
    )


class FixedRuntime:
    """A ports.Runtime that answers with a function: no file, no library.

    ``function`` gets rows of shape (n, features) and returns Outputs, or only the predictions.
    ``name`` stands for the file: another name is another digest.
    ``converted`` is the digest of a file that is said to answer in its place.
    """

    def __init__(
        self,
        signature: Signature,
        function: Callable[[Rows], Outputs | Any],
        *,
        name: str = "fixed",
        framework: str = "scikit-learn",
        converted: str | None = None,
    ) -> None:
        self._function = function
        self._spec = ModelSpec(
            format=Format.PICKLE,
            framework=framework,
            recorded_version="1.0",
            installed_version="1.0",
            digest=sha256(name.encode()),
            size=len(name),
            signature=signature,
            converted=converted,
        )

    @property
    def spec(self) -> ModelSpec:
        """What it pretends to be."""
        return self._spec

    def predict(self, rows: Rows) -> Outputs:
        """What the function says; a ValueError is the rows' fault, anything else the model's."""
        try:
            answer = self._function(rows)
        except Error:
            raise
        except ValueError as exc:
            raise InputError([Issue("value_error", (), str(exc))]) from exc
        except Exception as exc:
            message = f"The model failed: {type(exc).__name__}: {exc}"
            raise PredictionError(message) from exc
        if isinstance(answer, Outputs):
            return answer
        return Outputs(np.asarray(answer))
