"""Tables and queries as sources: their cost is estimated, their rows pinned, their streams are the units.

What is pinned. A table is read as it was at one moment: the one the user names, or now; the stamp is the table's
last change, so an unchanged table is not read again. A query's rows are those of its result table, which nobody
writes to; its stamp is the SQL and the last change of every table it reads. A result that is kept is read as the table
it is, so that the pinned spec gives the same rows under the same provenances.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Protocol, TypeVar

import pyarrow as pa

from columns.errors import InputError
from sources.bigquery.config import BigQueryConfig
from sources.bigquery.connection import mended, rest_client, storage_client
from sources.bigquery.cost import Confirm, Estimate, check
from sources.bigquery.export import export_folder, export_rows, is_exported
from sources.bigquery.jobs import dry_run, is_kept, run_query, table_name
from sources.bigquery.sessions import Session, open_session
from sources.bigquery.streams import StreamUnit
from sources.config import IngestConfig
from sources.tables.headers import require_content
from sources.tables.parquet import ParquetSource
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

    def agreed(self, config: IngestConfig) -> BigQueryTable:
        """The same source after its cost was checked and confirmed: it asks no more. `InputError` if it was not."""
        return _agreed(self, config)

    def units(self, config: IngestConfig, *, workdir: str | None = None) -> Listing:
        """Open a read session over the columns that are needed: one unit per stream."""
        with mended(self.table), rest_client(self.settings) as client:
            facts = _facts(client, self.table)
            header = require_content(self.table, _columns(facts), config.columns)
            check(self._estimate(client, facts, header), self.settings, self.confirm)
            at, moment = _pinned(self.at, facts.modified)
            found = _listing(client, facts, f"{self.table}@{at}", header, moment, self.settings)
        identity = stamp([(self.table, at, sorted(header.items()))])
        return replace(found, stamp=identity, pinned=f"bigquery:{self.table}@{at}")

    def _estimate(self, client: Any, facts: Any, header: dict[str, str]) -> Estimate:
        return _reading(client, self.table, self.table, facts, header, self.settings)


class _Asked(NamedTuple):
    """What is known of a query before it runs; ``kept``: its result is there already."""

    sql: str
    header: dict[str, str]
    identity: str
    kept: bool
    estimate: Estimate


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
        """What the query costs, by a dry run; of a kept result, what reading it costs. Bills nothing, and knows
        nothing about the rows of a result that is not there yet."""
        with mended(self.name), rest_client(self.settings) as client:
            return self._asked(client, config).estimate

    def agreed(self, config: IngestConfig) -> BigQueryQuery:
        """The same source after its cost was checked and confirmed: it asks no more. `InputError` if it was not."""
        return _agreed(self, config)

    def units(self, config: IngestConfig, *, workdir: str | None = None) -> Listing:
        """Estimate, check and run the query, unless its result is kept; then open a read session over the result:
        one unit per stream. With ``export`` the result is Parquet, and its units are those of the Parquet source."""
        with mended(self.name), rest_client(self.settings) as client:
            asked = self._asked(client, config)
            check(asked.estimate, self.settings, self.confirm)
            if self.settings.export:
                return self._exported(client, asked, config)
            kept = self.settings.destination
            result = kept if asked.kept else run_query(client, asked.sql, asked.identity, self.settings)
            facts = client.get_table(result)
            at, moment = _pinned("", facts.modified)
            name = f"{result}@{at}" if kept else f"{self.name}@{asked.identity[:12]}"
            found = _listing(client, facts, name, asked.header, moment if kept else None, self.settings)
        return replace(found, stamp=asked.identity, pinned=f"bigquery:{name}" if kept else "")

    def _exported(self, client: Any, asked: _Asked, config: IngestConfig) -> Listing:
        folder = export_folder(self.settings, asked.identity)
        if not asked.kept:
            export_rows(client, asked.sql, folder, self.settings)
        source = ParquetSource(folder)
        return replace(source.units(config), pinned=source.spec)

    def _asked(self, client: Any, config: IngestConfig) -> _Asked:
        sql, settings = self.query.sql(config), self.settings
        found = dry_run(client, sql, settings)
        header = require_content(self.name, found.columns, config.columns)
        identity = stamp([(sql,), *((name, _changed(client, name)) for name in found.tables)])
        if settings.export:
            kept = is_exported(export_folder(settings, identity))
        else:
            kept = bool(settings.destination) and is_kept(client, identity, settings.destination)
        if kept and settings.export:
            estimate = Estimate(self.name, prices=settings.prices)
        elif kept:
            facts = client.get_table(settings.destination)
            estimate = _reading(client, self.name, settings.destination, facts, header, settings)
        else:
            estimate = Estimate(self.name, found.processed, 0, None, found.tables, settings.prices)
        return _Asked(sql, header, identity, kept, estimate)


_Source = TypeVar("_Source", BigQueryTable, BigQueryQuery)


def _agreed(source: _Source, config: IngestConfig) -> _Source:
    check(source.estimate(config), source.settings, source.confirm)
    return replace(source, confirm=None)


def _reading(
    client: Any, what: str, table: str, facts: Any, header: dict[str, str], settings: BigQueryConfig
) -> Estimate:
    """What reading some columns of a table costs: their bytes, by a dry run."""
    names = ", ".join(f"`{name}`" for name in dict.fromkeys(header.values()))
    asked = dry_run(client, f"SELECT {names} FROM `{table}`", settings)
    return Estimate(what, 0, asked.processed, int(facts.num_rows or 0), (table,), settings.prices)


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


def _pinned(at: str, modified: datetime) -> tuple[str, datetime]:
    """The moment that names the rows, and the one that is asked for.

    A table that has not changed since the named moment is read as it is now: the service forgets the past of every
    table after seven days, also of one that nobody has written to.
    """
    changed = _ceiling(modified)
    named = datetime.fromisoformat(at) if at else changed
    return at or changed.isoformat(), _moment(changed) if named >= changed else named


def _moment(modified: datetime) -> datetime:
    """The moment a table is read at: after its last change, and not in the future of a clock that lags behind."""
    return max(modified, datetime.now(UTC) - CLOCK_MARGIN)


def _listing(
    client: Any,
    facts: Any,
    name: str,
    header: dict[str, str],
    moment: datetime | None,
    settings: BigQueryConfig,
) -> Listing:
    """Units of a table's columns, under a name. ``moment`` is None for a query's temporary result, which nobody
    changes and whose reading is free of charge."""
    session = _session(facts, header, moment, client.project, settings)
    if moment is not None:
        check(Estimate(name, read=session.size, prices=settings.prices), settings, None)
    _check_content(name, session, header)
    share = session.size // max(1, len(session.streams))
    pairs = tuple(header.items())
    units = tuple(
        StreamUnit(name, stream, share, session.schema, pairs, settings) for stream in session.streams
    )
    return Listing(units, files=session.rows, total_bytes=session.size)


def _session(
    facts: Any, header: dict[str, str], moment: datetime | None, project: str, settings: BigQueryConfig
) -> Session:
    table, size = table_name(facts), int(facts.num_bytes or 0)
    wanted = list(dict.fromkeys(header.values()))
    with storage_client(settings) as client:
        return open_session(
            client, table, wanted, snapshot=moment, size=size, project=project, config=settings
        )


def _check_content(name: str, session: Session, header: dict[str, str]) -> None:
    kind = pa.ipc.read_schema(pa.BufferReader(session.schema)).field(header["content"]).type
    if not (pa.types.is_string(kind) or pa.types.is_binary(kind)):
        raise InputError(
            f"{name}: column {header['content']!r} of file contents: expected STRING or BYTES, got {kind}",
            hint="--column content=NAME says which column holds the text of the files",
        )
