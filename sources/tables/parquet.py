"""Parquet: row groups as units, read column by column; a damaged file costs itself, never its neighbours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from columns.batch import split_by_bytes
from columns.urls import without_login
from sources.config import IngestConfig
from sources.files import problem_row
from sources.locations import Location, locate, open_location
from sources.tables.cells import column
from sources.tables.folded import FILES, Header, empty, inner_names, places, read_header, unfold
from sources.tables.headers import require_content, resolve
from sources.tables.rows import Table, row_batch
from sources.unit import Listing, Skipped, Unit, stamp

SUFFIXES = (".parquet", ".parq", ".pq")

_MAX_ROWS = 1 << 16


@dataclass(frozen=True)
class ParquetUnit(Unit):
    """One row group; ``first_row`` is its first row's number in the file, counted from 0."""

    group: int
    first_row: int
    rows: int

    def read(self, config: IngestConfig, batch_bytes: int, skipped: Skipped) -> Iterator[pa.RecordBatch]:
        """Read the row group; from where it is damaged on, one row says how many are lost."""
        at = self.first_row
        try:
            stream = _stream(self, config, batch_bytes)
            while (read := next(stream, None)) is not None:
                documents = _documents(read, config, skipped)
                at += read.rows
                yield from split_by_bytes(documents, batch_bytes)
        except (pa.ArrowException, OSError) as error:
            lost = f"malformed: rows {at} to {self.first_row + self.rows - 1}: {one_line(error)}"
            yield problem_row("parquet", f"{self.name}#row={at}", f"{self.name}#row={at}", lost)


@dataclass(frozen=True)
class DamagedUnit(Unit):
    """A file that cannot be opened: one row with the problem."""

    source: str
    problem: str

    def read(self, config: IngestConfig, batch_bytes: int, skipped: Skipped) -> Iterator[pa.RecordBatch]:
        """Yield the row that stands for the file."""
        yield problem_row(self.source, self.name, self.name, self.problem)


@dataclass(frozen=True)
class ParquetSource:
    """Parquet files by path, folder or glob, on any fsspec filesystem."""

    pattern: str

    @property
    def spec(self) -> str:
        """The canonical text of this source."""
        return f"parquet:{self.pattern}"

    def units(self, config: IngestConfig, *, workdir: str | None = None) -> Listing:
        """Read the footers: one unit per row group. `InputError` when a file has no content column."""
        skipped: Skipped = Counter()
        found = locate(self.pattern, SUFFIXES, skipped)
        units = tuple(unit for location in found for unit in _file_units(location, config))
        rows = sum(unit.rows for unit in units if isinstance(unit, ParquetUnit))
        return Listing(units, skipped, rows, sum(unit.bytes for unit in units), stamp=stamp(found))


def one_line(error: Exception) -> str:
    """An error's message on one line of at most 200 characters, without a login."""
    return without_login(" ".join(str(error).split()))[:200]


def _file_units(location: Location, config: IngestConfig) -> list[Unit]:
    try:
        with (
            open_location(location.url) as file,
            pq.ParquetFile(file, page_checksum_verification=True) as parquet,
        ):
            schema, footer = parquet.schema_arrow, parquet.metadata
            groups = [footer.row_group(index) for index in range(footer.num_row_groups)]
            sizes = [(group.num_rows, group.total_byte_size) for group in groups]
    except (pa.ArrowException, OSError) as error:
        return [_damaged(location, error)]
    _check_columns(location.name, schema, config)
    units: list[Unit] = []
    first = 0
    for index, (rows, size) in enumerate(sizes):
        units.append(ParquetUnit(location.name, location.url, size, index, first, rows))
        first += rows
    return units


def _check_columns(name: str, schema: pa.Schema, config: IngestConfig) -> None:
    inner = inner_names(schema, config.columns)
    if inner is None:
        require_content(name, schema.names, config.columns)
    else:
        read_header(name, schema.names, inner, config.columns)


def _damaged(location: Location, error: Exception) -> DamagedUnit:
    kind = "unreadable" if isinstance(error, OSError) and error.errno else "truncated"
    return DamagedUnit(location.name, location.url, location.size, "parquet", f"{kind}: {one_line(error)}")


class _Read(NamedTuple):
    """Columns as they were read, where each row is from; rows of the table that they are, and those without files."""

    columns: dict[str, pa.Array]
    places: list[str]
    rows: int
    void: int = 0


def _stream(unit: ParquetUnit, config: IngestConfig, batch_bytes: int) -> Iterator[_Read]:
    with (
        open_location(unit.location) as file,
        pq.ParquetFile(file, page_checksum_verification=True) as parquet,
    ):
        schema = parquet.schema_arrow
        inner = inner_names(schema, config.columns)
        header = None if inner is None else read_header(unit.name, schema.names, inner, config.columns)
        flat = resolve(schema.names, config.columns) if header is None else header.repository
        per_row = max(1, unit.bytes // max(1, unit.rows))
        rows = min(_MAX_ROWS, max(1, batch_bytes // per_row))
        wanted = list(dict.fromkeys([*flat.values(), *([] if header is None else [FILES])]))
        batches = parquet.iter_batches(rows, row_groups=[unit.group], columns=wanted, use_threads=False)
        first = unit.first_row
        for batch in batches:
            yield (
                _rows(batch, flat, unit.name, first)
                if header is None
                else _files(batch, header, unit.name, first)
            )
            first += batch.num_rows


def _rows(batch: pa.RecordBatch, header: Mapping[str, str], name: str, first: int) -> _Read:
    places = [f"{name}#row={row}" for row in range(first, first + batch.num_rows)]
    return _Read({ours: batch.column(theirs) for ours, theirs in header.items()}, places, batch.num_rows)


def _files(batch: pa.RecordBatch, header: Header, name: str, first: int) -> _Read:
    found = unfold(batch, header)
    return _Read(found.columns, list(places(name, first, found)), batch.num_rows, empty(batch))


def _documents(read: _Read, config: IngestConfig, skipped: Skipped) -> pa.RecordBatch:
    columns = {ours: column(ours, values) for ours, values in read.columns.items() if ours != "content"}
    columns["content"] = _raw(read.columns["content"])
    if read.void:
        skipped["empty_repository"] += read.void
    return row_batch("parquet", Table(columns, read.places), config, skipped)


def _raw(content: pa.Array) -> pa.Array:
    """The content's bytes, whatever type holds them; what is no text is null and so "missing"."""
    if pa.types.is_dictionary(content.type):
        content = content.dictionary_decode()
    try:
        return content.cast(pa.large_binary())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.nulls(len(content), pa.large_binary())
