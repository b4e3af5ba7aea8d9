from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from training.boundaries import boundaries


def slow(rows: list[tuple[list[int], int, int]], width: int):
    """The slow twin: token by token."""
    segments, positions, bounds = [], [], []
    for at, (starts, begin, end) in enumerate(rows):
        cuts = {0, begin, end, *starts} - {width}
        segment, position = -1, 0
        for column in range(width):
            if column in cuts:
                segment += begin <= column < end
                position = 0
                bounds.append(at * width + column)
            segments.append(segment if begin <= column < end else -1)
            positions.append(position)
            position += 1
    bounds.append(len(rows) * width)
    return segments, positions, bounds


WIDTH = 12
SPANS = st.tuples(st.integers(0, WIDTH - 1), st.integers(1, WIDTH)).filter(lambda span: span[0] < span[1])
STARTS = st.lists(st.integers(0, WIDTH - 1), unique=True, max_size=5).map(sorted)
ROWS = st.lists(st.tuples(STARTS, SPANS), min_size=1, max_size=5)


@given(ROWS)
@settings(deadline=None)
def test_as_the_slow_twin_says(rows):
    rows = [([start for start in starts if span[0] <= start < span[1]], *span) for starts, span in rows]
    found = boundaries(
        np.array([start for starts, _, _ in rows for start in starts], np.int32),
        np.array([len(starts) for starts, _, _ in rows]),
        np.array([span for _, *span in rows], np.int32),
        WIDTH,
    )
    segments, positions, bounds = slow(rows, WIDTH)
    assert found.segment_ids.ravel().tolist() == segments
    assert found.position_ids.ravel().tolist() == positions
    assert found.cu_seqlens.tolist() == bounds
    assert found.max_seqlen == max(np.diff(bounds))


def test_types_are_those_of_variable_length_attention():
    found = boundaries(np.array([0], np.int32), np.array([1]), np.array([[0, 4]], np.int32), 4)
    assert found.cu_seqlens.dtype == np.int32
    assert found.segment_ids.dtype == found.position_ids.dtype == np.int64
    assert found.cu_seqlens.tolist() == [0, 4]


def test_no_rows():
    nothing = np.zeros(0, np.int32)
    found = boundaries(nothing, np.zeros(0, np.int64), np.zeros((0, 2), np.int32), 4)
    assert found.cu_seqlens.tolist() == [0]
    assert found.max_seqlen == 0
    assert found.segment_ids.shape == (0, 4)


def test_block_diagonal_attention_sees_its_own_document_only():
    """The segments mask out all of a token's neighbours in other documents."""
    found = boundaries(np.array([0, 3], np.int32), np.array([2]), np.array([[0, 5]], np.int32), 6)
    (segments,) = found.segment_ids
    mask = (segments[:, None] == segments[None, :]) & (segments >= 0)[:, None]
    assert mask.sum(axis=1).tolist() == [3, 3, 3, 2, 2, 0]
