"""Megatron-core's indexed dataset: ids of all documents in ``SPLIT.bin``, where each begins in ``SPLIT.idx``.

Defined by ``megatron/core/datasets/indexed_dataset.py`` (version 1). One sequence is one document. Megatron knows no
uint32, so vocabularies over 65,536 are written as int32.
"""

from __future__ import annotations

import struct

import numpy as np

from columns.files import Place
from shards.exports.source import Exported, Source

HEADER = b"MMIDIDX\x00\x00"
VERSION = 1
CODES: dict[np.dtype, int] = {np.dtype(np.int32): 4, np.dtype(np.int64): 5, np.dtype(np.uint16): 8}


def write_megatron(source: Source, place: Place) -> Exported:
    """Write both files of a split; memory: 4 bytes a document beside one shard."""
    dtype = np.dtype(np.uint16) if source.dtype == np.uint16 else np.dtype(np.int32)
    names = (f"{source.split}.bin", f"{source.split}.idx")
    lengths = []
    with place.write(names[0]) as sink:
        for document in source.documents():
            sink.write(document.ids.astype(f"<{dtype.str[1:]}", copy=False).tobytes())
            lengths.append(len(document.ids))
    place.write_bytes(names[1], index_bytes(np.array(lengths, np.int64), dtype))
    return Exported(names, len(lengths), sum(lengths))


def index_bytes(lengths: np.ndarray, dtype: np.dtype) -> bytes:
    """The ``.idx`` file of documents of these lengths, each one sequence.

    >>> index_bytes(np.array([2, 1]), np.dtype("uint16"))[:18]
    b'MMIDIDX\\x00\\x00\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x08'
    """
    pointers = (np.cumsum(lengths) - lengths) * dtype.itemsize
    head = HEADER + struct.pack("<QBQQ", VERSION, CODES[dtype], len(lengths), len(lengths) + 1)
    documents = np.arange(len(lengths) + 1)
    return head + b"".join(
        column.astype(kind).tobytes()
        for column, kind in ((lengths, "<i4"), (pointers, "<i8"), (documents, "<i8"))
    )
