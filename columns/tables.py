"""Tables in files: Parquet parts and Arrow IPC parts, written atomically, read batch by batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from columns.batch import BATCH_BYTES, concat, rebatch
from columns.files import Place

_PARQUET = {"compression": "zstd", "compression_level": 1, "store_schema": True}


def write_documents(place: Place, name: str, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> int:
    """Write document batches as Parquet, one row group per `BATCH_BYTES` of text; returns the rows."""
    return write_table(place, name, rebatch(batches, BATCH_BYTES), schema)


def write_table(place: Place, name: str, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> int:
    """Write batches as one Parquet file, one row group per batch; returns the rows."""
    rows = 0
    with place.write(name) as sink, pq.ParquetWriter(sink, schema, **_PARQUET) as writer:
        for batch in batches:
            writer.write_batch(batch.cast(schema) if batch.schema != schema else batch)
            rows += batch.num_rows
    return rows


def read_table(place: Place, name: str, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Read a Parquet part row group by row group, so memory holds one group at a time."""
    with place.open(name) as source, pq.ParquetFile(source) as parquet:
        for group in range(parquet.num_row_groups):
            table = parquet.read_row_group(group, columns=columns, use_threads=False)
            yield concat(table.to_batches(), table.schema)


def read_whole(place: Place, name: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a small Parquet part (facts, ledger) as one table."""
    with place.open(name) as source:
        wanted = None if columns is None else list(columns)
        return pq.read_table(source, columns=wanted, use_threads=False)


def write_arrow(place: Place, name: str, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> int:
    """Write batches as one uncompressed Arrow IPC file; returns the rows."""
    rows = 0
    with place.write(name) as sink, pa.ipc.new_file(sink, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows


def read_arrow(place: Place, name: str) -> Iterator[pa.RecordBatch]:
    """Read an Arrow IPC file batch by batch, without copying where the place is local."""
    with place.open(name) as source, pa.ipc.open_file(source) as reader:
        for index in range(reader.num_record_batches):
            yield reader.get_batch(index)
