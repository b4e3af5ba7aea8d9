"""Reuse: what an older dataset measured, brought to the rows of a new one, wherever an equal file lies now.

Where both datasets have as many parts, an unchanged file lies in the part of the same number and is found there. For
the others, which came from elsewhere or were renamed, keys of both datasets are exchanged by content, the old rows that
answer new ones are paired, the pairs exchanged by old part, and what was measured of them by new part. Every step holds
one part at a time, and none reads content. On one machine a few such files are looked for without a pipeline.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import PurePosixPath
from typing import NamedTuple

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from columns.batch import concat
from columns.beam import Exchange, Partitioned, load_chunks
from columns.document import DOCUMENT
from columns.errors import OutputError
from columns.files import Place
from columns.tables import read_arrow, read_whole, write_arrow
from dedup import content_keys
from pipelines.dataset import Dataset, Names
from pipelines.engine import Engine
from pipelines.ledger import row_ids
from pipelines.measured import Layout
from pipelines.stage import COMMIT, outputs_fingerprint, read_json
from pipelines.stored import ROW_BITS, ROW_MASK, in_threads

MEASURED_BY = "measured_by"
ANSWER = pa.schema(
    [
        pa.field("source", pa.int64(), metadata={"about": "row id in the old dataset"}),
        pa.field("target", pa.int64(), metadata={"about": "row id in the new dataset"}),
        pa.field("whole", pa.bool_(), metadata={"about": "equal in all that is read, not in the text alone"}),
    ]
)
SMALL = 1 << 20
_FETCHED_ROWS = 1 << 13


@dataclass(frozen=True)
class KeyConfig:
    """When a new file is an old one: equal text and equal ``columns`` (of documents) that facts are made from.

    ``moved``: equal text alone is worth something, too (`pipelines.measure.measure_moved`).
    """

    columns: tuple[str, ...]
    moved: bool

    @cached_property
    def schema(self) -> pa.Schema:
        """Keys of documents: the text's hash, the columns, the row id and which dataset it is of."""
        named = [DOCUMENT.field(name) for name in ("content_hash", *self.columns)]
        return pa.schema([*named, pa.field("row", pa.int64()), pa.field("old", pa.bool_())])


def check_old(old: Place, new: Place) -> None:
    """Refuse a dataset to reuse that is the one to be built, or where nothing was measured."""
    if _location(old) == _location(new):
        raise OutputError(
            f"--reuse {old.url}: that is the dataset to be built", hint="build into another --output"
        )
    documents, facts = (read_json(place, COMMIT) for place in (Dataset(old).documents, Dataset(old).facts))
    if documents is None or facts is None or facts["upstream"] != outputs_fingerprint(documents):
        raise OutputError(
            f"--reuse {old.url}: nothing is measured there",
            hint="give a dataset whose measure stage is finished",
        )


def _location(place: Place) -> str:
    return str(place.local.resolve()) if place.local else str(PurePosixPath(place.url))


def obstacle(old: Place, measured_by: Mapping[str, str]) -> str | None:
    """Why nothing that ``old`` measured can be reused; None when it can."""
    commit = read_json(Dataset(old).facts, COMMIT) or {}
    other = [name for name, value in measured_by.items() if commit.get(MEASURED_BY, {}).get(name) != value]
    return f"it was measured with other {' and '.join(other)}" if other else None


class Known(NamedTuple):
    """What is known of a new part: ``at`` is the row of ``stored`` that is each new row's, -1 for none.

    ``elsewhere``: rows of other parts that answer new ones, in `Reuse.schema`.
    """

    stored: pa.RecordBatch
    at: np.ndarray
    elsewhere: pa.RecordBatch


