"""Ragged: each file's ids whole, in Arrow files compressed by zstd, for archives; plain pyarrow reads them.

A split is one file, ``SPLIT.ragged.arrow``; what a pool holds of a file is put to its other tokens. What shards note of
transformed documents stands in columns of the same names.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np
import pyarrow as pa

from columns.document import DOC_ID_BYTES
from columns.files import Place
from shards.exports.source import Exported, Source
from shards.format import token_type
from shards.reader import TokenDocument

LEVEL = 9
BATCH_DOCUMENTS = 1024


def ragged_schema(dtype: np.dtype, notes: pa.Schema | None = None) -> pa.Schema:
    """Rows of the archive; ``complete`` where no token is missing. ``notes`` are further columns."""
    return pa.schema(
        [
            pa.field("doc_id", pa.binary(DOC_ID_BYTES), nullable=False),
            pa.field("ids", pa.large_list(token_type(dtype)), nullable=False),
            pa.field("complete", pa.bool_(), nullable=False),
            *(notes or ()),
        ]
    )


def write_ragged(source: Source, place: Place) -> Exported:
    """Write a split in one file; the bytes are those of the zstd that pyarrow brings."""
    about = source.shards[0].metadata
    schema = ragged_schema(source.dtype, source.notes).with_metadata(
        {key: about[key] for key in ("thresher.tokenizer_sha256", "thresher.eot", "thresher.split")}
    )
    options = pa.ipc.IpcWriteOptions(compression=pa.Codec("zstd", LEVEL), use_threads=False)
    name, documents, tokens = f"{source.split}.ragged.arrow", 0, 0
    with place.write(name) as sink, pa.ipc.new_file(sink, schema, options=options) as writer:
        for batch in _batches(source.files(), schema):
            writer.write_batch(batch)
            documents += batch.num_rows
            tokens += len(batch.column("ids").values)
    return Exported((name,), documents, tokens)


def _batches(documents: Iterator[TokenDocument], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    while held := list(islice(documents, BATCH_DOCUMENTS)):
        offsets = np.concatenate([[0], np.cumsum([len(one.ids) for one in held])]).astype(np.int64)
        kind = schema.field("ids").type.value_type
        ids = pa.array(np.concatenate([one.ids for one in held]), kind)
        columns = [
            pa.array([one.doc_id for one in held], pa.binary(DOC_ID_BYTES)),
            pa.LargeListArray.from_arrays(pa.array(offsets), ids).cast(schema.field("ids").type),
            pa.array([one.complete for one in held], pa.bool_()),
            *(
                pa.array([(one.notes or {})[note.name] for one in held], note.type)
                for note in list(schema)[3:]
            ),
        ]
        yield pa.RecordBatch.from_arrays(columns, schema=schema)
