"""Exact duplicates: rows whose text has the same SHA-256, and the 64-bit key of a content."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from dedup.runs import repeated, run_starts

EXACT = pa.schema(
    [
        pa.field("row", pa.int64(), metadata={"about": "a member of a group of equal contents"}),
        pa.field("representative", pa.int64(), metadata={"about": "the smallest row of the group"}),
    ]
)


def exact_groups(content_hash: pa.Array, row: np.ndarray | pa.Array) -> pa.RecordBatch:
    """Groups of at least two rows with equal content: the schema `EXACT`, ascending by row.

    ``content_hash`` is ``binary(32)[n]``, ``row`` ``int64[n]``, in any order. Rows without a hash never
    group. Holds about 60 bytes a row; the sort sees 8 bytes of the hash, the rest only decides ties.

    >>> hashes = pa.array([b"a" * 32, b"b" * 32, b"a" * 32, None], pa.binary(32))
    >>> exact_groups(hashes, np.array([4, 5, 6, 7])).to_pydict()
    {'row': [4, 6], 'representative': [4, 4]}
    """
    rows = np.asarray(row, np.int64)
    parts, present = _hash_parts(content_hash)
    kept = np.flatnonzero(present)
    kept = kept[repeated(parts[kept, 0])]
    parts, rows = parts[kept], rows[kept]
    order = np.lexsort((rows, parts[:, 3], parts[:, 2], parts[:, 1], parts[:, 0]))
    parts, rows = parts[order], rows[order]
    starts = run_starts(*parts.T)
    sizes = np.diff(starts)
    representative = np.repeat(rows[starts[:-1]], sizes)
    grouped = np.repeat(sizes > 1, sizes)
    return _by_row(rows[grouped], representative[grouped])


def content_keys(content_hash: pa.Array) -> np.ndarray:
    """The first eight bytes of each content hash as ``uint64[n]``; zero where there is none.

    Stands for a content in band tables. Two contents share a key by chance once in 2^64 pairs.
    """
    parts, present = _hash_parts(content_hash)
    return np.where(present, parts[:, 0], np.uint64(0))


def _hash_parts(content_hash: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    count = len(content_hash)
    present = np.asarray(content_hash.is_valid())
    data = content_hash.buffers()[1]
    if count == 0 or data is None:
        return np.zeros((count, 4), np.uint64), present
    whole = np.frombuffer(data, "<u8", count=4 * (content_hash.offset + count))
    return whole.reshape(-1, 4)[content_hash.offset :], present


def _by_row(rows: np.ndarray, representative: np.ndarray) -> pa.RecordBatch:
    order = np.argsort(rows)
    return pa.RecordBatch.from_arrays([pa.array(rows[order]), pa.array(representative[order])], schema=EXACT)
