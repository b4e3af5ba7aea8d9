"""Filling: the ids of pieces moved to their places, and the rows of a shard around them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numba import njit

from shards.format import shard_schema, token_type
from shards.packing.documents import Documents
from shards.packing.pieces import Pieces


def filled_rows(documents: Documents, pieces: Pieces, eot_id: int, seq_len: int) -> pa.RecordBatch:
    """Rows of the shard schema; padding repeats ``eot_id``. Memory: the rows, beside the ids."""
    ids = np.full(pieces.rows * seq_len, eot_id, documents.ids.dtype)
    places = pieces.row * seq_len + pieces.start
    _move(documents.ids, documents.offsets, pieces.document, pieces.offset, pieces.length, places, ids)
    doc_ids = documents.doc_ids.take(pa.array(pieces.document, pa.int64()))
    notes = None if documents.notes is None else documents.notes.take(pa.array(pieces.document, pa.int64()))
    return shard_rows(ids, pieces, doc_ids, seq_len, notes)


def shard_rows(
    ids: np.ndarray, pieces: Pieces, doc_ids: pa.Array, seq_len: int, notes: pa.RecordBatch | None = None
) -> pa.RecordBatch:
    """Rows of the shard schema from their ids, ``[rows * seq_len]``, the pieces in them, and notes to each piece."""
    schema = shard_schema(seq_len, ids.dtype, None if notes is None else notes.schema)
    bounds = pa.array(np.searchsorted(pieces.row, np.arange(pieces.rows + 1)), pa.int32())
    columns = [
        pa.FixedSizeListArray.from_arrays(
            pa.array(ids, token_type(ids.dtype)), type=schema.field("input_ids").type
        ),
        pa.array(pieces.filled(), pa.int32()),
        pa.ListArray.from_arrays(bounds, doc_ids),
        pa.ListArray.from_arrays(bounds, pa.array(pieces.start, pa.int32())),
        pa.ListArray.from_arrays(bounds, pa.array(pieces.offset, pa.int64())),
        *(pa.ListArray.from_arrays(bounds, column) for column in (() if notes is None else notes.columns)),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


@njit(nogil=True, cache=True)
def _move(ids, offsets, document, offset, length, places, rows):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Copy pieces; the token behind a document's last one is its end of text, which the rows hold already."""
    for piece in range(len(document)):
        start = offsets[document[piece]] + offset[piece]
        stop = min(start + length[piece], offsets[document[piece] + 1])
        rows[places[piece] : places[piece] + stop - start] = ids[start:stop]
