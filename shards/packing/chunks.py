"""Concatenate and chunk: all documents in a row, cut every ``seq_len`` tokens."""

from __future__ import annotations

import numpy as np

from shards.packing.pieces import Pieces


def chunked(lengths: np.ndarray, seq_len: int) -> Pieces:
    """Pieces of a stream that is cut every ``seq_len`` tokens; the last row may be incomplete.

    >>> found = chunked(np.array([3, 3]), 4)
    >>> found.row.tolist(), found.start.tolist(), found.offset.tolist()
    ([0, 0, 1], [0, 3, 0], [0, 0, 1])
    """
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])
    produced = int(starts[-1])
    rows = -(-produced // seq_len)
    cuts = np.union1d(starts[:-1], np.arange(rows, dtype=np.int64) * seq_len)
    document = np.searchsorted(starts, cuts, side="right") - 1
    length = np.diff(np.append(cuts, produced))
    return Pieces(document, cuts - starts[document], length, cuts // seq_len, cuts % seq_len, rows)
