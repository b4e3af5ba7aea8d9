"""Writing shards: one packed batch to one uncompressed Arrow file, atomically, with its checksum."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

from columns.files import PartName, Place
from columns.tables import write_arrow
from shards.format import BATCH_ROWS, SPLITS, file_sha256, shard_metadata
from shards.packing import PackConfig, Packed


@dataclass(frozen=True)
class ShardInfo:
    """A shard's line in the manifest; ``tokens`` are those written (padding not counted)."""

    name: str
    split: str
    rows: int
    tokens: int
    bytes: int
    sha256: str

    def describe(self) -> dict[str, Any]:
        """As plain data for the manifest."""
        return asdict(self)


def write_shard(
    place: Place, name: str, packed: Packed, config: PackConfig, *, tokenizer_sha256: str, eot_id: int
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
    )
    schema = packed.rows.schema.with_metadata(metadata)
    rows = write_arrow(place, name, _batches(packed.rows, schema), schema)
    return ShardInfo(name, split, rows, packed.written, place.size(name), file_sha256(place, name))


def _batches(rows: pa.RecordBatch, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    labelled = rows.replace_schema_metadata(schema.metadata)
    for start in range(0, rows.num_rows, BATCH_ROWS):
        yield labelled.slice(start, BATCH_ROWS)
