"""A finished dataset directory, opened for reading: what the report, `explain` and `inspect` share.

Tables of the same part are row-aligned, so a file is one number everywhere: its row id,
``part << 32 | row``. Everything is read one part at a time; contents only for the rows asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from columns.errors import OutputError
from columns.files import PartName, Place
from columns.tables import read_arrow, read_whole
from filters import FilterConfig
from filters import Rule as FilterRule
from pipelines.stage import stage_counts
from pipelines.stored import read_columns

FORMAT = "thresher/1"
ROW_BITS = 32
IDENTITY = ("doc_id", "repo", "ref", "path", "language", "size")
NOT_SIGNALS = frozenset(
    {
        "size",
        "stars",
        "forks",
        "fork_of",
        "updated",
        "problem",
        "language",
        "repo",
        "path",
        "license",
        "known_similarity",
    }
)


@dataclass(frozen=True)
class Rule:
    """One content rule of the recipe: a file is dropped when ``signal op value`` is true."""

    name: str
    signal: str
    op: str
    value: Any
    status: str = ""
    source: str = ""
    note: str = ""
    languages: Sequence[str] = ()
    except_languages: Sequence[str] = ()
    probability: float = 1.0
    table: str = ""


@dataclass(frozen=True)
class OwnRule:
    """One rule of a user's file: ``reads`` are the facts it looks at."""

    name: str
    version: int
    about: str
    file: str
    reads: Sequence[str] = ()


@dataclass(frozen=True)
class Identity:
    """Who a file is: its row id and the columns that name it."""

    row: int
    doc_id: bytes
    repo: str | None
    ref: str | None
    path: str | None
    language: str | None
    size: int | None


