"""Packing: one shard's documents, and the incomplete rows of several shards."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from shards.format import shard_schema
from shards.packing.best_fit import best_fit
from shards.packing.chunks import chunked
from shards.packing.config import PackConfig
from shards.packing.documents import Documents, Packed
from shards.packing.filling import filled_rows, shard_rows
from shards.packing.pieces import Pieces, refined
from shards.packing.single import one_a_row

SHARD_TAIL = "shard_tail"
OVERLONG = "overlong"


def pack(documents: Documents, eot_id: int, config: PackConfig) -> Packed:
    """Pack documents, in the order given, into rows of the shard schema.

    Padding, where there is any, repeats ``eot_id``; ``n_tokens`` tells how many ids are text. Memory: the rows, beside
    the ids.

    >>> ids, offsets = np.array([7, 8, 9], np.uint16), np.array([0, 2, 3])
    >>> two = Documents(ids, offsets, pa.array([b"a" * 16, b"b" * 16], pa.binary(16)))
    >>> packed = pack(two, 0, PackConfig(seq_len=2, shard_tokens=2))
    >>> packed.rows.column("input_ids").to_pylist(), packed.dropped
    ([[7, 8], [0, 9]], {'shard_tail': 1})
    """
    pieces = _pieces(documents, config)
    produced, tail = int(documents.lengths.sum()), pieces.rows
    if config.tail != "pad" and config.method == "concat":
        tail = produced // config.seq_len
    whole, rest = pieces.part(0, tail), pieces.part(tail, pieces.rows)
    rows = filled_rows(documents, _padded(whole, config), eot_id, config.seq_len)
    pooled = rest.tokens if config.pools else 0
    dropped = {OVERLONG if config.method == "single" else SHARD_TAIL: produced - whole.tokens - pooled}
    held = rest if pooled else rest.part(0, 0)
    return Packed(
        rows, produced, whole.tokens, dropped, rows.num_rows * config.seq_len - whole.tokens,
        len(documents.doc_ids), pieces.split_documents(), pooled, filled_rows(documents, held, eot_id, config.seq_len),
    )  # fmt: skip


def pool(rows: pa.RecordBatch, eot_id: int, config: PackConfig) -> Packed:
    """Put the incomplete rows of several shards one behind the other and cut again; the last row is padded.

    ``rows`` are `Packed.rest` in the order of their shards. Pieces stay pieces of their documents.
    """
    seq_len, counts = config.seq_len, rows.column("n_tokens").to_numpy().astype(np.int64)
    starts, offsets = (rows.column(name).flatten().to_numpy() for name in ("doc_starts", "doc_offsets"))
    bounds = rows.column("doc_ids").offsets.to_numpy() - rows.column("doc_ids").offsets[0].as_py()
    row = np.repeat(np.arange(rows.num_rows), np.diff(bounds))
    places = np.append(np.cumsum(counts) - counts, counts.sum())
    begins = places[row] + starts
    lengths = np.diff(np.append(begins, places[-1]))
    pieces = _padded(chunked(lengths, seq_len), config)
    ids = rows.column("input_ids").flatten().to_numpy().reshape(-1, seq_len)
    text = ids[np.arange(seq_len) < counts[:, None]]
    stream, written = np.full(pieces.rows * seq_len, eot_id, ids.dtype), len(text)
    whole = written // seq_len * seq_len
    stream[:whole] = text[:whole]
    stream[whole:][len(stream) - written if config.pad == "left" else 0 :][: written - whole] = text[whole:]
    doc_ids = rows.column("doc_ids").flatten().take(pa.array(pieces.document, pa.int64()))
    moved = pieces._replace(offset=pieces.offset + offsets[pieces.document])
    found = shard_rows(stream, moved, doc_ids, seq_len, _notes(rows, pieces))
    empty = found.slice(0, 0)
    return Packed(found, 0, written, {}, len(stream) - written, 0, 0, -written, empty)


def _notes(rows: pa.RecordBatch, pieces: Pieces) -> pa.RecordBatch | None:
    """The further columns of rows, a row per piece of theirs, beside pieces of these."""
    names = rows.schema.names[len(shard_schema(1, np.dtype(np.uint16))) :]
    if not names:
        return None
    found = pa.RecordBatch.from_arrays([rows.column(name).flatten() for name in names], names)
    return found.take(pa.array(pieces.document, pa.int64()))


def _pieces(documents: Documents, config: PackConfig) -> Pieces:
    """Where pieces go; documents without an end of text are placed as one with those behind them."""
    lengths = documents.lengths
    if documents.ended is None or not len(lengths):
        return _placed(lengths, config)
    first = np.flatnonzero(np.append(True, documents.ended[:-1]))
    return refined(_placed(np.add.reduceat(lengths, first), config), lengths, documents.ended)


def _placed(lengths: np.ndarray, config: PackConfig) -> Pieces:
    if config.method == "best_fit":
        return best_fit(lengths, config.seq_len)
    if config.method == "single":
        return one_a_row(lengths, config.seq_len, config.overlong)
    return chunked(lengths, config.seq_len)


def _padded(pieces: Pieces, config: PackConfig) -> Pieces:
    return pieces.moved_right(config.seq_len) if config.pad == "left" else pieces
