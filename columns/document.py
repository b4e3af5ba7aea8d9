"""The document: one source file as one row, the contract between every room.

A batch of documents is a `pyarrow.RecordBatch` with the schema `DOCUMENT`. Content is always valid
UTF-8; what could not be decoded exactly was replaced and says so (`lossy`). A file that could not be
read has a null `content` and a `problem` whose first word is one of `PROBLEMS`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from columns.errors import InputError

DOC_ID_BYTES = 16

DOCUMENT = pa.schema(
    [
        pa.field("doc_id", pa.binary(DOC_ID_BYTES), metadata={"about": "identity: repo, path and content"}),
        pa.field(
            "repo", pa.string(), metadata={"about": "repository name, or the name of the tree's root folder"}
        ),
        pa.field("ref", pa.string(), metadata={"about": "commit, branch or tag the content was read at"}),
        pa.field("path", pa.string(), metadata={"about": "path inside the repository, '/' separated"}),
        pa.field("blob_id", pa.string(), metadata={"about": "git blob id in hex, where the source knows it"}),
        pa.field("content", pa.large_string(), metadata={"about": "the text; null when there is a problem"}),
        pa.field(
            "content_hash", pa.binary(32), metadata={"about": "SHA-256 of the UTF-8 text; null without text"}
        ),
        pa.field(
            "encoding",
            pa.string(),
            metadata={"about": "what the bytes were decoded from: utf-8, utf-16-le, …"},
        ),
        pa.field("lossy", pa.bool_(), metadata={"about": "true when bytes had to be replaced by U+FFFD"}),
        pa.field("size", pa.int64(), metadata={"about": "size of the original file in bytes"}),
        pa.field("language", pa.string(), metadata={"about": "lower-case language name"}),
        pa.field("license", pa.string(), metadata={"about": "licence as the source states it"}),
        pa.field("stars", pa.int64(), metadata={"about": "stars of the repository"}),
        pa.field("forks", pa.int64(), metadata={"about": "forks of the repository"}),
        pa.field(
            "fork_of",
            pa.string(),
            metadata={"about": "repository that this one is a fork of, '' where unnamed; null: none known"},
        ),
        pa.field(
            "updated", pa.timestamp("us", "UTC"), metadata={"about": "last change, as the source states it"}
        ),
        pa.field(
            "source",
            pa.string(),
            metadata={"about": "tree, git, github, bigquery, archive, parquet or jsonl"},
        ),
        pa.field(
            "provenance", pa.string(), metadata={"about": "where the row was read: file, row or commit"}
        ),
        pa.field(
            "problem", pa.string(), metadata={"about": "why the content is missing; null when it is there"}
        ),
    ]
)

UNMEASURABLE = "unmeasurable"
PROBLEMS: Mapping[str, str] = {
    "unreadable": "the operating system refused to read it",
    "too_large": "larger than the recipe's ingest.max_bytes",
    "binary": "not text: NUL bytes in an undeclared encoding",
    "malformed": "a row or line that is not what its format says",
    "truncated": "the file ends in the middle; the rows before the break are kept",
    "opted_out": "somebody asked for it to be left out: ingest.opt_out",
    "missing": "listed by the source, but its content is not there",
    UNMEASURABLE: "measuring it failed: please report it, with the line in the log",
}


def document_batch(columns: Mapping[str, Sequence[Any] | pa.Array], rows: int) -> pa.RecordBatch:
    """Build a batch with the schema `DOCUMENT`; columns that are not given are null.

    >>> document_batch({"path": ["a.py"], "content": ["x = 1"]}, 1).num_rows
    1
    """
    unknown = set(columns) - set(DOCUMENT.names)
    if unknown:
        raise KeyError(f"not document columns: {sorted(unknown)}; known: {DOCUMENT.names}")
    arrays = [_column(columns.get(field.name), field.type, rows) for field in DOCUMENT]
    return pa.RecordBatch.from_arrays(arrays, schema=DOCUMENT)


def _column(values: Sequence[Any] | pa.Array | None, kind: pa.DataType, rows: int) -> pa.Array:
    if values is None:
        return pa.nulls(rows, kind)
    if isinstance(values, pa.Array | pa.ChunkedArray):
        array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
        return array if array.type == kind else pc.cast(array, kind)
    return pa.array(values, kind)


def typed_column(batch: pa.RecordBatch, name: str) -> pa.Array:
    """A document column, with the type that `DOCUMENT` promises; `InputError` when it is missing or another one.

    >>> typed_column(document_batch({"path": ["a.py"]}, 1), "path").to_pylist()
    ['a.py']
    """
    wanted = DOCUMENT.field(name).type
    found = batch.schema.field(name).type if name in batch.schema.names else None
    if found != wanted:
        what = "nothing" if found is None else str(found)
        raise InputError(
            f"document column {name}: expected {wanted}, got {what}", hint="see columns.DOCUMENT"
        )
    return batch.column(name)


def text_buffers(content: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """View a string or binary array as ``(data: uint8[:], offsets: int64[n+1])`` for the kernels.

    Slices and offset arrays cost nothing: offsets index into the whole, uncopied data buffer, so
    ``data[offsets[i]:offsets[i + 1]]`` is row ``i``. Nulls read as empty text.

    >>> data, offsets = text_buffers(pa.array(["ab", None, "c"], pa.large_string()).slice(1))
    >>> (offsets[1:] - offsets[:-1]).tolist()
    [0, 1]
    """
    if not (pa.types.is_large_string(content.type) or pa.types.is_large_binary(content.type)):
        wide = pa.large_binary() if pa.types.is_binary(content.type) else pa.large_string()
        content = content.cast(wide)
    if content.null_count:
        content = pc.fill_null(content, b"" if pa.types.is_large_binary(content.type) else "")
    _, offset_buffer, data_buffer = content.buffers()
    if len(content) == 0 or offset_buffer is None:
        return np.zeros(0, np.uint8), np.zeros(len(content) + 1, np.int64)
    offsets = np.frombuffer(offset_buffer, np.int64)[content.offset : content.offset + len(content) + 1]
    data = np.zeros(0, np.uint8) if data_buffer is None else np.frombuffer(data_buffer, np.uint8)
    return data, offsets
