"""The decision: which files are contaminated, from overlap facts and the recipe's thresholds alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contamination.config import ContaminationConfig


class Contaminated(NamedTuple):
    """``mask`` ``bool[rows]``, and ``tasks`` ``list<string>[rows]``: a clean file's list is empty."""

    mask: np.ndarray
    tasks: pa.ListArray


def contaminated(overlaps: pa.RecordBatch | pa.Table, rows: int, config: ContaminationConfig) -> Contaminated:
    """Files whose overlap with some task reaches the thresholds, and those tasks in order of the facts.

    ``overlaps`` are `OVERLAPS` rows in any row order, ``row`` counting from 0 to ``rows - 1``. Raises
    ValueError when they name a row that is not there.

    >>> from contamination import OVERLAPS
    >>> contaminated(OVERLAPS.empty_table(), 2, ContaminationConfig()).tasks.to_pylist()
    [[], []]
    """
    row = _numbers(overlaps, "row")
    if len(row) and not 0 <= row.min() <= row.max() < rows:
        raise ValueError(f"overlaps: expected rows 0 to {rows - 1}, got {row.min()} to {row.max()}")
    order = np.flatnonzero(_over(overlaps, config))
    order = order[np.argsort(row[order], kind="stable")]
    counts = np.bincount(row[order], minlength=rows)
    ends = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    return Contaminated(counts > 0, pa.ListArray.from_arrays(pa.array(ends), _names(overlaps, order)))


def _over(overlaps: pa.RecordBatch | pa.Table, config: ContaminationConfig) -> np.ndarray:
    text = _reaches(overlaps, "solution", config.min_coverage, config.min_matched)
    return text | _reaches(overlaps, "tests", config.min_tests_coverage, config.min_matched)


def _reaches(overlaps: pa.RecordBatch | pa.Table, part: str, coverage: float, matched: int) -> np.ndarray:
    found, total = _numbers(overlaps, part), _numbers(overlaps, f"{part}_total")
    return (found >= matched) & (found / np.maximum(total, 1) >= coverage)


def _names(overlaps: pa.RecordBatch | pa.Table, order: np.ndarray) -> pa.Array:
    chosen = overlaps.select(["suite", "task"]).take(pa.array(order))
    names = pc.binary_join_element_wise(chosen.column("suite"), chosen.column("task"), "/")
    return names.combine_chunks() if isinstance(names, pa.ChunkedArray) else names


def _numbers(overlaps: pa.RecordBatch | pa.Table, name: str) -> np.ndarray:
    return np.asarray(overlaps.column(name))
