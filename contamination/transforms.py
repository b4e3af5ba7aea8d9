"""The facts as a Beam transform; the work is `contamination.overlap.overlaps`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import apache_beam as beam
import pyarrow as pa

from columns.beam import count
from contamination.index import Index
from contamination.overlap import overlaps


class _OverlapsFn(beam.DoFn):
    def __init__(self, index: Index) -> None:
        self._index = index

    def process(self, element: tuple[int, pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        base_row, documents = element
        facts = overlaps(documents.column("content"), self._index, base_row=base_row)
        count("contamination.rows_in", documents.num_rows)
        count("contamination.facts", facts.num_rows)
        if facts.num_rows:
            yield facts


@dataclass
class Overlaps(beam.PTransform):
    """Pairs of (row of the batch's first document in its part, documents) in, `OVERLAPS` batches out.

    Batches without any overlap give no element. The index travels with the step: about 0.5 MB.
    """

    index: Index

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Wire the step."""
        return batches | "Overlaps" >> beam.ParDo(_OverlapsFn(self.index)).with_output_types(pa.RecordBatch)