@dataclass(frozen=True)
class Reuse:
    """The steps from old rows to new ones, each a picklable callable bound to both datasets."""

    old: Dataset
    old_names: Names
    new: Dataset
    new_names: Names
    layout: Layout
    config: KeyConfig

    @classmethod
    def of(cls, old: Place, new: Dataset, layout: Layout, config: KeyConfig) -> Reuse:
        """The steps for two datasets whose documents are there."""
        past = Dataset(old)
        return cls(past, Names(past.parts()), new, Names(new.parts()), layout, config)

    @property
    def schema(self) -> pa.Schema:
        """What is measured, with the row of the new part it is for and whether all of it holds."""
        return pa.schema([pa.field("row", pa.int64()), ANSWER.field("whole"), *self.layout.schema])

    @property
    def found(self) -> Place:
        """Where the new parts' found rows lie until they are measured."""
        return self.new.work.child("reuse").child("found")

    def keys(self, element: tuple[bool, int]) -> Iterator[pa.RecordBatch]:
        """Keys of a part of either dataset."""
        old, part = element
        dataset, names = (self.old, self.old_names) if old else (self.new, self.new_names)
        table = read_whole(dataset.documents, names.part(part), ["content_hash", *self.config.columns])
        batch = concat(table.to_batches(), table.schema)
        columns = [batch.column(name) for name in self.config.schema.names[:-2]]
        side = pa.repeat(pa.scalar(old), batch.num_rows)
        keys = pa.RecordBatch.from_arrays(
            [*columns, row_ids(part, batch.num_rows), side], schema=self.config.schema
        )
        yield keys if old else keys.filter(pa.array(self.beside(part) < 0))

    def beside(self, part: int) -> np.ndarray:
        """For each row of a new part the same document with equal columns in the old part of its number, else -1."""
        wanted = list(dict.fromkeys(["doc_id", *self.config.columns]))
        after = read_whole(self.new.documents, self.new_names.part(part), wanted)
        if self.old_names.count != self.new_names.count:
            return np.full(after.num_rows, -1, np.int64)
        return positions(after, read_whole(self.old.documents, self.old_names.part(part), wanted))

    def known(self, part: int) -> Known:
        """What the old part of the same number and `gather` found for a new part."""
        at = self.beside(part)
        there = bool((at >= 0).any())
        stored = self.layout.read(self.old.facts, self.old_names, part) if there else self.layout.none()
        return Known(stored, at, self.rows(part))

    def pair(self, element: tuple[int, list[pa.RecordBatch]]) -> Iterator[pa.RecordBatch]:
        """The answers within one range of contents."""
        yield answers(concat(load_chunks(element[1]), self.config.schema), self.config)

    def fetch(self, element: tuple[int, list[pa.RecordBatch]]) -> Iterator[pa.RecordBatch]:
        """What an old part holds for its answers, addressed to the new rows."""
        part, values = element
        asked = concat(load_chunks(values), ANSWER)
        if asked.num_rows:
            known = self.layout.read(self.old.facts, self.old_names, part)
            for start in range(0, asked.num_rows, _FETCHED_ROWS):
                some = asked.slice(start, _FETCHED_ROWS)
                taken = known.take(pc.bit_wise_and(some.column("source"), ROW_MASK))
                columns = [some.column("target"), some.column("whole"), *taken.columns]
                yield pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def keep(self, element: tuple[int, list[pa.RecordBatch]]) -> int:
        """Put down what was found for a new part."""
        part, values = element
        batch = concat(load_chunks(values), self.schema)
        if batch.num_rows:
            rows = pc.bit_wise_and(batch.column("row"), ROW_MASK)
            write_arrow(
                self.found, self._name(part), [batch.set_column(0, self.schema.field(0), rows)], self.schema
            )
        return part

    def rows(self, part: int) -> pa.RecordBatch:
        """What was found for a new part, ascending by row."""
        stored = read_arrow(self.found, self._name(part)) if self.found.exists(self._name(part)) else []
        batch = concat(stored, self.schema)
        return batch.take(pc.sort_indices(batch.column("row")))

    def _name(self, part: int) -> str:
        return f"{part:05d}.arrow"


def positions(after: pa.Table, before: pa.Table) -> np.ndarray:
    """The row of ``before`` that has the ``doc_id`` of each row of ``after`` and equal other columns, else -1.

    >>> one = pa.table({"doc_id": [b"a", b"b"], "path": ["x", "y"]})
    >>> positions(one, pa.table({"doc_id": [b"b", b"a"], "path": ["y", None]})).tolist()
    [-1, 0]
    """
    ids = before.column("doc_id").combine_chunks().cast(pa.binary())
    found = pc.index_in(after.column("doc_id").cast(pa.binary()), value_set=ids)
    at = np.asarray(pc.fill_null(found, -1)).astype(np.int64)
    there = np.flatnonzero(at >= 0)
    for name in after.column_names[1:]:
        now, was = after.column(name).take(pa.array(there)), before.column(name).take(pa.array(at[there]))
        at[there[~equal(now, was)]] = -1
        there = np.flatnonzero(at >= 0)
    return at


def equal(now: pa.ChunkedArray, was: pa.ChunkedArray) -> np.ndarray:
    """Whether values are equal, null to null: ``bool[n]``."""
    both = pc.and_(pc.is_null(now), pc.is_null(was))
    return np.asarray(pc.or_(both, pc.fill_null(pc.equal(now, was), False)))


