"""Wire: the Arrow batch inside an answer of ``ReadRows``, found without copying it.

The generated classes copy an answer twice (into their memory, and out of it as bytes); for answers of megabytes that
costs more than decoding them. The two fields that are needed are found in the protocol buffer's bytes here; field
numbers are those of ``google.cloud.bigquery.storage.v1.ReadRowsResponse`` and ``ArrowRecordBatch``, the encoding is
protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

READ_ROWS = "/google.cloud.bigquery.storage.v1.BigQueryRead/ReadRows"

_ARROW_RECORD_BATCH = 4
_ROW_COUNT = 6
_SERIALIZED = 1

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class Answer(NamedTuple):
    """How many rows an answer has, and the bytes of its Arrow batch, as a view of the answer."""

    rows: int
    batch: memoryview


def answer(raw: bytes) -> Answer:
    """Read an answer; ``ValueError`` when it is no protocol buffer.

    >>> found = answer(b"\\x22\\x05\\x0a\\x03abc\\x30\\x07")
    >>> found.rows, bytes(found.batch)
    (7, b'abc')
    """
    rows, batch = 0, memoryview(b"")
    for number, value in _fields(memoryview(raw)):
        if number == _ROW_COUNT and isinstance(value, int):
            rows = value
        elif number == _ARROW_RECORD_BATCH and isinstance(value, memoryview):
            batch = next(
                (v for n, v in _fields(value) if n == _SERIALIZED and isinstance(v, memoryview)), batch
            )
    return Answer(rows, batch)


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
