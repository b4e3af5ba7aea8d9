"""JSON lines, plain, gzip or zstd: streamed, so memory holds one batch and one line."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import orjson
import pyarrow as pa

from sources.config import IngestConfig
from sources.inflate import Broken, blocks
from sources.locations import Location, locate
from sources.tables.cells import from_values, mended
from sources.tables.folded import FILES, files_of, read_header
from sources.tables.headers import ALIASES, require_content, resolve
from sources.tables.lines import Line, numbered_lines
from sources.tables.parquet import one_line
from sources.tables.rows import Table, row_batch
from sources.unit import Listing, Skipped, Unit, stamp

_ENDINGS = (".jsonl", ".ndjson", ".json")
SUFFIXES = (".jsonl", ".ndjson", *(f"{ending}{packed}" for ending in _ENDINGS for packed in (".gz", ".zst")))

TYPICAL_RATIO = 4  # text by size of its gzip or zstd file; only plans parts and space
_PEEK = 1 << 20
_BATCH_ROWS = 1 << 14


class Row(NamedTuple):
    """One line as a row: where it is and its values under document column names."""

    place: str
    values: dict[str, Any]


@dataclass(frozen=True)
class JsonlUnit(Unit):
    """One file of JSON lines."""

    def read(self, config: IngestConfig, batch_bytes: int, skipped: Skipped) -> Iterator[pa.RecordBatch]:
        """Read the file; a bad line costs itself, a broken stream what follows the break."""
        held: list[Row] = []
        total = 0
        for row in _rows(self, config, skipped):
            weight = _weight(row)
            if held and (total + weight > batch_bytes or len(held) == _BATCH_ROWS):
                yield row_batch("jsonl", _table(held), config, skipped)
                held, total = [], 0
            held.append(row)
            total += weight
        if held:
            yield row_batch("jsonl", _table(held), config, skipped)


@dataclass(frozen=True)
class JsonlSource:
    """Files of JSON lines by path, folder or glob, on any fsspec filesystem."""

    pattern: str

    @property
    def spec(self) -> str:
        """The canonical text of this source."""
        return f"jsonl:{self.pattern}"

    def units(self, config: IngestConfig, *, workdir: str | None = None) -> Listing:
        """One unit per file. `InputError` when a file's first line is an object without content."""
        skipped: Skipped = Counter()
        found = locate(self.pattern, SUFFIXES, skipped)
        for location in found:
            _check_first_line(location, config)
        units = tuple(JsonlUnit(item.name, item.url, _inflated(item)) for item in found)
        return Listing(units, skipped, len(found), sum(unit.bytes for unit in units), stamp=stamp(found))


def _inflated(location: Location) -> int:
    packed = location.name.endswith((".gz", ".zst"))
    return location.size * TYPICAL_RATIO if packed else location.size


def parse_line(data: bytes) -> tuple[Any, bool]:
    """The value of a line and whether bytes were lost; ``ValueError`` when it is not JSON.

    What orjson refuses is tried again with Python's parser, which takes NaN and lone surrogates.

    >>> parse_line(b'{"content": "x", "score": NaN}')[1]
    False
    """
    try:
        return orjson.loads(data), False
    except orjson.JSONDecodeError as error:
        text = data.decode("utf-8", "replace")
        try:
            return json.loads(text), text.encode() != data
        except (ValueError, RecursionError):
            raise ValueError(str(error)) from None


def _check_first_line(location: Location, config: IngestConfig) -> None:
    try:
        line = next(numbered_lines(islice(blocks(location.url), 4), _PEEK), None)
        value = None if line is None or line.data is None else parse_line(line.data)[0]
    except (ValueError, OSError, Broken):
        return
    if not isinstance(value, dict):
        return
    if files_of(value, config.columns) is None:
        require_content(location.name, value, config.columns)
    elif value[FILES] and isinstance(value[FILES][0], dict):
        read_header(location.name, value, value[FILES][0], config.columns)


def _rows(unit: JsonlUnit, config: IngestConfig, skipped: Skipped) -> Iterator[Row]:
    number = 0
    try:
        for line in numbered_lines(blocks(unit.location), config.line_limit):
            number = line.number
            if line.data is None or line.data.strip():
                yield from _line_rows(line, f"{unit.name}#line={line.number}", config, skipped)
    except (Broken, OSError) as error:
        kind = "truncated" if isinstance(error, Broken) else "unreadable"
        yield _problem(unit.name, f"{kind}: after line {number}: {one_line(error)}")


def _line_rows(line: Line, place: str, config: IngestConfig, skipped: Skipped) -> Iterator[Row]:
    """The file of a line, or the files where it is a repository."""
    if line.data is None:
        yield _problem(place, "too_large", line.size)
        return
    try:
        value, lost = parse_line(line.data)
    except ValueError as error:
        yield _problem(place, f"malformed: line {line.number}: {error}")
        return
    files = files_of(value, config.columns) if isinstance(value, dict) else None
    if files is None:
        named = _named(value, config) if isinstance(value, dict) else value
        yield _row(named, place, line.number, lost=lost)
        return
    skipped["empty_repository"] += not files
    for number, named in enumerate(files):
        yield _row(named, f"{place} file={number}", line.number, lost=lost)


def _named(value: dict[str, Any], config: IngestConfig) -> dict[str, Any]:
    return {ours: value[theirs] for ours, theirs in resolve(value, config.columns).items()}


def _row(values: Any, place: str, number: int, *, lost: bool) -> Row:
    if not isinstance(values, dict):
        return _problem(place, f"malformed: line {number}: expected an object, got {type(values).__name__}")
    content = values.get("content")
    if content is not None and not isinstance(content, str):
        return _problem(place, f"malformed: line {number}: expected text, got {type(content).__name__}")
    return Row(place, _mended(values, content, lost=lost))


def _problem(place: str, problem: str, size: int | None = None) -> Row:
    return Row(place, {"problem": problem, "size": size})


def _mended(values: dict[str, Any], content: str | None, *, lost: bool) -> dict[str, Any]:
    if content is None:
        return values
    kept = mended(content)
    lossy = lost or kept != content or values.get("lossy") is True
    return {**values, "content": kept.encode(), "lossy": lossy}


def _weight(row: Row) -> int:
    return len(row.values.get("content") or b"")


def _table(rows: list[Row]) -> Table:
    columns = {
        name: from_values(name, [row.values.get(name) for row in rows])
        for name in ALIASES
        if name != "content"
    }
    columns["content"] = pa.array([row.values.get("content") for row in rows], pa.large_binary())
    return Table(columns, [row.place for row in rows])