def answers(keys: pa.RecordBatch, config: KeyConfig) -> pa.RecordBatch:
    """For each new row the smallest old row of an equal key, else (``moved``) of an equal text: `ANSWER`.

    ``keys`` are all rows of some contents, of both datasets, in any order; null equals null. Holds some 50 bytes a
    row besides the keys.
    """
    old = np.asarray(keys.column("old").cast(pa.int8())) == 1
    row = np.asarray(keys.column("row"))
    text = _codes(keys, ["content_hash"])
    whole = _smallest(_codes(keys, list(config.columns), text), old, row)
    source = np.where(whole < 0, _smallest(text, old, row), whole) if config.moved else whole
    asked = np.flatnonzero(~old & (source >= 0))
    columns = [pa.array(source[asked]), pa.array(row[asked]), pa.array(whole[asked] >= 0)]
    return pa.RecordBatch.from_arrays(columns, schema=ANSWER)


def _codes(batch: pa.RecordBatch, names: Sequence[str], codes: np.ndarray | None = None) -> np.ndarray:
    """Numbers from 0, ``int64[n]``, equal exactly where the rows are equal in the columns (and in ``codes``)."""
    result = np.zeros(batch.num_rows, np.int64) if codes is None else codes
    for name in names:
        found = np.asarray(batch.column(name).dictionary_encode(null_encoding="encode").indices, np.int64)
        _, result = np.unique(result * (found.max(initial=0) + 1) + found, return_inverse=True)
    return result


def _smallest(codes: np.ndarray, old: np.ndarray, row: np.ndarray) -> np.ndarray:
    """The smallest old row with the code of each row, -1 where there is none."""
    most = np.iinfo(np.int64).max
    smallest = np.full(codes.max(initial=-1) + 1, most)
    np.minimum.at(smallest, codes[old], row[old])
    found = smallest[codes]
    return np.where(found == most, -1, found)


def gather(engine: Engine, reuse: Reuse, parts: Sequence[int]) -> None:
    """Find what the old dataset knows of the new one's ``parts`` besides `Reuse.beside`, as one Beam job.

    On one machine up to `SMALL` files are looked for here: the keys of both sides that can match are held at once.
    """
    reuse.new.work.remove_tree()
    if engine.local:
        asked = in_threads(lambda part: next(reuse.keys((False, part))), parts)
        if sum(batch.num_rows for batch in asked) <= SMALL:
            gather_here(reuse, asked)
            return
    if parts:
        engine.run("reuse", partial(_wire, engine=engine, reuse=reuse, parts=parts))


def gather_here(reuse: Reuse, asked: Sequence[pa.RecordBatch]) -> None:
    """Find what the old dataset knows of some rows, part by part in threads."""
    keys = concat(asked, reuse.config.schema)
    if not keys.num_rows:
        return
    wanted = pc.unique(keys.column("content_hash").cast(pa.binary()))

    def matching(part: int) -> pa.RecordBatch:
        known = next(reuse.keys((True, part)))
        return known.filter(pc.is_in(known.column("content_hash").cast(pa.binary()), value_set=wanted))

    held = in_threads(matching, range(reuse.old_names.count))
    found = answers(concat([keys, *held], reuse.config.schema), reuse.config)
    by_old = Partitioned.cut(found, _by_part(found, column="source")).pieces
    fetched = [batch for pair in by_old for batch in reuse.fetch((pair[0], [pair[1]]))]
    known = concat(fetched, reuse.schema)
    for part, rows in Partitioned.cut(known, _by_part(known, column="row")).pieces:
        reuse.keep((part, [rows]))


def _wire(pipeline: beam.Pipeline, *, engine: Engine, reuse: Reuse, parts: Sequence[int]) -> None:
    work = engine.exchange(reuse.new.work.child("reuse").child("chunks"))
    old, new = reuse.old_names.count, reuse.new_names.count
    sides = [*((True, part) for part in range(old)), *((False, part) for part in parts)]
    units = pipeline | "Sides" >> engine.create(sides)
    keys = units | "Keys" >> beam.FlatMap(reuse.keys).with_output_types(pa.RecordBatch)
    by_content = keys | "ByContent" >> Exchange(
        partial(_by_content, partitions=max(old, new)), max(old, new), work
    )
    asked = by_content | "Pair" >> beam.FlatMap(reuse.pair).with_output_types(pa.RecordBatch)
    by_old = asked | "ByOldPart" >> Exchange(partial(_by_part, column="source"), old, work)
    known = by_old | "Fetch" >> beam.FlatMap(reuse.fetch).with_output_types(pa.RecordBatch)
    by_new = known | "ByNewPart" >> Exchange(partial(_by_part, column="row"), new, work)
    _ = by_new | "Keep" >> beam.Map(reuse.keep)


def _by_content(batch: pa.RecordBatch, *, partitions: int) -> np.ndarray:
    return (content_keys(batch.column("content_hash")) % np.uint64(partitions)).astype(np.int64)


def _by_part(batch: pa.RecordBatch, *, column: str) -> np.ndarray:
    return np.asarray(batch.column(column)) >> ROW_BITS
