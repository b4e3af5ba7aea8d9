"""Verification: the share of equal positions, exactly, and the threshold, exactly."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dedup import EDGE, PAIR, estimate, estimate_rows, verified

SHAPES = st.tuples(st.integers(0, 6), st.sampled_from([1, 3, 10, 16]))


def pairs_of(count: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(
        [pa.array(range(count), pa.int64()), pa.array(range(1, count + 1), pa.int64())], schema=PAIR
    )


@given(SHAPES.flatmap(lambda shape: st.tuples(*[arrays(np.uint32, shape, elements=st.integers(0, 2))] * 2)))
def test_equals_numpy(sides):
    left, right = sides
    assert estimate(left, right).tolist() == np.mean(left == right, axis=1).astype(np.float32).tolist()


def test_rows_choose_signatures():
    matrix = np.array([[1, 2], [1, 3], [1, 2]], np.uint32)
    assert estimate_rows(matrix, np.array([0, 0, 1]), matrix, np.array([1, 2, 1])).tolist() == [0.5, 1.0, 1.0]


def test_result_type():
    assert estimate(np.zeros((2, 4), np.uint32), np.zeros((2, 4), np.uint32)).dtype == np.float32


def test_different_shapes_are_refused():
    with pytest.raises(ValueError, match="equal shapes"):
        estimate(np.zeros((2, 4), np.uint32), np.zeros((3, 4), np.uint32))
    with pytest.raises(ValueError, match="num_perm: expected equal, got 4 and 5"):
        estimate_rows(
            np.zeros((2, 4), np.uint32), np.zeros(1, int), np.zeros((3, 5), np.uint32), np.zeros(1, int)
        )


@given(st.lists(st.integers(0, 10), max_size=20), st.integers(0, 10))
def test_a_similarity_equal_to_the_threshold_is_enough(tenths, threshold):
    """0.7 is not a binary number: seven of ten positions must still reach it."""
    found = verified(pairs_of(len(tenths)), np.array([t / 10 for t in tenths], np.float32), threshold / 10)
    assert found.schema == EDGE
    assert found.column("left").to_pylist() == [i for i, t in enumerate(tenths) if t >= threshold]


def test_nothing_to_verify():
    assert verified(pairs_of(0), np.zeros(0, np.float32), 0.7).num_rows == 0
