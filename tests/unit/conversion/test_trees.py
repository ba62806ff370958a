"""Trees as ONNX against trees walked by hand, to the last bit."""

import numpy as np
import onnxruntime
import pytest

from shipway.conversion.sheet import Sheet
from shipway.conversion.trees import LESS, LESS_OR_EQUAL, MEMBER, Tree, constant, leaf_sums

THRESHOLD = 0.1  # float32 has no 0.1: its float32 neighbours lie on both sides of it


def stump(mode=LESS_OR_EQUAL, *, missing_left=False, members=None, values=(1.0, 2.0), target=0):
    return Tree(
        feature=np.array([0, -1, -1]),
        threshold=np.array([THRESHOLD, 0, 0]),
        left=np.array([1, -1, -1]),
        right=np.array([2, -1, -1]),
        values=np.array([0, *values]),
        missing_left=np.array([missing_left, False, False]),
        mode=np.array([mode, 0, 0], np.uint8),
        members=members,
        target=target,
    )


def run(trees, rows, targets=1, *, single=False):
    sheet = Sheet()
    x = sheet.cast("features", "FLOAT") if single else "features"
    total = sheet.cast(leaf_sums(sheet, x, trees, targets, single=single), "DOUBLE")
    model = sheet.model([("features", "DOUBLE", 1)], {"out": (total, "DOUBLE", targets)}, {})
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(None, {"features": np.asarray(rows, np.float64).reshape(-1, 1)})[0]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [(LESS_OR_EQUAL, [1.0, 1.0, 2.0]), (LESS, [1.0, 2.0, 2.0])],
)
def test_a_threshold_decides_to_the_last_bit_of_float64(mode, expected):
    rows = [np.nextafter(THRESHOLD, -1), THRESHOLD, np.nextafter(THRESHOLD, 1)]
    assert run([stump(mode)], rows).ravel().tolist() == expected


@pytest.mark.parametrize("left", [True, False])
def test_a_missing_value_goes_where_the_tree_says(left):
    assert run([stump(missing_left=left)], [np.nan])[0, 0] == (1.0 if left else 2.0)


def test_categories_of_a_set_go_left_and_all_others_right():
    tree = stump(MEMBER, members={0: [1.0, 4.0]})
    assert run([tree], [1, 4, 0, 2, -1, np.nan]).ravel().tolist() == [1, 1, 2, 2, 2, 2]


def test_an_empty_set_lets_only_missing_values_go_left():
    tree = stump(MEMBER, members={0: []}, missing_left=True)
    assert run([tree], [0, 1, -1e300, np.nan]).ravel().tolist() == [2, 2, 2, 1]


def test_sums_are_added_in_the_order_of_the_trees():
    values = [0.1, 0.2, 0.3, 1e16, -1e16, 0.7]
    trees = [stump(values=(value, value)) for value in values]
    total = 0.0
    for value in values:
        total += value
    assert run(trees, [0.0])[0, 0] == total


def test_a_library_of_float32_gets_its_own_sums():
    values = np.array([0.1, 0.2, 16777216.0, 1.0, 1.0], np.float32)
    total = np.float32(0.5)
    for value in values:
        total += value
    trees = [constant(0.5), *(stump(values=(value, value)) for value in values)]
    assert run(trees, [0.0], single=True)[0, 0] == total


def test_each_target_has_its_own_sum():
    trees = [stump(), stump(values=(10.0, 20.0), target=1), stump(values=(100.0, 200.0))]
    assert run(trees, [0.0, 1.0], targets=2).tolist() == [[101.0, 10.0], [202.0, 20.0]]


@pytest.mark.parametrize(
    "leaves",
    [
        ([[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.5, 0.5]]),
        ([[1 / 3, 2 / 3], [0.1, 0.9]], [[0.7, 0.3], [2 / 3, 1 / 3]]),
        ([[0.1, 0.2, 0.7], [0.3, 0.3, 0.4]], [[0.5, 0.25, 0.25], [1 / 3, 1 / 3, 1 / 3]]),
    ],
    ids=["exact votes", "two classes", "three classes"],
)
def test_votes_are_the_sums_of_the_leaves_to_the_last_bit(leaves):
    width = len(leaves[0][0])
    trees = [
        Tree(
            feature=np.array([0, -1, -1]),
            threshold=np.array([0.5, 0, 0]),
            left=np.array([1, -1, -1]),
            right=np.array([2, -1, -1]),
            values=np.array([[0.0] * width, *leaf]),
        )
        for leaf in (*leaves, *leaves, leaves[0])
    ]
    found = run(trees, [0.0, 1.0], targets=width)
    for row, side in zip(found, (0, 1), strict=True):
        total = np.zeros(width)
        for leaf in (*leaves, *leaves, leaves[0]):
            total += np.array(leaf[side])
        assert row.tolist() == total.tolist()


def test_a_tree_of_one_leaf_is_a_constant():
    assert run([constant(3.5), stump()], [0.0, 1.0]).ravel().tolist() == [4.5, 5.5]
