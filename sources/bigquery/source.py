"""Tables and queries as sources: their cost is estimated, their rows pinned, their streams are the units.

What is pinned. A table is read as it was at one moment: the one the user names, or now; the stamp is the table's
last change, so an unchanged table is not read again. A query's rows are those of its result table, which nobody
writes to; its stamp is the SQL and the last change of every table it reads.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import pyarrow as pa

from columns.errors import InputError
from sources.bigquery.config import BigQueryConfig
from sources.bigquery.connection import mended, rest_client, storage_client
from sources.bigquery.cost import Confirm, Estimate, check
from sources.bigquery.jobs import DryRun, dry_run, run_query
from sources.bigquery.sessions import Session, open_session
from sources.bigquery.streams import StreamUnit
from sources.config import IngestConfig
from sources.headers import require_content
from sources.unit import Listing, stamp

CLOCK_MARGIN = timedelta(seconds=10)

_READABLE = ("TABLE", "SNAPSHOT", "MATERIALIZED_VIEW")


class Query(Protocol):
    """What makes SQL: `GithubRepos`, or `SqlText`."""

    def sql(self, config: IngestConfig) -> str:
        """The statement, with what the configuration of reading allows to leave out."""


@dataclass(frozen=True)
class SqlText:
    """A user's own SELECT, as it is."""

    text: str

    def sql(self, config: IngestConfig) -> str:
        """The text."""
        return self.text


@dataclass(frozen=True)
class BigQueryTable:
    """A table, ``PROJECT.DATASET.TABLE``, read as it was at ``at`` (ISO 8601; empty is now) without a query.

    The service keeps a table's past for seven days at most; a later rerun needs a copy or a table snapshot.
    """

    table: str
    at: str = ""
    settings: BigQueryConfig = field(default_factory=BigQueryConfig)
    confirm: Confirm | None = field(default=None, compare=False, repr=False)

    @property
    def spec(self) -> str:
        """The canonical text of this source."""
        return f"bigquery:{self.table}@{self.at}" if self.at else f"bigquery:{self.table}"

    def estimate(self, config: IngestConfig) -> Estimate:
        """What reading costs: the selected columns' bytes, by a dry run. Bills nothing."""
        with mended(self.table), rest_client(self.settings) as client:
            facts = _facts(client, self.table)
            header = require_content(self.table, _columns(facts), config.columns)
            return self._estimate(client, facts, header)

    def units(self, config: IngestConfig, *, workdir: str | None = None) -> Listing:
        """Open a read session over the columns that are needed: one unit per stream."""
        with mended(self.table), rest_client(self.settings) as client:
            facts = _facts(client, self.table)
            header = require_content(self.table, _columns(facts), config.columns)
            estimate = self._estimate(client, facts, header)
            check(estimate, self.settings, self.confirm)
            modified = _ceiling(facts.modified)
            moment = datetime.fromisoformat(self.at) if self.at else _moment(modified)
            wanted = list(dict.fromkeys(header.values()))
            session = _session(
                self.table, wanted, moment, int(facts.num_bytes or 0), client.project, self.settings
            )
        check(Estimate(self.table, read=session.size), self.settings, None)
        at = self.at or modified.isoformat()
        identity = stamp([(self.table, at, sorted(header.items()))])
        listing = _listing(f"{self.table}@{at}", session, header, identity, self.settings)
        return replace(listing, pinned=f"bigquery:{self.table}@{at}")

    def _estimate(self, client: Any, facts: Any, header: dict[str, str]) -> Estimate:
        names = ", ".join(f"`{name}`" for name in dict.fromkeys(header.values()))
        asked = dry_run(client, f"SELECT {names} FROM `{self.table}`", self.settings)
        rows = int(facts.num_rows or 0)
        return Estimate(self.table, 0, asked.processed, rows, (self.table,), self.settings.prices)


