"""Completion: the columns every document has, whatever source it came from."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from columns.document import DOCUMENT
from columns.hashing import content_hashes, doc_id
from sources.languages import language_of
from sources.text.decode import row_lengths


def complete(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Fill ``content_hash`` and ``doc_id``, and ``size`` and ``language`` where they are null.

    Costs one SHA-256 over the text (about 1.8 GB/s) and about 3 µs per row.

    >>> from columns.document import document_batch
    >>> done = complete(document_batch({"path": ["a.py"], "content": ["x"]}, 1))
    >>> done.column("language")[0].as_py(), done.column("size")[0].as_py()
    ('python', 1)
    """
    content = batch.column("content")
    hashes = content_hashes(content)
    filled = {
        "content_hash": hashes,
        "doc_id": _ids(batch, hashes),
        "size": _sizes(batch.column("size"), content),
        "language": _languages(batch.column("language"), batch.column("path")),
    }
    arrays = [filled.get(name, batch.column(name)) for name in DOCUMENT.names]
    return pa.RecordBatch.from_arrays(arrays, schema=DOCUMENT)


def _ids(batch: pa.RecordBatch, hashes: pa.Array) -> pa.Array:
    names = zip(batch.column("repo").to_pylist(), batch.column("path").to_pylist(), strict=True)
    pairs = zip(names, hashes.to_pylist(), strict=True)
    ids = [doc_id(repo, None, path, digest) for (repo, path), digest in pairs]
    return pa.array(ids, DOCUMENT.field("doc_id").type)


def _sizes(stated: pa.Array, content: pa.Array) -> pa.Array:
    if not stated.null_count:
        return stated
    measured = pa.array(row_lengths(content), mask=np.asarray(content.is_null()))
    return pa.compute.coalesce(stated, measured)


def _languages(stated: pa.Array, paths: pa.Array) -> pa.Array:
    if not stated.null_count:
        return stated
    pairs = zip(stated.to_pylist(), paths.to_pylist(), strict=True)
    return pa.array([language_of(path) if name is None else name for name, path in pairs], pa.string())
