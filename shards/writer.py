"""Writing shards: one packed batch to one uncompressed Arrow file, atomically, with its checksums."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

from columns.files import PartName, Place
from shards.batches import BatchInfo, describe_batches
from shards.format import BATCH_ROWS, SPLITS, shard_metadata
from shards.packing import PackConfig, Packed


@dataclass(frozen=True)
class ShardInfo:
    """A shard's line in the manifest; ``tokens`` are those written (padding not counted), ``batches`` its pieces."""

    name: str
    split: str
    rows: int
    tokens: int
    bytes: int
    sha256: str
    batches: tuple[BatchInfo, ...] = ()

    def describe(self) -> dict[str, Any]:
        """As plain data for the manifest."""
        return asdict(self)


def write_shard(
    place: Place,
    name: str,
    packed: Packed,
    config: PackConfig,
    *,
    tokenizer_sha256: str,
    eot_id: int,
    grouped: bool = False,
) -> ShardInfo:
    """Write one shard, in batches of 1024 rows; the split is the stem of its name.

    The file's bytes depend on the arguments only. Raises `OutputError` for a name that is not a shard's.
    """
    split = PartName.parse(name).stem
    if split not in SPLITS:
        raise ValueError(f"name: expected a shard of {SPLITS}, got {name}")
    metadata = shard_metadata(
        seq_len=config.seq_len,
        tokenizer_sha256=tokenizer_sha256,
        eot_id=eot_id,
        split=split,
        shuffle_seed=config.shuffle_seed,
        pooled=config.pools,
        grouped=grouped,
    )
    schema = packed.rows.schema.with_metadata(metadata)
    ends = _write(place, name, packed.rows, schema)
    with place.open(name) as source:
        data = source.read_buffer()
    batches, digest = describe_batches(data, ends), hashlib.sha256(data).hexdigest()
    return ShardInfo(name, split, packed.rows.num_rows, packed.written, data.size, digest, batches)


def _write(place: Place, name: str, rows: pa.RecordBatch, schema: pa.Schema) -> list[int]:
    """Write the file; returns the byte behind each record batch."""
    ends = []
    with place.write(name) as sink, pa.ipc.new_file(sink, schema) as writer:
        for batch in _batches(rows, schema):
            writer.write_batch(batch)
            ends.append(sink.tell())
    return ends


def _batches(rows: pa.RecordBatch, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    labelled = rows.replace_schema_metadata(schema.metadata)
    for start in range(0, rows.num_rows, BATCH_ROWS):
        yield labelled.slice(start, BATCH_ROWS)
