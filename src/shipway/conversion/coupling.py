"""Class probabilities from pairwise ones, step by step as libsvm computes them.

T.-F. Wu, C.-J. Lin and R. C. Weng, "Probability estimates for multi-class classification by
pairwise coupling", JMLR 5 (2004), algorithm 2. libsvm stops once the error is below 0.005 / k:
the answer depends on the number of steps, so the steps are repeated, not the fixed point solved.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from shipway.conversion.sheet import Sheet

__all__ = ["coupled"]

MOST_STEPS = 100


def coupled(sheet: Sheet, pairs: str, count: int) -> str:
    """Probabilities (n, count) from those of the first in each pair, (n, count (count - 1) / 2)."""
    from onnx import TensorProto, helper

    order = [(i, j) for i in range(count) for j in range(i + 1, count)]
    upper = np.zeros((len(order), count * count))
    lower = np.zeros((len(order), count * count))
    for number, (i, j) in enumerate(order):
        upper[number, i * count + j] = 1.0
        lower[number, j * count + i] = 1.0
    others = sheet.op("Sub", 1.0, pairs)
    # r[i, j]: the probability of i against j; zero on the diagonal
    flat = sheet.op("Add", sheet.op("MatMul", pairs, upper), sheet.op("MatMul", others, lower))
    r = sheet.op("Reshape", flat, np.array([-1, count, count]))
    turned = sheet.op("Transpose", r, perm=[0, 2, 1])
    on_diagonal = sheet.reduce("ReduceSum", sheet.op("Mul", turned, turned), 2, keep=True)
    off_diagonal = sheet.op("Neg", sheet.op("Mul", r, turned))
    q = sheet.op("Add", sheet.op("Mul", on_diagonal, np.eye(count)[None]), off_diagonal)
    first = sheet.op("Add", sheet.op("Mul", sheet.op("Gather", r, 0, axis=1), 0.0), 1.0 / count)
    body = Sheet(prefix="couple_")
    body_out = _step(body, count, "q", "couple_p")
    outputs = [helper.make_tensor_value_info("couple_going", TensorProto.BOOL, []),
               helper.make_tensor_value_info("couple_p_out", TensorProto.DOUBLE, None)]  # fmt: skip
    graph = helper.make_graph(
        [
            *body.nodes,
            helper.make_node("Identity", [body_out[0]], ["couple_going"]),
            helper.make_node("Identity", [body_out[1]], ["couple_p_out"]),
        ],
        "couple",
        [
            helper.make_tensor_value_info("couple_step", TensorProto.INT64, []),
            helper.make_tensor_value_info("couple_again", TensorProto.BOOL, []),
            helper.make_tensor_value_info("couple_p", TensorProto.DOUBLE, None),
        ],
        outputs,
        body.tensors,
    )
    _see(graph, "q", q)
    steps = max(MOST_STEPS, count)
    return sheet.op("Loop", steps, np.array(True), first, body=graph)


def _see(graph: Any, inner: str, outer: str) -> None:
    """The body reads a tensor of the surrounding graph."""
    for node in graph.node:
        for index, name in enumerate(node.input):
            if name == inner:
                node.input[index] = outer


def _step(sheet: Sheet, count: int, q: str, p: str) -> tuple[str, str]:
    """One round; rows that are precise enough stay as they are."""
    column = sheet.op("Unsqueeze", p, np.array([2]))
    qp = sheet.op("Squeeze", sheet.op("MatMul", q, column), np.array([2]))
    pqp = sheet.reduce("ReduceSum", sheet.op("Mul", p, qp), 1, keep=True)
    error = sheet.reduce("ReduceMax", sheet.op("Abs", sheet.op("Sub", qp, pqp)), 1, keep=True)
    open_rows = sheet.op("GreaterOrEqual", error, 0.005 / count)
    new = p
    for t in range(count):
        row = sheet.op("Gather", q, t, axis=1)
        own = sheet.columns(row, [t])
        qp_t = sheet.columns(qp, [t])
        diff = sheet.op("Div", sheet.op("Sub", pqp, qp_t), own)
        scale = sheet.op("Add", diff, 1.0)
        grown = sheet.op("Add", sheet.op("Mul", diff, own), sheet.op("Mul", qp_t, 2.0))
        above = sheet.op("Add", pqp, sheet.op("Mul", diff, grown))
        pqp = sheet.op("Div", sheet.op("Div", above, scale), scale)
        qp = sheet.op("Div", sheet.op("Add", qp, sheet.op("Mul", diff, row)), scale)
        moved = sheet.op("Add", new, sheet.op("Mul", diff, np.eye(count)[t][None]))
        new = sheet.op("Div", moved, scale)
    result = sheet.op("Where", open_rows, new, p)
    left = sheet.op("ReduceMax", sheet.cast(open_rows, "INT64"), keepdims=0)
    return sheet.cast(left, "BOOL"), result
