"""Rows: some columns of a query's result as record batches, for lists that are no documents."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pyarrow as pa

from columns.errors import EnvironmentProblem
from sources.bigquery.config import BigQueryConfig
from sources.bigquery.connection import mended, rest_client, storage_client
from sources.bigquery.cost import Confirm, Estimate, check
from sources.bigquery.jobs import dry_run, run_query
from sources.bigquery.sessions import Session, open_session
from sources.bigquery.streams import EXPIRED, messages

Choose = Callable[[Sequence[str]], Sequence[str]]


def query_rows(
    name: str, sql: str, choose: Choose, settings: BigQueryConfig, confirm: Confirm | None
) -> Iterator[pa.RecordBatch]:
    """Estimate, check and run a query, and yield its rows in no order, with the columns that ``choose`` picks.

    ``choose`` gets the result's columns before anything is billed and may refuse them. Limits and confirmation are
    those of `sources.bigquery.BigQueryQuery`; ``destination`` is not used, as it keeps the result of one query.
    `InputError` over a limit or when it is not confirmed, `EnvironmentProblem` when a batch is damaged.
    """
    passing = replace(settings, destination="")
    with mended(name), rest_client(passing) as client:
        asked = dry_run(client, sql, passing)
        wanted = list(choose(asked.columns))
        check(Estimate(name, asked.processed, 0, None, asked.tables, passing.prices), passing, confirm)
        result = run_query(client, sql, "", passing)
        size = int(client.get_table(result).num_bytes or 0)
        project = client.project
    with mended(name, EXPIRED), storage_client(passing) as storage:
        session = open_session(
            storage, result, wanted, snapshot=None, size=size, project=project, config=passing
        )
        yield from _batches(storage, session, name, passing.attempts)


def _batches(storage: object, session: Session, name: str, attempts: int) -> Iterator[pa.RecordBatch]:
    schema = pa.ipc.read_schema(pa.BufferReader(session.schema))
    for stream in session.streams:
        for message in messages(storage, stream, attempts=attempts):
            try:
                batch = pa.ipc.read_record_batch(pa.py_buffer(message.raw), schema)
                batch.validate(full=True)
            except (pa.ArrowException, OSError):
                what = f"{name}: {message.rows} rows of the result came damaged"
                raise EnvironmentProblem(what, hint="run again") from None
            yield batch
