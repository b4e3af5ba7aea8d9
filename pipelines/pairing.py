"""Pairing: which file of one dataset is which file of another one.

Files with the same document id are the same file with the same text. Only the others are joined by their
names: repository, path and ref, then repository and path alone. So runs over the same input are paired without
reading a name, and memory is about 60 bytes a file and 200 for each that has no twin of the same id.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from columns.files import Place
from dedup.runs import run_starts
from pipelines.stored import ROW_BITS, Stored, by_part, in_threads

JOINS = (("repo", "path", "ref"), ("repo", "path"))


class Side(NamedTuple):
    """One dataset's files in row order: document ids as ``uint64[n, 2]`` and where parts start."""

    stored: Stored
    starts: np.ndarray
    ids: np.ndarray

    @classmethod
    def open(cls, place: Place) -> Side:
        """Read the document ids of a dataset whose decisions are made."""
        stored = Stored.open(place)
        ids = in_threads(lambda part: _ids(stored.ledger(part, ["doc_id"]).column("doc_id")), stored.parts)
        return cls(stored, np.concatenate([[0], np.cumsum([len(one) for one in ids])]), np.concatenate(ids))

    def rows(self, positions: np.ndarray) -> np.ndarray:
        """Row ids of positions."""
        part = np.searchsorted(self.starts, positions, side="right") - 1
        return (part.astype(np.int64) << ROW_BITS) | (positions - self.starts[part])

    def ledger(self, positions: np.ndarray, columns: Sequence[str]) -> pa.Table:
        """Columns of the ledger at sorted positions."""
        parts = [
            self.stored.ledger(part, columns).take(pa.array(at)) for part, at in by_part(self.rows(positions))
        ]
        return pa.concat_tables(parts or [self.stored.ledger(0, columns).slice(0, 0)])

    def facts(self, positions: np.ndarray, columns: Sequence[str]) -> pa.Table:
        """Those of the columns that are facts, at sorted positions."""
        known = [name for name in columns if name in self.stored.schema.names]
        parts = [
            self.stored.facts(part, known).take(pa.array(at)) for part, at in by_part(self.rows(positions))
        ]
        return pa.concat_tables([self.stored.no_facts(known), *parts])


def _ids(column: pa.ChunkedArray) -> np.ndarray:
    array = column.combine_chunks()
    data = np.frombuffer(array.buffers()[1] or b"", np.uint64).reshape(-1, 2)
    return data[array.offset : array.offset + len(array)]


class Pairs(NamedTuple):
    """Twins: ``one[i]`` and ``other[i]`` are positions of the same file; ``changed`` where its text is another."""

    one: np.ndarray
    other: np.ndarray
    changed: np.ndarray


def pair_up(one: Side, other: Side) -> Pairs:
    """Pair the files of two datasets; those without a twin are in no pair."""
    found = [match(_columns(one.ids), _columns(other.ids))]
    changed = [np.zeros(len(found[0][0]), bool)]
    for columns in JOINS:
        left = [_left(len(side.ids), [pair[at] for pair in found]) for at, side in enumerate((one, other))]
        tables = [side.ledger(rows, columns) for side, rows in zip((one, other), left, strict=True)]
        here = [rows[at] for rows, at in zip(left, match(*_codes(tables)), strict=True)]
        found.append((here[0], here[1]))
        changed.append(_texts_differ((one, other), here))
    pairs = [np.concatenate([pair[at] for pair in found]) for at in (0, 1)]
    return Pairs(pairs[0], pairs[1], np.concatenate(changed))


def _columns(ids: np.ndarray) -> tuple[np.ndarray, ...]:
    return (ids[:, 0], ids[:, 1])


def _left(count: int, taken: Sequence[np.ndarray]) -> np.ndarray:
    free = np.ones(count, bool)
    for positions in taken:
        free[positions] = False
    return np.flatnonzero(free)


def _codes(tables: Sequence[pa.Table]) -> list[tuple[np.ndarray, ...]]:
    """Equal numbers for equal values, column by column, on both sides."""
    coded: list[list[np.ndarray]] = [[], []]
    for name in tables[0].column_names:
        both = pc.dictionary_encode(
            pa.chunked_array([c for table in tables for c in table.column(name).chunks], pa.string())
        )
        codes = [np.asarray(pc.fill_null(chunk.indices, -1)).astype(np.int64) for chunk in both.chunks]
        joined = np.concatenate([np.zeros(0, np.int64), *codes])
        coded[0].append(joined[: tables[0].num_rows])
        coded[1].append(joined[tables[0].num_rows :])
    return [tuple(side) for side in coded]


def _texts_differ(sides: Sequence[Side], positions: Sequence[np.ndarray]) -> np.ndarray:
    hashes = []
    for side, at in zip(sides, positions, strict=True):
        order = np.argsort(at)
        column = (
            side.facts(at[order], ["content_hash"]).column("content_hash").cast(pa.binary()).combine_chunks()
        )
        hashes.append(pc.fill_null(column, b"").take(pa.array(np.argsort(order))))
    return np.asarray(pc.not_equal(*hashes))


def match(one: tuple[np.ndarray, ...], other: tuple[np.ndarray, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Positions of equal keys on both sides; of repeated keys the first with the first, and so on.

    >>> left, right = match((np.array([5, 7, 5]),), (np.array([5, 9, 5, 5]),))
    >>> left.tolist(), right.tolist()
    ([0, 2], [0, 2])
    """
    count = len(one[0])
    keys = [np.concatenate(both) for both in zip(one, other, strict=True)]
    order = np.lexsort(keys)
    starts = run_starts(*(key[order] for key in keys))
    ours = np.concatenate([[0], np.cumsum(order < count)])
    first = np.repeat(starts[:-1], np.diff(starts))
    mine = np.repeat(ours[starts[1:]] - ours[starts[:-1]], np.diff(starts))
    turn = np.arange(len(order)) - first
    size = np.repeat(np.diff(starts), np.diff(starts))
    paired = (turn < mine) & (turn < size - mine)
    return order[paired], order[(first + mine + turn)[paired]] - count
