"""Packing: documents in a row, each ended by one end-of-text token, cut into rows of ``seq_len``.

Every token is accounted for: ``written + sum(dropped) == produced``. Documents never cross a shard, so the
only tokens lost are those of a shard's last, incomplete row (fewer than ``seq_len``), under the name
``shard_tail``; ``tail="pad"`` keeps them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import numpy as np
import pyarrow as pa

from shards.format import shard_schema, token_type

SHARD_TAIL = "shard_tail"


@dataclass(frozen=True)
class PackConfig:
    """How token streams become rows and shards.

    ``tail`` says what happens to a shard's last incomplete row; ``shard_tokens`` is the size a shard aims at;
    ``shuffle_seed`` salts both the order and the train/validation split.
    """

    seq_len: int = 2048
    tail: Literal["drop", "pad"] = "drop"
    shuffle_seed: int = 0
    validation_fraction: float = 0.01
    shard_tokens: int = 32 << 20

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        if not 1 <= self.seq_len < 1 << 31:
            raise ValueError(f"seq_len: expected 1 to 2**31 - 1, got {self.seq_len}")
        if self.tail not in ("drop", "pad"):
            raise ValueError(f"tail: expected drop or pad, got {self.tail!r}")
        if not 0.0 <= self.validation_fraction <= 1.0:
            raise ValueError(f"validation_fraction: expected 0 to 1, got {self.validation_fraction}")
        if self.shard_tokens < self.seq_len:
            raise ValueError(
                f"shard_tokens: expected at least seq_len {self.seq_len}, got {self.shard_tokens}"
            )


class Documents(NamedTuple):
    """Tokenised documents in order.

    ``ids uint16|uint32[t]``, ``offsets int64[n + 1]``, ``doc_ids binary(16)[n]``.
    Document ``i`` owns ``ids[offsets[i]:offsets[i + 1]]``, end of text not included.
    """

    ids: np.ndarray
    offsets: np.ndarray
    doc_ids: pa.Array


class Packed(NamedTuple):
    """One shard's rows and its account of tokens (end-of-text tokens included)."""

    rows: pa.RecordBatch
    produced: int
    written: int
    dropped: dict[str, int]
    padding: int


def pack(documents: Documents, eot_id: int, config: PackConfig) -> Packed:
    """Pack documents, in the order given, into rows of the shard schema.

    Padding, where there is any, repeats ``eot_id``; ``n_tokens`` tells it from text. Memory: 1.5 times
    the ids beside them.

    >>> ids, offsets = np.array([7, 8, 9], np.uint16), np.array([0, 2, 3])
    >>> two = Documents(ids, offsets, pa.array([b"a" * 16, b"b" * 16], pa.binary(16)))
    >>> packed = pack(two, 0, PackConfig(seq_len=2, shard_tokens=2))
    >>> packed.rows.column("input_ids").to_pylist(), packed.dropped
    ([[7, 8], [0, 9]], {'shard_tail': 1})
    """
    starts = _stream_starts(documents.offsets)
    produced = int(starts[-1])
    whole = produced // config.seq_len
    rows = whole if config.tail == "drop" else -(-produced // config.seq_len)
    written = min(produced, rows * config.seq_len)
    stream = _stream(documents, eot_id)
    filled = np.full(rows * config.seq_len, eot_id, documents.ids.dtype) if rows > whole else stream
    if rows > whole:
        filled[:produced] = stream
    spans = _spans(starts, documents.doc_ids, rows, written, config.seq_len)
    batch = _rows(filled[: rows * config.seq_len], spans, written, config.seq_len)
    return Packed(batch, produced, written, {SHARD_TAIL: produced - written}, rows * config.seq_len - written)


def _stream_starts(offsets: np.ndarray) -> np.ndarray:
    """Where each document begins in the stream that has one end of text after each: ``int64[n + 1]``."""
    return (offsets - offsets[0]) + np.arange(len(offsets), dtype=np.int64)


def _stream(documents: Documents, eot_id: int) -> np.ndarray:
    ids = documents.ids[documents.offsets[0] : documents.offsets[-1]]
    ends = documents.offsets[1:] - documents.offsets[0]
    return np.insert(ids, ends, np.asarray(eot_id, ids.dtype))


class _Spans(NamedTuple):
    rows: np.ndarray
    doc_ids: pa.Array
    starts: np.ndarray
    offsets: np.ndarray


def _spans(starts: np.ndarray, doc_ids: pa.Array, rows: int, written: int, seq_len: int) -> _Spans:
    """Cut the stream wherever a document or a row begins: bounds ``[rows + 1]``, then one entry a piece."""
    row_starts = np.arange(rows, dtype=np.int64) * seq_len
    cuts = np.union1d(starts[:-1][starts[:-1] < written], row_starts)
    document = np.searchsorted(starts, cuts, side="right") - 1
    bounds = np.append(np.searchsorted(cuts, row_starts), len(cuts)).astype(np.int32)
    pieces = doc_ids.take(pa.array(document, pa.int64()))
    return _Spans(bounds, pieces, (cuts % seq_len).astype(np.int32), cuts - starts[document])


def _rows(ids: np.ndarray, spans: _Spans, written: int, seq_len: int) -> pa.RecordBatch:
    schema = shard_schema(seq_len, ids.dtype)
    rows = len(ids) // seq_len
    n_tokens = np.minimum(seq_len, written - np.arange(rows, dtype=np.int64) * seq_len).astype(np.int32)
    bounds = pa.array(spans.rows, pa.int32())
    columns = [
        pa.FixedSizeListArray.from_arrays(
            pa.array(ids, token_type(ids.dtype)), type=schema.field("input_ids").type
        ),
        pa.array(n_tokens, pa.int32()),
        pa.ListArray.from_arrays(bounds, spans.doc_ids),
        pa.ListArray.from_arrays(bounds, pa.array(spans.starts, pa.int32())),
        pa.ListArray.from_arrays(bounds, pa.array(spans.offsets, pa.int64())),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)
