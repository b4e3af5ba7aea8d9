"""Export: a query's rows as Parquet on GCS, written by the service, for the Parquet source to read.

A folder is named by the identity of its rows (SQL, and the state of the tables it reads), so one that is complete is
never written again, and other rows go into another folder. A file that no reader takes says that it is complete.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from columns.errors import EnvironmentProblem
from columns.files import Place
from sources.bigquery.config import BigQueryConfig
from sources.bigquery.jobs import run_export
from sources.tables.parquet import one_line

COMPLETE = "_complete"


def export_folder(settings: BigQueryConfig, identity: str) -> str:
    """Where the rows of an identity are.

    >>> export_folder(BigQueryConfig(export="gs://mine/code"), "0123456789abcdef0123456789abcdef")
    'gs://mine/code/0123456789abcdef01234567'
    """
    return f"{settings.export}/{identity[:24]}"


def is_exported(folder: str) -> bool:
    """Whether all rows are there."""
    with _bucket(folder):
        return Place(folder).exists(COMPLETE)


def export_rows(client: Any, sql: str, folder: str, settings: BigQueryConfig) -> None:
    """Run the query once and write its rows as Parquet files into ``folder``.

    Costs the query, and storage in the bucket; writing and reading the files is free of charge where bucket, dataset
    and reader are in one region. What an interrupted export left there is removed first.
    """
    with _bucket(folder):
        Place(folder).remove_tree()
    run_export(client, sql, f"{folder}/*.parquet", settings)
    with _bucket(folder):
        Place(folder).write_bytes(COMPLETE, b"")


@contextmanager
def _bucket(folder: str) -> Iterator[None]:
    try:
        from gcsfs.retry import HttpError  # type: ignore[import-untyped]
    except ImportError:
        raise EnvironmentProblem(f"{folder}: needs gcsfs", hint="pip install 'thresher[gcp]'") from None
    try:
        yield
    except (HttpError, OSError) as error:
        what = f"{folder}: the bucket cannot be used: {type(error).__name__}: {one_line(error)}"
        needed = "needs storage.objects.create, delete, get and list, for you and for BigQuery's job"
        raise EnvironmentProblem(what, hint=needed) from None
