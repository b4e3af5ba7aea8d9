"""Batches: where the record batches of a shard lie in its file, and a checksum of each.

With them a loader maps token ids without reading Arrow, and damage is named by file and byte.

>>> BatchInfo(2, 0, 700, 320, 384, 512, 576, xxhash.xxh3_64_hexdigest(b"")).xxh3
'2d06800538d394c2'
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import xxhash

from columns.errors import OutputError
from columns.files import Place


@dataclass(frozen=True)
class BatchInfo:
    """One record batch of a shard; every number but ``rows`` and ``bytes`` is a byte of the file, from 0.

    ``offset`` and ``bytes`` are what ``xxh3`` (XXH3, 64 bits, in hex) is of: the batch and what stands between it and
    the one before, so the first begins with the file. ``input_ids`` and ``n_tokens`` are where these columns' values
    begin, ``piece_bounds`` the offsets of the lists (``int32[rows + 1]``), ``doc_starts`` the values in its lists.
    """

    rows: int
    offset: int
    bytes: int
    input_ids: int
    n_tokens: int
    piece_bounds: int
    doc_starts: int
    xxh3: str


def describe_batches(data: pa.Buffer, ends: Sequence[int]) -> tuple[BatchInfo, ...]:
    """The batches of a shard, given as the whole file; ``ends`` are the bytes behind each.

    Cost: one pass at the speed of memory (XXH3), and the footer.
    """
    reader, view, start, found = pa.ipc.open_file(pa.BufferReader(data)), memoryview(data), 0, []
    for index, end in enumerate(ends):
        batch = reader.get_batch(index)
        starts = batch.column("doc_starts")
        columns = (batch.column("input_ids").values, batch.column("n_tokens"), starts, starts.values)
        ids, lengths, bounds, values = (_place(column, data) for column in columns)
        digest = xxhash.xxh3_64_hexdigest(view[start:end])
        found.append(BatchInfo(batch.num_rows, start, end - start, ids, lengths, bounds, values, digest))
        start = end
    return tuple(found)


def _place(column: pa.Array, data: pa.Buffer) -> int:
    """Where the values (of a list: its offsets) begin; 0 where there are none."""
    buffer = column.buffers()[1]
    return int(buffer.address - data.address) if buffer is not None and buffer.size else 0


def read_batches(listed: Iterable[Mapping[str, Any]]) -> tuple[BatchInfo, ...]:
    """The batches as a manifest lists them; `OutputError` when something is missing or unknown."""
    try:
        return tuple(BatchInfo(**batch) for batch in listed)
    except TypeError as error:
        raise OutputError(f"manifest: batches of a shard: {error}", hint="build the dataset again") from None


def damaged_batches(data: pa.Buffer, batches: Iterable[BatchInfo]) -> list[tuple[int, BatchInfo]]:
    """The batches, with their numbers, whose bytes in the file are not what they were when it was written."""
    view = memoryview(data)
    return [
        (number, batch)
        for number, batch in enumerate(batches)
        if xxhash.xxh3_64_hexdigest(view[batch.offset : batch.offset + batch.bytes]) != batch.xxh3
    ]


def damage(place: Place, name: str, batches: Iterable[BatchInfo]) -> list[str]:
    """A line for each damaged batch of a shard: its number and bytes; reads the file once."""
    with place.open(name) as source:
        found = damaged_batches(source.read_buffer(), batches)
    return [
        f"record batch {number}, bytes {batch.offset} to {batch.offset + batch.bytes}, is damaged"
        for number, batch in found
    ]


def map_ids(
    place: Place, name: str, batches: Iterable[BatchInfo], seq_len: int, dtype: np.dtype
) -> list[np.ndarray]:
    """The ids of each batch, ``dtype[rows, seq_len]``, as views of the mapped file; Arrow is not asked.

    The file stays mapped while a view lives. Nothing is checked: see `damaged_batches`. Raises `OutputError` for a file
    that ends before a batch does.
    """
    with place.open(name) as source:
        data = source.read_buffer()
    views = []
    for batch in batches:
        if batch.offset + batch.bytes > data.size:
            what = f"{place.path(name)}: ends at byte {data.size}, expected {batch.offset + batch.bytes}"
            raise OutputError(what, hint="the shard was copied only in part: copy it again")
        ids = np.frombuffer(data, dtype, batch.rows * seq_len, batch.input_ids)
        views.append(ids.reshape(batch.rows, seq_len))
    return views
