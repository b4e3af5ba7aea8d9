"""Redacting: the texts of a part as they go into shards, with what the ledger says must be gone replaced or cut.

The ledger records every replaced span by place and kind (`REDACTIONS`), never what stood there; what is cut out of
kept files is in `pipelines.cuts`. Both are places in the text as it was read and are applied in one pass.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from columns.batch import concat
from columns.document import text_buffers
from columns.files import Place
from columns.tables import read_table, read_whole
from pipelines.cuts import CUTS
from pipelines.dataset import Dataset, Names
from privacy import KINDS, SPANS, PrivacyConfig, redact

REDACTIONS = SPANS
_EVERY_KIND = PrivacyConfig(kinds=tuple(KINDS), redact=tuple(KINDS))


def redactions(spans: pa.Table, kept: np.ndarray, kinds: Sequence[str]) -> pa.RecordBatch:
    """The spans that are replaced: those of kept files (``bool[rows of the part]``) of the given kinds."""
    chosen = pc.is_in(spans.column("kind"), pa.array(kinds, pa.string()))
    wanted = np.asarray(chosen) & kept[np.asarray(spans.column("row"))]
    return concat(spans.filter(pa.array(wanted)).to_batches(), REDACTIONS)


class Edit(NamedTuple):
    """One span of one text, in bytes, and what stands there instead."""

    start: int
    end: int
    text: bytes = b""


@dataclass(frozen=True)
class Texts:
    """Reads documents as they are trained on."""

    dataset: Dataset
    names: Names

    def __call__(self, part: int, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield the columns of a part (``content`` among them), with the ledger's redactions and the cuts applied."""
        spans, cuts = self._changes(part)
        row = 0
        for batch in read_table(self.dataset.documents, self.names.part(part), list(columns)):
            end = row + batch.num_rows
            yield _edited(batch, _between(spans, row, end), _between(cuts, row, end))
            row = end

    def some(self, part: int, columns: Sequence[str], rows: np.ndarray) -> Iterator[pa.RecordBatch]:
        """The same of some rows, ascending; row groups without any are not read."""
        spans, cuts = self._changes(part)
        with (
            self.dataset.documents.open(self.names.part(part)) as source,
            pq.ParquetFile(source) as parquet,
        ):
            row = 0
            for group in range(parquet.num_row_groups):
                end = row + parquet.metadata.row_group(group).num_rows
                wanted = rows[np.searchsorted(rows, row) : np.searchsorted(rows, end)] - row
                if len(wanted):
                    table = parquet.read_row_group(group, columns=list(columns), use_threads=False)
                    batch = concat(table.to_batches(), table.schema)
                    edited = _edited(batch, _between(spans, row, end), _between(cuts, row, end))
                    yield edited.take(pa.array(wanted))
                row = end

    def edits(self, part: int) -> Mapping[int, list[Edit]]:
        """What is done to each text of a part that is edited, by row."""
        return edits(*self._changes(part))

    def _changes(self, part: int) -> tuple[pa.RecordBatch, pa.RecordBatch]:
        spans = self._read(self.dataset.ledger, self.names.redactions(part), REDACTIONS)
        cuts = self._read(self.dataset.cuts, self.names.part(part), CUTS)
        return spans, cuts.filter(cuts.column("applied"))

    def _read(self, place: Place, name: str, schema: pa.Schema) -> pa.RecordBatch:
        return concat(read_whole(place, name).to_batches() if place.exists(name) else [], schema)


def _between(spans: pa.RecordBatch, first: int, end: int) -> pa.RecordBatch:
    """The spans of some rows, counted from the first of them."""
    start, stop = np.searchsorted(np.asarray(spans.column("row")), [first, end])
    here = spans.slice(start, stop - start)
    return here.set_column(0, here.schema.field("row"), pc.subtract(here.column("row"), first))


