"""Boundaries: which tokens of a batch may see each other, from where pieces of documents begin in its rows.

The forms are those of variable-length attention: ``cu_seqlens`` as flash-attention's ``flash_attn_varlen_func``
takes them, over the batch laid out as one line of ``rows * seq_len`` tokens.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from training.pool import Pool

PADDING = -1


class Boundaries(NamedTuple):
    """``segment_ids int64[n, seq_len]``: 0, 1, 2… by piece in its row, -1 on padding.

    ``position_ids int64[n, seq_len]``: 0, 1, 2… from the beginning of each piece (and of padding).
    ``cu_seqlens int32[k + 1]``: where each of the batch's k pieces begins, then the number of tokens;
    padding before or behind the text of a row counts as a piece. ``max_seqlen``: tokens of the longest piece.
    """

    segment_ids: np.ndarray
    position_ids: np.ndarray
    cu_seqlens: np.ndarray
    max_seqlen: int


def boundaries(
    starts: np.ndarray, pieces: np.ndarray, spans: np.ndarray, seq_len: int, pool: Pool | None = None
) -> Boundaries:
    """From ``starts int32[sum(pieces)]``, ``pieces int64[n]`` and ``spans int32[n, 2]``, as `RowStore` gives them.

    ``pool`` gives the memory. Starts rise within a row; text begins a piece even where no start says so.

    >>> found = boundaries(np.array([0, 2], np.int32), np.array([2]), np.array([[0, 3]], np.int32), 4)
    >>> found.segment_ids.tolist(), found.position_ids.tolist(), found.cu_seqlens.tolist(), found.max_seqlen
    ([[0, 0, 1, -1]], [[0, 1, 0, 0]], [0, 2, 3, 4], 2)
    """
    shape, memory = (len(spans), seq_len), pool or Pool()
    segments, positions = memory.empty(shape, np.int64), memory.empty(shape, np.int64)
    bounds = np.empty(len(starts) + 3 * len(spans) + 1, np.int32)
    count, longest = _mark(starts, pieces, spans, segments, positions, bounds)
    return Boundaries(segments, positions, bounds[: count + 1], int(longest))


@njit(nogil=True, cache=True)
def _mark(starts, pieces, spans, segments, positions, bounds):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    count, longest, first = 0, 0, 0
    rows, width = segments.shape
    for row in range(rows):
        begin, segment, start = 0, 0, first
        first += pieces[row]
        text, stop = spans[row]
        while begin < width:
            mark = PADDING
            if begin < text:
                end = text
            elif begin >= stop:
                end = width
            else:
                while start < first and starts[start] <= begin:
                    start += 1
                end = min(starts[start], stop) if start < first else stop
                mark, segment = segment, segment + 1
            segments[row, begin:end] = mark
            for column in range(begin, end):
                positions[row, column] = column - begin
            bounds[count] = row * width + begin
            longest = max(longest, end - begin)
            count, begin = count + 1, end
    bounds[count] = rows * width
    return count, longest
