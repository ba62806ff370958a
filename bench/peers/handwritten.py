"""The server that most people write by hand."""

import os
import pickle
from pathlib import Path

from fastapi import FastAPI
from pydantic import BaseModel, Field

model = pickle.loads(Path(os.environ["BENCH_MODEL"]).read_bytes())
app = FastAPI()


class Request(BaseModel):
    """One row."""

    features: list[float] = Field(min_length=30, max_length=30)


class Answer(BaseModel):
    """The class and the probability of it."""

    prediction: int
    confidence: float


@app.post("/predict")
def predict(request: Request) -> Answer:
    """Answer one row."""
    rows = [request.features]
    return Answer(
        prediction=int(model.predict(rows)[0]), confidence=float(model.predict_proba(rows)[0].max())
    )
