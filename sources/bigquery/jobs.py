"""Jobs: dry runs, queries and exports. Every job carries ``maximum_bytes_billed``."""

from __future__ import annotations

from typing import Any, NamedTuple

from columns.errors import InputError
from sources.bigquery.config import BigQueryConfig

LABEL = "thresher_query"


class DryRun(NamedTuple):
    """What a query would do: bytes it processes, the columns of its result, the tables it reads, sorted."""

    processed: int
    columns: tuple[str, ...]
    tables: tuple[str, ...]


def dry_run(client: Any, sql: str, config: BigQueryConfig) -> DryRun:
    """Ask what a query would process; free of charge, and reads nothing."""
    job = client.query(sql, job_config=_job(config, dry_run=True))
    columns = tuple(field.name for field in job.schema or ())
    tables = tuple(sorted(table_name(table) for table in job.referenced_tables))
    return DryRun(int(job.total_bytes_processed or 0), columns, tables)


def run_query(client: Any, sql: str, identity: str, config: BigQueryConfig) -> str:
    """Run a query and return the table of its result.

    With ``config.destination`` that table is kept and marked with ``identity`` (SQL and state of the tables it
    reads), by which `is_kept` knows it.
    """
    options = (
        {"destination": config.destination, "write_disposition": "WRITE_EMPTY"} if config.destination else {}
    )
    job = client.query(sql, job_config=_job(config, **options))
    job.result(max_results=0)
    if config.destination:
        table = client.get_table(config.destination)
        table.labels = {**table.labels, LABEL: _mark(identity)}
        client.update_table(table, ["labels"])
    return table_name(job.destination)


def is_kept(client: Any, identity: str, destination: str) -> bool:
    """Whether a table holds the result of the query with this identity; `InputError` when it holds another one."""
    from google.api_core.exceptions import NotFound

    try:
        labels = client.get_table(destination).labels
    except NotFound:
        return False
    if labels.get(LABEL) != _mark(identity):
        raise InputError(
            f"{destination}: holds the result of another query, or of older tables",
            hint="name another destination, or delete that table",
        )
    return True


def run_export(client: Any, sql: str, uri: str, config: BigQueryConfig) -> None:
    """Write a query's rows as Parquet files; ``uri`` has one "*" for their numbers."""
    options = f"uri='{uri}', format='PARQUET', compression='ZSTD', overwrite=false"
    statement = f"EXPORT DATA OPTIONS({options}) AS\n{sql}"
    client.query(statement, job_config=_job(config)).result()


def table_name(table: Any) -> str:
    """A table reference as PROJECT.DATASET.TABLE."""
    return f"{table.project}.{table.dataset_id}.{table.table_id}"


def _job(config: BigQueryConfig, **options: Any) -> Any:
    from google.cloud import bigquery

    return bigquery.QueryJobConfig(
        maximum_bytes_billed=config.max_bytes_billed, use_legacy_sql=False, **options
    )


def _mark(identity: str) -> str:
    return identity[:40]
