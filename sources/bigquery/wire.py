"""Wire: the Arrow batch inside an answer of ``ReadRows``, found without copying it.

The generated classes copy an answer twice (into their memory, and out of it as bytes); for answers of megabytes that
costs more than decoding them. The fields that are needed are found in the protocol buffer's bytes here. Their numbers
are those of ``ReadRowsResponse``, ``ArrowRecordBatch`` and ``StreamStats`` of google.cloud.bigquery.storage.v1, the
encoding is protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

READ_ROWS = "/google.cloud.bigquery.storage.v1.BigQueryRead/ReadRows"

_STATS = 2
_PROGRESS = 2
_AT_RESPONSE_END = 2
_ARROW_RECORD_BATCH = 4
_ROW_COUNT = 6
_SERIALIZED = 1

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class Answer(NamedTuple):
    """How many rows an answer has, the bytes of its Arrow batch, as a view of the answer, and the share of the stream
    that is read with it, 0 to 1."""

    rows: int
    batch: memoryview
    read: float = 0.0


def answer(raw: bytes) -> Answer:
    """Read an answer; ``ValueError`` when it is no protocol buffer.

    >>> found = answer(b"\\x22\\x05\\x0a\\x03abc\\x30\\x07")
    >>> found.rows, bytes(found.batch)
    (7, b'abc')
    """
    rows, batch, read = 0, memoryview(b""), 0.0
    for number, value in _fields(memoryview(raw)):
        if number == _ROW_COUNT and isinstance(value, int):
            rows = value
        elif number == _ARROW_RECORD_BATCH:
            batch = _inner(value, _SERIALIZED)
        elif number == _STATS:
            share = _inner(_inner(value, _PROGRESS), _AT_RESPONSE_END)
            read = struct.unpack("<d", share)[0] if len(share) == 8 else 0.0
    return Answer(rows, batch, read)


def _inner(message: int | memoryview, wanted: int) -> memoryview:
    """The bytes of a message's field; none where it is not there."""
    if isinstance(message, int):
        return memoryview(b"")
    found = (value for number, value in _fields(message) if number == wanted)
    return next((value for value in found if isinstance(value, memoryview)), memoryview(b""))


def _fields(view: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    at = 0
    while at < len(view):
        tag, at = _varint(view, at)
        kind, size = tag & 7, 0
        if kind == _VARINT:
            value, at = _varint(view, at)
            yield tag >> 3, value
            continue
        if kind == _BYTES:
            size, at = _varint(view, at)
        elif kind in {_FIXED32, _FIXED64}:
            size = 4 if kind == _FIXED32 else 8
        else:
            raise ValueError(f"no protocol buffer: wire type {kind}")
        if at + size > len(view):
            raise ValueError("a protocol buffer that ends in the middle")
        yield tag >> 3, view[at : at + size]
        at += size


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 64:
        if at >= len(view):
            raise ValueError("a protocol buffer that ends in the middle")
        byte = view[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise ValueError("a number of more than 64 bits")