def _edited(batch: pa.RecordBatch, spans: pa.RecordBatch, cuts: pa.RecordBatch) -> pa.RecordBatch:
    if not spans.num_rows and not cuts.num_rows:
        return batch
    at = batch.schema.get_field_index("content")
    content = batch.column(at)
    edited = spliced(content, edits(spans, cuts)) if cuts.num_rows else redact(content, spans, _EVERY_KIND)
    return batch.set_column(at, batch.schema.field(at), edited)


def edits(spans: pa.RecordBatch, cuts: pa.RecordBatch) -> Mapping[int, list[Edit]]:
    """What is done to each text: its cuts, and its redactions where they are not cut out, sorted and apart.

    A redaction inside a cut vanishes with it; of one that sticks out of a cut, what is left is replaced.

    >>> spans = pa.RecordBatch.from_pydict({"row": [0, 0], "start": [1, 8], "end": [3, 12], "kind": ["email"] * 2})
    >>> cuts = pa.RecordBatch.from_pydict({"row": [0], "start": [0], "end": [9], "text": [""]})
    >>> edits(spans, cuts)[0]
    [Edit(start=0, end=9, text=b''), Edit(start=9, end=12, text=b'<EMAIL>')]
    """
    replaced = _by_row(spans, [KINDS[kind].placeholder.encode() for kind in spans.column("kind").to_pylist()])
    removed = _by_row(cuts, [text.encode() for text in cuts.column("text").to_pylist()])
    return {
        row: _merged(replaced.get(row, []), removed.get(row, [])) for row in sorted({*replaced, *removed})
    }


def _by_row(spans: pa.RecordBatch, texts: Sequence[bytes]) -> dict[int, list[Edit]]:
    columns = (spans.column(name).to_pylist() for name in ("row", "start", "end"))
    listed = sorted(zip(*columns, texts, strict=True))
    return {row: [Edit(*one[1:]) for one in group] for row, group in groupby(listed, key=lambda one: one[0])}


def _merged(replaced: Sequence[Edit], cuts: Sequence[Edit]) -> list[Edit]:
    """Both in order; a cut that a replacement holds, but does not equal, gives way to it. Linear in both."""
    starts, ends = [cut.start for cut in cuts], [cut.end for cut in cuts]
    left, trimmed = set(cuts), []
    for one in replaced:
        met = cuts[bisect_right(ends, one.start) : bisect_left(starts, one.end)]
        start, end = one.start, one.end
        for cut in met:
            if start <= cut.start and cut.end <= end and cut[:2] != one[:2]:
                left.discard(cut)
            elif cut.start <= start:
                start = min(cut.end, end)
            else:
                end = cut.start
        trimmed += [Edit(start, end, one.text)] if start < end else []
    return sorted([*left, *trimmed])


def spliced(content: pa.Array, changes: Mapping[int, Sequence[Edit]]) -> pa.Array:
    """The texts with their edits, which are apart and in order: ``large_string[n]``; nulls stay null.

    >>> spliced(pa.array(["abcd", None], pa.large_string()), {0: [Edit(1, 3, b"-")]}).to_pylist()
    ['a-d', None]
    """
    data, offsets = text_buffers(content)
    view, lengths, at = data.data, np.diff(offsets), 0
    pieces: list[bytes | memoryview] = []
    for row, listed in changes.items():
        first = int(offsets[row])
        pieces.append(view[offsets[at] : first])
        done = 0
        for edit in listed:
            pieces += view[first + done : first + edit.start], edit.text
            lengths[row] += len(edit.text) - (edit.end - edit.start)
            done = edit.end
        pieces.append(view[first + done : offsets[row + 1]])
        at = row + 1
    pieces.append(view[offsets[at] : offsets[-1]])
    ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(b"".join(pieces))]
    texts = pa.Array.from_buffers(pa.large_string(), len(content), buffers)
    return pc.if_else(content.is_valid(), texts, None) if content.null_count else texts
