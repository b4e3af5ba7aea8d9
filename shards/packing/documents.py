"""What is packed, and what packing gives."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa


class Documents(NamedTuple):
    """Tokenised documents in order.

    ``ids uint16|uint32[t]``, ``offsets int64[n + 1]``, ``doc_ids binary(16)[n]``.
    Document ``i`` owns ``ids[offsets[i]:offsets[i + 1]]``, end of text not included. ``ended bool[n]``: which are
    followed by an end of text; a document that is not is packed together with the next one (None: all are). ``notes``:
    further columns, a row per document, that go into the rows beside each of its pieces.
    """

    ids: np.ndarray
    offsets: np.ndarray
    doc_ids: pa.Array
    ended: np.ndarray | None = None
    notes: pa.RecordBatch | None = None

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each document, its end of text included: ``int64[n]``."""
        lengths: np.ndarray = np.diff(self.offsets) + (1 if self.ended is None else self.ended)
        return lengths


class Packed(NamedTuple):
    """One shard's rows and its account of tokens (end-of-text tokens included).

    ``produced == written + sum(dropped) + pooled``; ``split_documents`` lie in more than one piece. ``rest`` is the
    incomplete row that goes to the pool, or no row.
    """

    rows: pa.RecordBatch
    produced: int
    written: int
    dropped: dict[str, int]
    padding: int
    documents: int
    split_documents: int
    pooled: int
    rest: pa.RecordBatch
