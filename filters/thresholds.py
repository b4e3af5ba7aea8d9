"""Thresholds per language and extension: CSV tables in ``tables/``, looked up for all files at once.

A table has the columns ``language`` and ``extension`` and one column of numbers per rule. An empty cell means
that the rule does not apply to such files.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache, cached_property
from importlib.resources import files
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_TABLES = files("filters") / "tables"
_KEYS = ("language", "extension")

Key = tuple[str | None, str | None]


@cache
def table_columns() -> tuple[str, ...]:
    """Every packaged column of thresholds as ``table.column``, sorted.

    >>> table_columns()[0]
    'starcoder.alnum_min'
    """
    found = []
    for entry in _TABLES.iterdir():
        if entry.name.endswith(".csv"):
            header = entry.read_text(encoding="utf-8").partition("\n")[0].strip().split(",")
            found += [f"{entry.name.removesuffix('.csv')}.{name}" for name in header if name not in _KEYS]
    return tuple(sorted(found))


@cache
def load_column(name: str) -> Mapping[Key, float]:
    """One column of a table, ``table.column``: (language, extension) to its number, NaN for an empty cell.

    >>> load_column("starcoder.line_max")["glsl", "fsh"]
    500.0
    """
    table, _, column = name.partition(".")
    lines = (_TABLES / f"{table}.csv").read_text(encoding="utf-8").splitlines()
    rows = csv.DictReader(lines)
    return {(row["language"], row["extension"]): float(row[column] or "nan") for row in rows}


class FactReader:
    """The columns of a batch or table of facts, each joined and encoded at most once."""

    def __init__(self, facts: pa.RecordBatch | pa.Table) -> None:
        self._facts = facts
        self.rows: int = facts.num_rows

    def column(self, name: str) -> pa.Array:
        """A column in one piece."""
        found = self._facts.column(name)
        return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found

    @cached_property
    def languages(self) -> tuple[np.ndarray[Any, Any], list[str | None]]:
        """Per row an index into the list of languages; null is one of them."""
        return _encode(self.column("language"))

    @cached_property
    def keys(self) -> tuple[np.ndarray[Any, Any], list[Key]]:
        """Per row an index into the list of (language, extension) pairs that occur."""
        (outer, languages), (inner, extensions) = self.languages, _encode(self.column("extension"))
        codes, rows = np.unique(outer * len(extensions) + inner, return_inverse=True)
        pairs = (divmod(int(code), len(extensions)) for code in codes)
        return rows, [(languages[one], extensions[other]) for one, other in pairs]

    def spoken(self, names: tuple[str, ...]) -> np.ndarray:
        """Whether each row's language is among the names, ``bool[n]``; null is in no list."""
        codes, languages = self.languages
        return np.array([name in names for name in languages], np.bool_)[codes]

    def thresholds(self, table: str, default: float | None) -> np.ndarray:
        """Each row's number in a table, ``float64[n]``: NaN for an empty cell, ``default`` for no row."""
        cells, absent = load_column(table), float("nan") if default is None else float(default)
        rows, pairs = self.keys
        return np.array([cells.get(pair, absent) for pair in pairs], np.float64)[rows]


def _encode(column: pa.Array) -> tuple[np.ndarray, list[str | None]]:
    found = column.dictionary_encode()
    names: list[str | None] = [*found.dictionary.to_pylist(), None]
    codes = pc.fill_null(found.indices.cast(pa.int64()), len(names) - 1)
    return codes.to_numpy(zero_copy_only=False), names
