"""Streams: a read stream as a unit. Record batches become documents without a Python object per row.

A stream that fails is asked again at the offset it had reached: nothing is read twice and nothing is left out.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from columns.batch import rebatch
from sources.bigquery.config import BigQueryConfig
from sources.bigquery.connection import mended, storage_client, transient
from sources.bigquery.wire import READ_ROWS, Answer, answer
from sources.config import IngestConfig
from sources.files import problem_row
from sources.tables.cells import column
from sources.tables.parquet import one_line
from sources.tables.rows import Table, row_batch
from sources.unit import Skipped, Unit

FIRST_DELAY = 0.1
LONGEST_DELAY = 30.0
LONGEST_CALL = 600.0
LONGEST_CUT = 30.0
EXPIRED = "a read session lasts some hours: run again, which opens another one over the same rows"


class Message(NamedTuple):
    """Some rows of a stream: the offset of the first, how many, the serialized Arrow batch, and the share of the
    stream that is read with them."""

    offset: int
    rows: int
    raw: memoryview
    read: float


@dataclass(frozen=True)
class StreamUnit(Unit):
    """One read stream: ``location`` is its name at the service, ``name`` what is read.

    ``schema``: the batches' Arrow schema, serialized. ``header``: pairs (document column, the table's column).
    """

    schema: bytes
    header: tuple[tuple[str, str], ...]
    settings: BigQueryConfig

    def read(self, config: IngestConfig, batch_bytes: int, skipped: Skipped) -> Iterator[pa.RecordBatch]:
        """Read the stream. Rows of a damaged batch are lost and one row says how many; a stream that cannot be
        read to its end raises `EnvironmentProblem`, as going on would lose rows silently."""
        damaged: list[pa.RecordBatch] = []
        for batch in rebatch(self._batches(damaged), batch_bytes):
            yield row_batch("bigquery", _table(batch, self.name), config, skipped)
        yield from damaged

    def messages(self, client: Any) -> Iterator[Message]:
        """The stream's messages in order."""
        return messages(client, self.location, attempts=self.settings.attempts)

    def _batches(self, damaged: list[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        schema = pa.ipc.read_schema(pa.BufferReader(self.schema))
        with mended(self.name, EXPIRED), storage_client(self.settings) as client:
            for message in self.messages(client):
                try:
                    yield _decoded(message.raw, schema, self.header)
                except (pa.ArrowException, OSError) as error:
                    damaged.append(_lost(self.name, message, error))


def messages(client: Any, stream: str, *, attempts: int, offset: int = 0) -> Iterator[Message]:
    """The messages of a stream from an offset on, in order, over as many connections as it takes.

    After ``attempts`` failures in a row without one more row the last error is raised; the wait between doubles
    from 0.1 to 30 seconds. A connection that lasts ten minutes is opened anew, so a silent one is not waited for.
    """
    failed = 0
    while True:
        try:
            for found in _answers(client, stream, offset):
                yield Message(offset, found.rows, found.batch, found.read)
                offset += found.rows
                failed = 0
            return
        except transient():
            failed += 1
            if failed >= attempts:
                raise
            time.sleep(min(LONGEST_DELAY, FIRST_DELAY * 2 ** (failed - 1)))


def cut(stream: str, fraction: float, offset: int, settings: BigQueryConfig) -> tuple[str, str] | None:
    """Cut a stream in two at a fraction of its rows: the names of both parts, which together are the stream.

    None when the service does not cut there, or cut before ``offset``, up to which the stream was read. A cut is a
    favour: whatever fails, the stream itself can still be read to its end.
    """
    from google.api_core.exceptions import GoogleAPICallError
    from google.cloud.bigquery_storage_v1.types import SplitReadStreamRequest

    with storage_client(settings) as client:
        try:
            request = SplitReadStreamRequest(name=stream, fraction=fraction)
            found = client.split_read_stream(request, timeout=LONGEST_CUT, retry=None)
            primary, residual = found.primary_stream.name, found.remainder_stream.name
            if not (primary and residual):
                return None
            next(_answers(client, primary, offset), None)
        except GoogleAPICallError:
            return None
    return primary, residual


def _answers(client: Any, stream: str, offset: int) -> Iterator[Answer]:
    """One connection's answers; the generated client's transport without its copies of every answer."""
    import grpc
    from google.api_core.exceptions import InternalServerError, from_grpc_error
    from google.api_core.gapic_v1.routing_header import to_grpc_metadata
    from google.cloud.bigquery_storage_v1.types import ReadRowsRequest

    ask = client.transport.grpc_channel.unary_stream(READ_ROWS, ReadRowsRequest.serialize)
    request = ReadRowsRequest(read_stream=stream, offset=offset)
    call = ask(request, timeout=LONGEST_CALL, metadata=(to_grpc_metadata((("read_stream", stream),)),))
    try:
        for raw in call:
            yield answer(raw)
    except grpc.RpcError as error:
        raise from_grpc_error(error) from None
    except ValueError as error:
        raise InternalServerError(f"an answer that cannot be read: {error}") from None
    finally:
        call.cancel()


def _decoded(raw: memoryview, schema: pa.Schema, header: tuple[tuple[str, str], ...]) -> pa.RecordBatch:
    """A batch under document column names. Text is viewed as bytes: which rows are text is said row by row later."""
    batch = pa.ipc.read_record_batch(pa.py_buffer(raw), schema)
    arrays = [_viewed(batch.column(theirs)) for _, theirs in header]
    names = [ours for ours, _ in header]
    pa.RecordBatch.from_arrays(arrays, names=names).validate(full=True)
    wide = [
        values.cast(pa.large_binary()) if name == "content" else _aligned(values)
        for name, values in zip(names, arrays, strict=True)
    ]
    return pa.RecordBatch.from_arrays(wide, names=names)


def _viewed(values: pa.Array) -> pa.Array:
    return values.view(pa.binary()) if pa.types.is_string(values.type) else values


def _aligned(values: pa.Array) -> pa.Array:
    """The values where kernels expect them: an answer's batch begins at any byte, joining copies it."""
    if any(buffer is not None and buffer.address % 8 for buffer in values.buffers()):
        return pa.concat_arrays([values, values.slice(0, 0)])
    return values


def _table(batch: pa.RecordBatch, name: str) -> Table:
    columns = {ours: column(ours, batch.column(ours)) for ours in batch.schema.names if ours != "content"}
    columns["content"] = batch.column("content")
    return Table(columns, _places(name, columns.get("blob_id"), batch.num_rows))


def _places(name: str, blob_ids: pa.Array | None, rows: int) -> pa.Array:
    """Provenances: rows of a table have no number, so the blob id says which one where there is one."""
    where = pa.repeat(pa.scalar(name, pa.string()), rows)
    if blob_ids is None:
        return where
    return pc.coalesce(pc.binary_join_element_wise(where, blob_ids, "#id="), where)


def _lost(name: str, message: Message, error: Exception) -> pa.RecordBatch:
    lost = f"malformed: {message.rows} rows of a read stream from {message.offset} on: {one_line(error)}"
    return problem_row("bigquery", name, name, lost)
