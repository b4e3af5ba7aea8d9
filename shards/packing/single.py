"""One document a row: short documents are padded, what becomes of longer ones is configured."""

from __future__ import annotations

from typing import Literal

import numpy as np

from shards.packing.pieces import Pieces, cut


def one_a_row(lengths: np.ndarray, seq_len: int, overlong: Literal["cut", "truncate", "drop"]) -> Pieces:
    """Pieces with a row each: of a document longer than a row all pieces, the first, or none.

    >>> [one_a_row(np.array([5, 2]), 4, how).length.tolist() for how in ("cut", "truncate", "drop")]
    [[4, 1, 2], [4, 2], [2]]
    """
    document, offset, length = cut(lengths, seq_len)
    if overlong == "truncate":
        kept = offset == 0
    else:
        kept = (lengths <= seq_len)[document] if overlong == "drop" else np.ones(len(document), np.bool_)
    document, offset, length = document[kept], offset[kept], length[kept]
    rows = np.arange(len(document))
    return Pieces(document, offset, length, rows, np.zeros(len(rows), np.int64), len(rows))
