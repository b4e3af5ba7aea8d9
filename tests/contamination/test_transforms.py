"""The Beam transform wires the kernel and keeps the rows' numbers."""

from __future__ import annotations

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that

from columns.testing import documents
from contamination import ContaminationConfig, evidence, load_suite
from contamination.transforms import Evidence


@pytest.mark.long
def test_evidence_in_a_pipeline_is_the_kernels():
    index = ContaminationConfig().index()
    programs = [task.solutions[0] for task in load_suite("humaneval").tasks[:6]]
    batch = documents(["x = 1", *programs])
    elements = [(0, batch.slice(0, 3)), (3, batch.slice(3)), (7, documents(["y = 2"]))]
    order = [(name, "ascending") for name in ("row", "rule", "representation", "task", "part")]
    whole = evidence(batch.column("content"), batch.column("language"), index)
    expected = pa.Table.from_batches([whole]).sort_by(order)

    def check(batches):
        assert len(batches) == 2
        assert pa.Table.from_batches(batches).sort_by(order).equals(expected)

    with beam.Pipeline(FnApiRunner()) as pipeline:
        assert_that(pipeline | beam.Create(elements) | Evidence(index), check)
