"""Nodes: where functions, methods and classes stand in texts as they go into shards, in characters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from columns.document import text_buffers
from syntax import SyntaxConfig, definitions


@dataclass(frozen=True)
class FunctionNodes:
    """Finds the spans that infilling at the level of nodes chooses its middle from; parses each text once."""

    syntax: SyntaxConfig

    def __call__(self, rows: pa.RecordBatch) -> Sequence[Sequence[tuple[int, int]]]:
        """The spans of each row's definitions, in order; none where the text was not parsed."""
        data, offsets = text_buffers(rows.column("content"))
        found: list[list[tuple[int, int]]] = [[] for _ in range(rows.num_rows)]
        spans = definitions(rows, self.syntax)
        if not spans.num_rows:
            return found
        letters = np.append(0, np.cumsum((data & 0xC0) != 0x80, dtype=np.int64))
        at, first, last = (spans.column(name).to_numpy() for name in ("row", "start", "end"))
        before = letters[offsets[at]]
        start, end = letters[offsets[at] + first] - before, letters[offsets[at] + last] - before
        for row, *span in zip(at.tolist(), start.tolist(), end.tolist(), strict=True):
            found[row].append((span[0], span[1]))
        return found
