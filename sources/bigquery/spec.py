"""Specs: what stands after "bigquery:".

github_repos                    the public GitHub dataset
github_repos:sample             its sample tables
PROJECT.DATASET.TABLE[@TIME]    a table, as it was at an ISO 8601 time
FILE.sql                        the rows of the query in a file
"""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from columns.errors import InputError
from sources.bigquery.config import TABLE, BigQueryConfig
from sources.bigquery.cost import Confirm
from sources.bigquery.github_repos import GithubRepos
from sources.bigquery.source import BigQueryQuery, BigQueryTable, SqlText
from sources.locations import missing

FORMS = (
    "bigquery:github_repos",
    "bigquery:github_repos:sample",
    "bigquery:PROJECT.DATASET.TABLE[@TIME]",
    "bigquery:FILE.sql",
)


def bigquery_source(
    text: str,
    settings: BigQueryConfig | None = None,
    *,
    repos: GithubRepos | None = None,
    confirm: Confirm | None = None,
) -> BigQueryTable | BigQueryQuery:
    """Read what follows "bigquery:"; ``repos`` is the recipe's query for "github_repos".

    ``confirm`` gets the estimate before anything is billed and says whether to go on; None asks nobody and leaves
    it to the limits. `InputError` when the text names nothing.

    >>> bigquery_source("my-project.code.files@2026-05-01T00:00:00Z").spec
    'bigquery:my-project.code.files@2026-05-01T00:00:00+00:00'
    >>> bigquery_source("github_repos:sample").query.sample
    True
    """
    settings = settings or BigQueryConfig()
    if text in {"github_repos", "github_repos:sample"}:
        query = repos or GithubRepos()
        query = replace(query, sample=True) if text.endswith(":sample") else query
        return BigQueryQuery(text, query, settings, confirm)
    if text.endswith(".sql"):
        return BigQueryQuery(text, SqlText(_read(text)), settings, confirm)
    table, at, moment = text.partition("@")
    if not TABLE.fullmatch(table) or (at and not moment):
        raise InputError(f"bigquery:{text}: not a source", hint=f"use one of {', '.join(FORMS)}")
    return BigQueryTable(table, _moment(text, moment) if at else "", settings, confirm)


def _read(path: str) -> str:
    where = os.path.expanduser(path)
    if not os.path.isfile(where):
        raise missing(path)
    try:
        with open(where, encoding="utf-8") as file:
            sql = file.read().strip().rstrip(";")
    except UnicodeDecodeError:
        raise InputError(f"{path}: not UTF-8 text") from None
    if not sql:
        raise InputError(f"{path}: no query in it", hint="one SELECT with a column of file contents")
    return sql


def _moment(text: str, moment: str) -> str:
    try:
        found = datetime.fromisoformat(moment)
    except ValueError:
        raise InputError(
            f"bigquery:{text}: expected an ISO 8601 time after '@', got {moment!r}",
            hint="such as 2026-05-01T00:00:00Z",
        ) from None
    found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    if found > datetime.now(UTC) + timedelta(minutes=1):
        raise InputError(f"bigquery:{text}: {moment} is in the future")
    return found.isoformat()
