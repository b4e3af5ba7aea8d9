"""Batches: cutting and joining record batches by bytes, never by rows alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa

from columns.document import text_buffers

BATCH_BYTES = 8 << 20


def concat(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> pa.RecordBatch:
    """Join batches into one contiguous batch; none give an empty one.

    >>> concat([], pa.schema([("a", pa.int8())])).num_rows
    0
    """
    found = [batch for batch in batches if batch.num_rows]
    if not found:
        return _empty(schema)
    return found[0] if len(found) == 1 else pa.concat_batches(found)


def _empty(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([], f.type) for f in schema], schema=schema)


def row_bytes(batch: pa.RecordBatch, column: str = "content") -> np.ndarray:
    """Bytes of one text column per row, ``int64[n]``."""
    _, offsets = text_buffers(batch.column(column))
    return np.diff(offsets)


def split_by_bytes(batch: pa.RecordBatch, limit: int, column: str = "content") -> Iterator[pa.RecordBatch]:
    """Cut a batch into zero-copy slices of at most ``limit`` text bytes (a larger row stands alone).

    >>> b = pa.RecordBatch.from_pydict({"content": pa.array(["aa", "bb", "cc"], pa.large_string())})
    >>> [s.num_rows for s in split_by_bytes(b, 4)]
    [2, 1]
    """
    ends = np.cumsum(row_bytes(batch, column))
    start, base = 0, 0
    while start < batch.num_rows:
        stop = max(int(np.searchsorted(ends, base + limit, side="right")), start + 1)
        yield batch.slice(start, stop - start)
        start, base = stop, int(ends[stop - 1])


def rebatch(
    batches: Iterable[pa.RecordBatch], limit: int = BATCH_BYTES, column: str = "content"
) -> Iterator[pa.RecordBatch]:
    """Regroup a stream into batches of about ``limit`` text bytes, keeping row order."""
    held: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        for piece in split_by_bytes(batch, limit, column):
            weight = int(row_bytes(piece, column).sum())
            if held and size + weight > limit:
                yield pa.concat_batches(held)
                held, size = [], 0
            held.append(piece)
            size += weight
    if held:
        yield pa.concat_batches(held)
