"""Mapped: one shard in memory as addresses of its buffers, so that a kernel can read rows without Arrow.

The file is mapped, not read. For each record batch four addresses are kept: ids, ``n_tokens``, and the offsets and
values of ``doc_starts``; other columns are never looked at. They are valid while the `MappedShard` lives.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from columns.errors import InputError

_DAMAGED = "the shard was changed, damaged or copied only in part: copy it again, or build the dataset again"


@dataclass(frozen=True)
class MappedShard:
    """``table int64[batches, 4]`` of addresses, ``batch_rows`` rows in each batch but the last.

    ``held`` is the mapping itself. ``dtype`` is uint16 or uint32. ``tokenizer`` is the identity of what made the ids,
    empty where the shard does not say.
    """

    rows: int
    batch_rows: int
    seq_len: int
    dtype: np.dtype
    table: np.ndarray
    held: Any
    tokenizer: str = ""


def map_shard(path: Path, name: str) -> MappedShard:
    """Map a local shard; `InputError` names ``name`` and the byte where it stops being one."""
    try:
        held = pa.memory_map(str(path)).read_buffer()
    except OSError as error:
        raise InputError(f"{name}: shard is missing or cannot be mapped: {error}", hint=_DAMAGED) from None
    try:
        reader = pa.ipc.open_file(pa.BufferReader(held))
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{name}: no Arrow footer before byte {held.size}: {error}", hint=_DAMAGED) from None
    _expect(reader.schema, name)
    batches = _batches(reader, held, name)
    sizes = {batch.num_rows for batch in batches[:-1]}
    ids = reader.schema.field("input_ids").type
    rows = sum(batch.num_rows for batch in batches)
    if len(sizes) > 1 or (sizes and batches[-1].num_rows > max(sizes)):
        raise InputError(f"{name}: record batches of unequal sizes {sorted(sizes)}")
    table = np.array([_addresses(batch) for batch in batches], np.int64).reshape(-1, 4)
    size = max(sizes) if sizes else max(rows, 1)
    tokenizer = (reader.schema.metadata or {}).get(b"thresher.tokenizer_sha256", b"").decode()
    dtype = np.dtype(ids.value_type.to_pandas_dtype())
    return MappedShard(rows, size, ids.list_size, dtype, table, held, tokenizer)


def _expect(schema: pa.Schema, name: str) -> None:
    """The columns that kernels read must have the types they read."""
    found = {field.name: field.type for field in schema}
    ids = found.get("input_ids", pa.null())
    if not pa.types.is_fixed_size_list(ids) or ids.value_type not in (pa.uint16(), pa.uint32()):
        raise InputError(f"{name}: column input_ids: expected rows of uint16 or uint32, got {ids}")
    for column, kind in (("n_tokens", pa.int32()), ("doc_starts", pa.list_(pa.int32()))):
        if found.get(column) != kind:
            raise InputError(f"{name}: column {column}: expected {kind}, got {found.get(column)}")


def _batches(reader: Any, held: pa.Buffer, name: str) -> list[pa.RecordBatch]:
    batches: list[pa.RecordBatch] = []
    for index in range(reader.num_record_batches):
        try:
            batch = reader.get_batch(index)
            batch.validate()
            batch.column("doc_starts").validate(full=True)
        except (pa.ArrowInvalid, OSError) as error:
            end = _end(batches[-1]) - held.address if batches else 0
            what = f"{name}: record batch {index}, behind byte {end}: {error}"
            raise InputError(what, hint=_DAMAGED) from None
        batches.append(batch)
    return batches


def _end(batch: pa.RecordBatch) -> int:
    buffers = [buffer for column in batch.columns for buffer in column.buffers() if buffer is not None]
    return int(max(buffer.address + buffer.size for buffer in buffers))


def _addresses(batch: pa.RecordBatch) -> list[int]:
    ids, lengths = batch.column("input_ids"), batch.column("n_tokens")
    starts = batch.column("doc_starts")
    width = ids.type.list_size * ids.values.type.bit_width // 8
    return [
        _address(ids.values, ids.values.type.bit_width // 8) + ids.offset * width,
        _address(lengths, 4),
        _address(starts, 4),
        _address(starts.values, 4),
    ]


def _address(array: pa.Array, width: int) -> int:
    buffer = array.buffers()[1]
    return 0 if buffer is None else int(buffer.address) + array.offset * width
