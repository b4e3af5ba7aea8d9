"""Removal: the documents of a version without the texts that somebody asked to be removed; nothing is read again.

A removed file keeps its row, without text, as `sources.optout` leaves it in a build: the documents are those that a
build of the same inputs with the longer opt-out list would write. Only parts that lose or gain a row are written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from columns.batch import concat
from columns.beam import Partitioned
from columns.document import DOCUMENT, text_buffers
from columns.tables import read_table, read_whole
from pipelines.dataset import Dataset, Names
from pipelines.engine import Engine, run_units
from pipelines.ingest import part_of, write_part
from pipelines.stage import COMMIT, Stage, UnitRecord, read_json
from pipelines.stored import in_threads
from sources import complete
from sources.optout import OPTED_OUT, OptedOut, emptied, opted_out

NAMED = ("doc_id", "repo", "path", "blob_id", "content_hash", "problem", "license")
ADDRESSED = pa.schema(
    [pa.field("part", pa.int32()), pa.field("row", pa.int64()), *map(DOCUMENT.field, NAMED)]
)
"""Matched files: where they lie, and what names them."""

_KEPT = ("inputs", "pinned", "skipped", "listed")


def matched(dataset: Dataset, wishes: tuple[OptedOut, ...]) -> pa.Table:
    """The files of a dataset that wishes name and that still have a text or could have: `ADDRESSED`, by part and row.

    Reads the columns that name a file, and no content.
    """
    names = Names(dataset.parts())
    found = in_threads(lambda part: _matched(dataset, names, part, wishes), range(names.count))
    return pa.Table.from_batches(found, ADDRESSED)


def _matched(dataset: Dataset, names: Names, part: int, wishes: tuple[OptedOut, ...]) -> pa.RecordBatch:
    table = read_whole(dataset.documents, names.part(part), NAMED)
    batch = concat(table.to_batches(), table.schema)
    left = np.asarray(pc.fill_null(pc.not_equal(batch.column("problem"), OPTED_OUT), True))
    rows = np.flatnonzero(opted_out(batch, wishes) & left)
    columns = [batch.column(name).take(pa.array(rows)) for name in NAMED]
    where = [pa.array(np.full(len(rows), part, np.int32)), pa.array(rows)]
    return pa.RecordBatch.from_arrays([*where, *columns], schema=ADDRESSED)


def texts_of_blobs(dataset: Dataset, blobs: Sequence[str]) -> tuple[str, ...]:
    """SHA-256 in hex of the texts that git blobs hold, sorted: where tables came without blob ids, copies have none.

    Reads the content of parts where a file has no blob id.
    """
    names = Names(dataset.parts())
    found = in_threads(partial(_texts, dataset, names, frozenset(blobs)), range(names.count))
    return tuple(sorted(set().union(*found)))


def _texts(dataset: Dataset, names: Names, blobs: frozenset[str], part: int) -> set[str]:
    place, name = dataset.documents, names.part(part)
    known = read_whole(place, name, ["blob_id", "content_hash"])
    here = pc.is_in(pc.utf8_lower(known.column("blob_id")), pa.array(sorted(blobs), pa.string()))
    hashes = {one.hex() for one in known.column("content_hash").filter(here).to_pylist() if one}
    if known.column("blob_id").null_count:
        for batch in read_table(place, name, ["content", "content_hash"]):
            ids = _blob_ids(batch.column("content"))
            pairs = zip(ids, batch.column("content_hash").to_pylist(), strict=True)
            hashes |= {digest.hex() for blob, digest in pairs if digest and blob in blobs}
    return hashes


def _blob_ids(content: pa.Array) -> list[str]:
    """The id that git gives each text, written as UTF-8."""
    data, offsets = text_buffers(content)
    view, bounds = data.data, offsets.tolist()
    return [
        hashlib.sha1(b"blob %d\0" % (end - start) + view[start:end].tobytes()).hexdigest()
        for start, end in zip(bounds, bounds[1:], strict=False)
    ]


@dataclass(frozen=True)
class RemoveFrom:
    """The work of one unit: a part without the texts of some of its rows, and with the emptied rows that come to it."""

    old: Dataset
    new: Dataset
    names: Names
    gone: tuple[tuple[int, np.ndarray], ...]
    come: tuple[tuple[int, pa.RecordBatch], ...]

    def __call__(self, part: int) -> UnitRecord:
        """Write one part."""
        table = read_whole(self.old.documents, self.names.part(part))
        left = np.ones(table.num_rows, np.bool_)
        left[dict(self.gone).get(part, np.zeros(0, np.int64))] = False
        batch = concat(table.filter(pa.array(left)).cast(DOCUMENT).to_batches(), DOCUMENT)
        incoming = dict(self.come).get(part)
        whole = batch if incoming is None else concat([batch, incoming], DOCUMENT)
        return write_part(self.new, self.names, part, whole)


def remove_documents(engine: Engine, old: Dataset, new: Dataset, stage: Stage, found: pa.Table) -> None:
    """Run the ingest stage of a version as its parent's documents without the texts of ``found`` (`matched`)."""
    pending, names = stage.begin(), Names(stage.units)
    commit = read_json(old.documents, COMMIT) or {}
    rows = np.asarray(found.column("row"))
    by_part = np.asarray(found.column("part"))
    gone = tuple((part, rows[by_part == part]) for part in np.unique(by_part).tolist())
    rows_without = _emptied(old, names, gone)
    come = Partitioned.cut(rows_without, part_of(rows_without, parts=names.count))
    touched = {part for part, _ in (*gone, *come.pieces)}
    for part in pending:
        if part not in touched:
            stage.inherit(part, old.documents, commit)
    work = RemoveFrom(old, new, names, gone, come.pieces)
    run_units(engine, stage, work, [part for part in pending if part in touched])
    stage.commit({name: commit[name] for name in _KEPT})


def _emptied(dataset: Dataset, names: Names, gone: Sequence[tuple[int, np.ndarray]]) -> pa.RecordBatch:
    """The rows without their texts, with the identity that a file without text has."""
    columns = [name for name in DOCUMENT.names if name != "content"]
    batches = []
    for part, rows in gone:
        table = read_whole(dataset.documents, names.part(part), columns).take(pa.array(rows))
        whole = table.append_column(DOCUMENT.field("content"), pa.nulls(len(rows), pa.large_string()))
        batches += whole.select(DOCUMENT.names).cast(DOCUMENT).combine_chunks().to_batches()
    batch = concat(batches, DOCUMENT)
    return complete(emptied(batch, np.ones(batch.num_rows, np.bool_)))
