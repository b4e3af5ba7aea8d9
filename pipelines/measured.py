"""Measured: what is measured of a part as one row-aligned batch, and the files of the facts folder it lies in.

Overlaps and spans, of which a file has any number, are lists in that batch, so rows can be taken, moved between
parts and put back in order with everything that is known of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from columns.batch import concat
from columns.files import Place
from columns.tables import read_arrow, read_whole, write_arrow, write_table
from contamination import EVIDENCE
from dedup.sets import SHINGLE_SET
from pipelines.dataset import Names
from privacy import SPANS

SIGNATURE, SETS = "signature", "sets"
_LISTED: Mapping[str, pa.Schema] = {"overlaps": EVIDENCE, "spans": SPANS}


@dataclass(frozen=True)
class Layout:
    """Which columns are measured: ``facts`` of a file, its ``signature``, and what only some recipes need.

    ``sets``: shingle sets for exact verification. ``lists``: tables of any number of rows per file, by name:
    ``overlaps`` with benchmarks, ``spans`` of secrets and personal data.
    """

    facts: pa.Schema
    signature: pa.DataType
    sets: bool
    lists: tuple[str, ...]

    @cached_property
    def schema(self) -> pa.Schema:
        """One row per file: the facts, the signature, the shingle set, then the lists."""
        sets = [pa.field(SETS, SHINGLE_SET)] if self.sets else []
        lists = [pa.field(name, _list_type(_LISTED[name])) for name in self.lists]
        return pa.schema([*self.facts, pa.field(SIGNATURE, self.signature), *sets, *lists])

    def none(self) -> pa.RecordBatch:
        """No rows, in the schema `schema`."""
        return concat([], self.schema)

    def read(self, place: Place, names: Names, part: int) -> pa.RecordBatch:
        """What a facts folder holds of a part, in the schema `schema`."""
        facts = read_whole(place, names.part(part), self.facts.names)
        columns = [facts.column(name).combine_chunks() for name in self.facts.names]
        columns.append(_read_column(place, names.signatures(part)))
        if self.sets:
            columns.append(_read_column(place, names.sets(part)))
        for kind in self.lists:
            found = read_whole(place, getattr(names, kind)(part))
            columns.append(nest(concat(found.to_batches(), _LISTED[kind]), facts.num_rows))
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def write(
        self, place: Place, names: Names, part: int, carried: pa.RecordBatch, rows: pa.RecordBatch
    ) -> dict[str, int]:
        """Write a part's files: ``carried`` columns before the facts. Returns their names and rows."""
        facts = [*carried.columns, *(rows.column(name) for name in self.facts.names)]
        schema = pa.schema([*carried.schema, *self.facts])
        written = {names.part(part): _table(place, names.part(part), facts, schema)}
        written[names.signatures(part)] = _column(
            place, names.signatures(part), SIGNATURE, settled(rows.column(SIGNATURE))
        )
        if self.sets:
            written[names.sets(part)] = _column(place, names.sets(part), SETS, rows.column(SETS))
        for kind in self.lists:
            name, found = getattr(names, kind)(part), unnest(rows.column(kind), _LISTED[kind])
            written[name] = write_table(place, name, [found], _LISTED[kind])
        return written


def nest(found: pa.RecordBatch, rows: int) -> pa.Array:
    """Records that name rows of a batch, ascending, as one list per row.

    >>> found = pa.RecordBatch.from_pydict({"row": [0, 2, 2], "kind": ["a", "b", "c"]})
    >>> [[record["kind"] for record in records] for records in nest(found, 3).to_pylist()]
    [['a'], [], ['b', 'c']]
    """
    offsets = np.searchsorted(np.asarray(found.column("row")), np.arange(rows + 1))
    records = found.drop_columns(["row"]).to_struct_array()
    return pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), records)


def unnest(lists: pa.Array, schema: pa.Schema) -> pa.RecordBatch:
    """`nest` undone: the records of all rows with the schema they had, whose first column is ``row``."""
    lengths = np.asarray(lists.value_lengths())
    rows = pa.array(np.repeat(np.arange(len(lists)), lengths), pa.int64())
    return pa.RecordBatch.from_arrays([rows, *lists.flatten().flatten()], schema=schema)


def settled(signature: pa.Array) -> pa.Array:
    """The same signatures with zeros where there is none, so that equal columns are equal bytes in a file."""
    width, present = signature.type.list_size, np.asarray(signature.is_valid())
    matrix = np.zeros((len(signature), width), np.uint32)
    matrix[present] = np.asarray(signature.flatten()).reshape(-1, width)
    return pa.FixedSizeListArray.from_arrays(pa.array(matrix.ravel()), width, mask=pa.array(~present))


def _list_type(schema: pa.Schema) -> pa.DataType:
    return pa.large_list(pa.struct([field for field in schema if field.name != "row"]))


def _read_column(place: Place, name: str) -> pa.Array:
    (batch,) = read_arrow(place, name)
    return batch.column(0)


def _table(place: Place, name: str, columns: list[pa.Array], schema: pa.Schema) -> int:
    return write_table(place, name, [pa.RecordBatch.from_arrays(columns, schema=schema)], schema)


def _column(place: Place, name: str, title: str, column: pa.Array) -> int:
    batch = pa.RecordBatch.from_arrays([column], names=[title])
    return write_arrow(place, name, [batch], batch.schema)
