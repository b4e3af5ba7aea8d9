"""Export: a query's rows as Parquet on GCS, written by the service, for the Parquet source to read."""

from __future__ import annotations

from columns.errors import InputError
from sources.bigquery.connection import mended, rest_client
from sources.bigquery.cost import check
from sources.bigquery.jobs import run_export
from sources.bigquery.source import BigQueryQuery
from sources.config import IngestConfig


def export_parquet(source: BigQueryQuery, uri: str, config: IngestConfig) -> str:
    """Run the query once and write its rows below ``uri`` ("gs://bucket/folder"); returns the spec that reads them.

    Costs the query, and storage in the bucket; writing and reading the files is free of charge. The files keep
    the rows for as long as they are there, so a rerun does not depend on the service. `InputError` when the
    estimate is over the limit, or the place is not ``gs://``.
    """
    folder = uri.rstrip("/")
    if not folder.startswith("gs://") or any(sign in folder for sign in "'*\\\n"):
        raise InputError(f"{uri}: not a place to export to", hint="gs://BUCKET/FOLDER")
    check(source.estimate(config), source.settings, source.confirm)
    with mended(source.name), rest_client(source.settings) as client:
        run_export(client, source.query.sql(config), f"{folder}/*.parquet", source.settings)
    return f"parquet:{folder}"