@dataclass(frozen=True)
class Finished:
    """A dataset directory with its manifest, the commit point of the build."""

    place: Place
    manifest: Mapping[str, Any]

    @classmethod
    def open(cls, place: Place) -> Finished:
        """Open a dataset; `OutputError` when the place holds none."""
        try:
            present = place.exists("manifest.json")
        except Exception as problem:
            said = " ".join(str(problem).split())
            raise OutputError(
                f"{place.url}: cannot be read: {said}", hint="check the path and your login"
            ) from problem
        if not present:
            raise OutputError(
                f"{place.url}: no manifest.json", hint="give the --output folder of a finished build"
            )
        try:
            manifest = orjson.loads(place.read("manifest.json"))
        except orjson.JSONDecodeError as problem:
            raise OutputError(
                f"{place.url}/manifest.json: not JSON ({problem})", hint="build it again"
            ) from problem
        found = manifest.get("format") if isinstance(manifest, dict) else None
        if found != FORMAT:
            made = str(found).startswith("thresher-instruct/")
            hint = (
                "instruction data has: thresher inspect, explain, verify and status"
                if made
                else "build it again"
            )
            raise OutputError(f"{place.url}: format {found!r}, expected {FORMAT!r}", hint=hint)
        return cls(place, manifest)

    def section(self, *keys: str) -> Any:
        """A section of the manifest by its path; an empty mapping when it is not there."""
        found: Any = self.manifest
        for key in keys:
            found = found.get(key) if isinstance(found, Mapping) else None
        return {} if found is None else found

    def rules(self) -> list[Rule]:
        """The content rules of the recipe as they are applied, in its order."""
        known = Rule.__dataclass_fields__
        return [Rule(**{name: getattr(rule, name) for name in known}) for rule in self.filters().active]

    def filters(self) -> FilterConfig:
        """The recipe's rules, to be applied to facts; `OutputError` when this version does not know them."""
        section = self.section("recipe", "filters")
        try:
            rules = tuple(_filter_rule(rule) for rule in section.get("rules", ()))
            return FilterConfig(rules, section.get("seed", 0), bool(section.get("bug_compat")))
        except (TypeError, ValueError) as problem:
            raise OutputError(
                f"{self.place.url}/manifest.json: its rules are not of this version: {problem}",
                hint="build it again",
            ) from problem

    def own_rules(self) -> list[OwnRule]:
        """The rules of the user's files, in order; described, never run."""
        return [OwnRule(**rule) for rule in self.section("recipe", "filters", "own_rules") or ()]

    def parts(self) -> list[PartName]:
        """The parts of the ledger, in order."""
        return [
            PartName.parse(name) for name in self.place.child("ledger").names() if name.startswith("part-")
        ]

    def ledger(self, part: PartName, columns: list[str] | None = None) -> pa.Table:
        """The decisions of one part."""
        return read_whole(self.place.child("ledger"), part.format(), columns)

    def facts(self, part: PartName, columns: list[str] | None = None) -> pa.Table:
        """The facts of one part and what was found later (licences, known files), row-aligned with its ledger."""
        found, *later = (read_columns(place, part.format(), columns) for place in self._facts(part))
        for table in later:
            for name in table.column_names:
                if name not in found.column_names:
                    found = found.append_column(name, table.column(name))
        return found

    def schema(self) -> pa.Schema:
        """Every column of `facts`; empty for a dataset without parts."""
        fields: dict[str, pa.Field] = {}
        for part in self.parts()[:1]:
            for place in self._facts(part):
                with place.open(part.format()) as source:
                    fields = {field.name: field for field in pq.read_schema(source)} | fields
        return pa.schema(fields.values())

    def signals(self) -> pa.Schema:
        """The measured columns of the facts: numbers and yes/no, without what documents already say."""
        return pa.schema([field for field in self.schema() if _measured(field)])

    def _facts(self, part: PartName) -> list[Place]:
        later = [self.place.child(folder) for folder in ("licenses", "known", "paragraphs")]
        return [self.place.child("facts"), *(place for place in later if place.exists(part.format()))]

    def overlaps(self, part: PartName) -> pa.Table | None:
        """The evidence of benchmark tasks in one part, or None when there is no such file."""
        return self._beside("facts", "overlaps", part)

    def leaks(self, part: PartName) -> pa.Table | None:
        """The benchmark tasks found in one part and what is done, or None when nobody looked."""
        return self._beside("leaks", "part", part)

    def spans(self, part: PartName) -> pa.Table | None:
        """The secrets and personal data found in one part, by place and kind, or None when nobody looked."""
        return self._beside("facts", "spans", part)

    def redactions(self, part: PartName) -> pa.Table | None:
        """The spans of one part that are replaced in the shards, or None when nothing is."""
        return self._beside("ledger", "redactions", part)

    def cuts(self, part: PartName) -> pa.Table | None:
        """What is cut out of the kept files of one part, or None when nothing was looked for."""
        return self._beside("cuts", "part", part)

    def _beside(self, folder: str, stem: str, part: PartName) -> pa.Table | None:
        name = PartName(stem, part.index, part.count, "parquet").format()
        place = self.place.child(folder)
        return read_whole(place, name) if place.exists(name) else None

    def signatures(self, ids: Iterable[int]) -> dict[int, np.ndarray]:
        """The MinHash signatures of row ids, ``uint32[num_perm]`` each; files without one are left out."""
        wanted, place = _by_part(ids), self.place.child("facts")
        found: dict[int, np.ndarray] = {}
        for part in self.parts():
            rows = wanted.get(part.index, [])
            if rows:
                (batch,) = read_arrow(place, PartName("signatures", part.index, part.count, "arrow").format())
                values = batch.column(0).take(pa.array(rows))
                pairs = zip(rows, values, strict=True)
                found |= {row_id(part, row): np.asarray(one.values) for row, one in pairs if one.is_valid}
        return found

    def counted(self, folder: str) -> dict[str, int]:
        """What the finished stage of a folder counted; empty when it does not say."""
        return stage_counts(self.place.child(folder))

    def links(self, stem: str) -> Iterator[pa.Table]:
        """The tables of one kind of link (``exact``, ``edges``, ``buckets``), file by file."""
        place = self.place.child("links")
        for name in place.names():
            if name.startswith(f"{stem}-"):
                yield read_whole(place, name)

    def identify(self, part: PartName, rows: Sequence[int]) -> list[Identity]:
        """The identities of some rows of one part."""
        table = self.ledger(part, [*IDENTITY]).take(pa.array(rows, pa.int64()))
        return [
            Identity(row_id(part, row), **line) for row, line in zip(rows, table.to_pylist(), strict=True)
        ]

    def by_row(self, ids: Iterable[int]) -> dict[int, Identity]:
        """The identities of row ids, reading each part at most once."""
        wanted = _by_part(ids)
        found = (self.identify(part, wanted[part.index]) for part in self.parts() if part.index in wanted)
        return {identity.row: identity for group in found for identity in group}

    def by_doc_id(self, ids: Iterable[bytes]) -> dict[bytes, Identity]:
        """The identities of doc ids: one pass over the ledger's ids."""
        wanted = pa.array(sorted(set(ids)), pa.binary(16))
        found: dict[bytes, Identity] = {}
        for part in self.parts() if len(wanted) else ():
            column = self.ledger(part, ["doc_id"]).column("doc_id").cast(pa.binary())
            hits = rows_where(pc.is_in(column, value_set=wanted.cast(pa.binary())))
            found |= {identity.doc_id: identity for identity in self.identify(part, hits)} if hits else {}
        return found

    def texts(self, ids: Iterable[int], limit: int) -> dict[int, str]:
        """The first ``limit`` characters of the contents of row ids; only their row groups are read."""
        wanted = _by_part(ids)
        found: dict[int, str] = {}
        for part in self.parts():
            if part.index in wanted:
                found |= self._texts_of_part(part, wanted[part.index], limit)
        return found

    def note(self, path: str) -> tuple[str, str]:
        """Status and source of a recipe value by its dotted path; empty when the recipe has no note."""
        note = self.section("recipe", "notes").get(path) or {}
        return note.get("status", ""), note.get("source", "")

    def _texts_of_part(self, part: PartName, rows: Sequence[int], limit: int) -> dict[int, str]:
        found: dict[int, str] = {}
        with self.place.child("documents").open(part.format()) as source, pq.ParquetFile(source) as parquet:
            start = 0
            for group in range(parquet.num_row_groups):
                stop = start + parquet.metadata.row_group(group).num_rows
                inside = [row for row in rows if start <= row < stop]
                if inside:
                    column = parquet.read_row_group(group, columns=["content"], use_threads=False).column(0)
                    short = pc.utf8_slice_codeunits(column.take([row - start for row in inside]), 0, limit)
                    pairs = zip(inside, short.to_pylist(), strict=True)
                    found |= {row_id(part, row): text or "" for row, text in pairs}
                start = stop
        return found


