"""Notes: what shards say of the transforms of each piece's document, in one form for all kinds of dataset."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from shards.format import PLAIN_COLUMNS
from shards.forming import FORMS

NOTED = pa.schema(
    [
        pa.field("form", pa.int8()),
        pa.field("cut_start", pa.int64()),
        pa.field("cut_end", pa.int64()),
        pa.field("prefix", pa.int32()),
        pa.field("length", pa.int64()),
        pa.field("first", pa.binary()),
        pa.field("before", pa.int64()),
    ]
)
"""``first`` and ``before``: the first file of a joined document, and its tokens before this one; else itself and 0."""


def note_columns(batch: pa.RecordBatch) -> list[pa.Array]:
    """The list columns of a shard that have a note for each piece; none without transforms."""
    return [batch.column(name) for name in batch.schema.names[len(PLAIN_COLUMNS) :]]


def notes_of(batch: pa.RecordBatch) -> pa.RecordBatch | None:
    """The notes of a batch's pieces, `NOTED`; None for a shard without any."""
    if "doc_forms" not in batch.schema.names:
        return None
    flat = {name: batch.column(name).flatten() for name in batch.schema.names if name.startswith("doc_")}
    cuts = np.asarray(flat["doc_cuts"].flatten()).reshape(-1, 2)
    none = pa.array(np.zeros(len(cuts), np.int64))
    columns = [
        flat["doc_forms"], pa.array(cuts[:, 0]), pa.array(cuts[:, 1]), flat["doc_prefixes"], flat["doc_lengths"],
        flat.get("doc_firsts", flat["doc_ids"]).cast(pa.binary()), flat.get("doc_befores", none),
    ]  # fmt: skip
    return pa.RecordBatch.from_arrays(columns, schema=NOTED)


def wrong_notes(notes: pa.RecordBatch, row: np.ndarray, ends: np.ndarray) -> Iterator[tuple[int, str]]:
    """Rows with notes that cannot be; ``ends`` is which of its document's tokens each piece ends before."""
    form, start, end, prefix, length, before = (
        np.asarray(notes.column(name)).astype(np.int64)
        for name in ("form", "cut_start", "cut_end", "prefix", "length", "before")
    )
    plain = form == 0
    wrong = {
        "a form that does not exist": (form < 0) | (form >= len(FORMS)),
        "a middle that cannot be": (start < 0) | (end < start) | (plain & (end > 0)),
        "more tokens before a text than in its document": (prefix < 0) | (prefix > length),
        "tokens behind the end of their document": (ends > length) | (before < 0),
    }
    for what, mask in wrong.items():
        yield from ((at, what) for at in row[mask].tolist())


def joined_notes(found: Sequence[pa.RecordBatch | None]) -> pa.Table | None:
    """The notes of several batches; None where there are none."""
    there = [one for one in found if one is not None]
    return pa.Table.from_batches(there, NOTED).combine_chunks() if there else None
