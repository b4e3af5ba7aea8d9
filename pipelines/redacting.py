"""Redacting: the texts of a part as they go into shards, with what the ledger says must be gone replaced.

The ledger records every replaced span by place and kind (`REDACTIONS`), never what stood there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from columns.batch import concat
from columns.tables import read_table, read_whole
from pipelines.dataset import Dataset, Names
from privacy import KINDS, SPANS, PrivacyConfig, redact

REDACTIONS = SPANS
_EVERY_KIND = PrivacyConfig(kinds=tuple(KINDS), redact=tuple(KINDS))


def redactions(spans: pa.Table, kept: np.ndarray, kinds: Sequence[str]) -> pa.RecordBatch:
    """The spans that are replaced: those of kept files (``bool[rows of the part]``) of the given kinds."""
    chosen = pc.is_in(spans.column("kind"), pa.array(kinds, pa.string()))
    wanted = np.asarray(chosen) & kept[np.asarray(spans.column("row"))]
    return concat(spans.filter(pa.array(wanted)).to_batches(), REDACTIONS)


@dataclass(frozen=True)
class Texts:
    """Reads documents as they are trained on."""

    dataset: Dataset
    names: Names

    def __call__(self, part: int, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield the columns of a part (``content`` among them), with the ledger's redactions applied."""
        spans, row = self._spans(part), 0
        for batch in read_table(self.dataset.documents, self.names.part(part), list(columns)):
            yield batch if spans is None else _redacted(batch, spans, row)
            row += batch.num_rows

    def _spans(self, part: int) -> pa.Table | None:
        name = self.names.redactions(part)
        return read_whole(self.dataset.ledger, name) if self.dataset.ledger.exists(name) else None


def _redacted(batch: pa.RecordBatch, spans: pa.Table, first: int) -> pa.RecordBatch:
    rows = np.asarray(spans.column("row"))
    start, end = np.searchsorted(rows, [first, first + batch.num_rows])
    here = concat(spans.slice(start, end - start).to_batches(), REDACTIONS)
    shifted = here.set_column(0, REDACTIONS.field("row"), pc.subtract(here.column("row"), first))
    at = batch.schema.get_field_index("content")
    return batch.set_column(at, batch.schema.field(at), redact(batch.column(at), shifted, _EVERY_KIND))