def _filter_rule(written: Mapping[str, Any]) -> FilterRule:
    """A rule of the manifest; JSON has no tuples."""
    return FilterRule(**{name: _tupled(value) for name, value in written.items()})


def _tupled(value: Any) -> Any:
    return tuple(map(_tupled, value)) if isinstance(value, list) else value


def row_id(part: PartName, row: int) -> int:
    """The number of a file inside the dataset."""
    return part.index << ROW_BITS | row


def rows_where(mask: pa.ChunkedArray | pa.Array) -> list[int]:
    """The positions at which a mask is true (pyarrow 25's ``indices_nonzero`` crashes on columns without chunks).

    >>> rows_where(pa.array([True, None, False, True])), rows_where(pa.chunked_array([], pa.bool_()))
    ([0, 3], [])
    """
    return np.flatnonzero(np.asarray(mask.fill_null(False))).tolist()


def _by_part(ids: Iterable[int]) -> dict[int, list[int]]:
    grouped: dict[int, list[int]] = {}
    for number in sorted(set(ids)):
        grouped.setdefault(number >> ROW_BITS, []).append(number & ((1 << ROW_BITS) - 1))
    return grouped


def _measured(field: pa.Field) -> bool:
    numeric = (
        pa.types.is_integer(field.type) or pa.types.is_floating(field.type) or pa.types.is_boolean(field.type)
    )
    return bool(numeric) and field.name not in NOT_SIGNALS
