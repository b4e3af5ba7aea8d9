"""Reading: a unit's complete document batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pyarrow as pa

from columns.batch import BATCH_BYTES
from sources.completion import complete
from sources.config import IngestConfig
from sources.optout import left_out
from sources.text.notebooks import Magics, as_code
from sources.unit import Skipped, Unit


def read_unit(
    unit: Unit, config: IngestConfig, *, batch_bytes: int = BATCH_BYTES, skipped: Skipped | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield a unit's documents as `DOCUMENT` batches of about ``batch_bytes`` of text.

    Every row is complete (`sources.completion.complete`). Content never raises: what cannot be read is a
    row with a ``problem``. Rows of a table in languages that are not selected are counted in ``skipped``.
    What somebody asked to be left out (``config.opt_out``) keeps its row, without its text.
    ``batch_bytes`` changes where batches are cut and nothing else.
    """
    counts: Skipped = Counter() if skipped is None else skipped
    for read in unit.read(config, batch_bytes, counts):
        batch = _with_code(read, config, counts)
        if batch.num_rows:
            yield complete(left_out(batch, config.opt_out))


def _with_code(batch: pa.RecordBatch, config: IngestConfig, skipped: Skipped) -> pa.RecordBatch:
    if config.notebooks == "json":
        return batch
    magics: Magics = "comment" if config.notebooks == "commented" else "keep"
    return as_code(batch, magics, config.languages, skipped)
