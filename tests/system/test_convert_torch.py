"""PyTorch's files become proven ONNX files, too."""

import io

import pytest
from tests.parity.proving import prove

pytestmark = [
    pytest.mark.torch,
    # PyTorch deprecates TorchScript, in which these files are.
    pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning"),
]


def network(outputs, *, probabilities):
    import torch

    torch.manual_seed(0)
    layers = [
        torch.nn.Linear(4, 16),
        torch.nn.ReLU(),
        torch.nn.BatchNorm1d(16),
        torch.nn.Linear(16, outputs),
    ]
    return torch.nn.Sequential(*layers, *([torch.nn.Softmax(1)] if probabilities else [])).eval()


def script(module):
    import torch

    out = io.BytesIO()
    torch.jit.save(torch.jit.trace(module, torch.zeros(2, 4)), out)
    return out.getvalue()


def program(module):
    import torch

    rows = torch.export.Dim("rows")
    found = torch.export.export(module, (torch.zeros(2, 4),), dynamic_shapes=({0: rows},))
    out = io.BytesIO()
    torch.export.save(found, out)
    return out.getvalue()


@pytest.mark.parametrize("saved", [script, program])
@pytest.mark.parametrize(
    ("outputs", "probabilities"),
    [(3, True), (3, False), (1, False)],
    ids=["probabilities", "scores", "one number"],
)
def test_a_network_is_converted_and_equal(saved, outputs, probabilities):
    report = prove(saved(network(outputs, probabilities=probabilities)))
    assert not list(report.differences)
    assert report.equal
    assert report.largest <= 1e-5
