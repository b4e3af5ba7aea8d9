"""Sessions: the rows of a table at one moment, cut into read streams by the service."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sources.bigquery.config import BigQueryConfig
from sources.unit import UNIT_BYTES

MOST_STREAMS = 1000

_CODECS = {"lz4": "LZ4_FRAME", "zstd": "ZSTD", "none": "COMPRESSION_UNSPECIFIED"}


class Session(NamedTuple):
    """An open session: its streams by name, the Arrow schema of their batches (serialized), rows and bytes as
    the service estimates them."""

    streams: tuple[str, ...]
    schema: bytes
    rows: int
    size: int


def open_session(
    client: Any,
    table: str,
    columns: Sequence[str],
    *,
    snapshot: datetime | None,
    size: int,
    project: str,
    config: BigQueryConfig,
) -> Session:
    """Open a session over some columns of a table as it was at ``snapshot``; None for a table that never changes.

    Costs nothing until streams are read. About one stream per 16 MiB of ``size`` is asked for, at most 1000 (the
    service's limit); the service gives as many as it likes, and no row twice. Streams live for hours (the service
    says when they end, 6 to 24 hours), so reading has to start within that time.
    """
    from google.cloud.bigquery_storage_v1 import types

    codec = types.ArrowSerializationOptions.CompressionCodec[_CODECS[config.compression]]
    wanted = types.ReadSession(
        table="projects/{}/datasets/{}/tables/{}".format(*table.rsplit(".", 2)),
        data_format=types.DataFormat.ARROW,
        read_options=types.ReadSession.TableReadOptions(
            selected_fields=list(columns),
            arrow_serialization_options=types.ArrowSerializationOptions(buffer_compression=codec),
        ),
    )
    if snapshot is not None:
        wanted.table_modifiers = types.ReadSession.TableModifiers(snapshot_time=snapshot)
    streams = min(MOST_STREAMS, max(1, -(-size // UNIT_BYTES)))
    found = client.create_read_session(
        parent=f"projects/{project}", read_session=wanted, max_stream_count=streams
    )
    names = tuple(stream.name for stream in found.streams)
    schema = found.arrow_schema.serialized_schema
    return Session(names, schema, found.estimated_row_count, found.estimated_total_bytes_scanned)