@dataclass(frozen=True)
class BigQueryQuery:
    """The rows of a query; ``name`` is what stands after "bigquery:" and in provenances."""

    name: str
    query: Query
    settings: BigQueryConfig = field(default_factory=BigQueryConfig)
    confirm: Confirm | None = field(default=None, compare=False, repr=False)

    @property
    def spec(self) -> str:
        """The canonical text of this source."""
        return f"bigquery:{self.name}"

    def estimate(self, config: IngestConfig) -> Estimate:
        """What the query costs, by a dry run. Bills nothing, and knows nothing about the rows of the result."""
        with mended(self.name), rest_client(self.settings) as client:
            return self._estimate(dry_run(client, self.query.sql(config), self.settings))

    def units(self, config: IngestConfig, *, workdir: str | None = None) -> Listing:
        """Estimate, check and run the query, then open a read session over its result: one unit per stream."""
        sql = self.query.sql(config)
        with mended(self.name), rest_client(self.settings) as client:
            asked = dry_run(client, sql, self.settings)
            header = require_content(self.name, asked.columns, config.columns)
            check(self._estimate(asked), self.settings, self.confirm)
            identity = stamp([(sql,), *((name, _changed(client, name)) for name in asked.tables)])
            result = run_query(client, sql, identity, self.settings)
            kept = client.get_table(result)
            wanted = list(dict.fromkeys(header.values()))
            session = _session(result, wanted, None, int(kept.num_bytes or 0), client.project, self.settings)
        listing = _listing(f"{self.name}@{identity[:12]}", session, header, identity, self.settings)
        at = _ceiling(kept.modified).isoformat()
        return replace(listing, pinned=f"bigquery:{result}@{at}") if self.settings.destination else listing

    def _estimate(self, asked: DryRun) -> Estimate:
        return Estimate(self.name, asked.processed, 0, None, asked.tables, self.settings.prices)


def _facts(client: Any, table: str) -> Any:
    facts = client.get_table(table)
    if facts.table_type not in _READABLE:
        raise InputError(
            f"{table}: a {str(facts.table_type).lower()} cannot be read without a query",
            hint=f"bigquery:FILE.sql with SELECT * FROM `{table}`",
        )
    if facts.streaming_buffer is not None:
        raise InputError(
            f"{table}: rows are being streamed into it, so two readings would differ",
            hint=f"wait, or copy it: CREATE SNAPSHOT TABLE … CLONE `{table}`",
        )
    return facts


def _columns(facts: Any) -> list[str]:
    return [field.name for field in facts.schema]


def _changed(client: Any, table: str) -> str:
    return str(_ceiling(client.get_table(table).modified).isoformat())


def _ceiling(modified: datetime) -> datetime:
    """The first moment that surely follows a change: the service states it in whole milliseconds."""
    return modified.astimezone(UTC) + timedelta(milliseconds=1)


def _moment(modified: datetime) -> datetime:
    """The moment a table is read at: after its last change, and not in the future of a clock that lags behind."""
    return max(modified, datetime.now(UTC) - CLOCK_MARGIN)


def _session(
    table: str,
    columns: list[str],
    moment: datetime | None,
    size: int,
    project: str,
    settings: BigQueryConfig,
) -> Session:
    with storage_client(settings) as client:
        return open_session(
            client, table, columns, snapshot=moment, size=size, project=project, config=settings
        )


def _listing(
    name: str, session: Session, header: dict[str, str], identity: str, settings: BigQueryConfig
) -> Listing:
    kind = pa.ipc.read_schema(pa.BufferReader(session.schema)).field(header["content"]).type
    if not (pa.types.is_string(kind) or pa.types.is_binary(kind)):
        raise InputError(
            f"{name}: column {header['content']!r} of file contents: expected STRING or BYTES, got {kind}",
            hint="--column content=NAME says which column holds the text of the files",
        )
    share = session.size // max(1, len(session.streams))
    pairs = tuple(header.items())
    units = tuple(
        StreamUnit(name, stream, share, session.schema, pairs, settings) for stream in session.streams
    )
    return Listing(units, files=session.rows, total_bytes=session.size, stamp=identity)
