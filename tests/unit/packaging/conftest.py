import pytest

from shipway.model.signature import Feature, Signature
from shipway.model.spec import Format, ModelSpec, sha256
from shipway.packaging.facts import Facts
from shipway.packaging.requirements import Pin
from shipway.packaging.wheel import Wheel

MODEL = b"the bytes of a model"
SIGNATURE = Signature(
    "classifier",
    (Feature("age", example=41.0), Feature("sex", "string", categories=("f", "m"))),
    named=True,
    classes=("no", "yes"),
    confidence=True,
)


@pytest.fixture
def facts():
    """``facts(name="x")``: the facts of a small project, with any of them replaced."""

    def make(**said):
        spec = ModelSpec(
            Format.PICKLE, "scikit-learn", "1.9.1", "1.9.1", sha256(MODEL), len(MODEL), SIGNATURE
        )
        usual = {
            "name": "my-ml-model",
            "spec": spec,
            "model": {"models/model.pkl": MODEL},
            "model_path": "models/model.pkl",
            "python": "3.11",
            "pins": (Pin("numpy==2.4.6"), Pin("scikit-learn==1.5.2", "recorded in the model")),
            "wheel": Wheel("shipway-0.1.0-py3-none-any.whl", b"wheel"),
        }
        return Facts(**usual | said)

    return make
