"""BentoML with its adaptive batching."""

import os

import batch_model
import bentoml
import numpy as np


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class Breast:
    """One model, many rows in one call."""

    def __init__(self):
        self.answer = batch_model.load()

    @bentoml.api(
        batchable=True, max_batch_size=64, max_latency_ms=int(os.environ["BENCH_LATENCY_MS"])
    )
    def predict(self, rows: np.ndarray) -> list[dict]:
        """Answer the rows of several requests."""
        return self.answer(rows)
