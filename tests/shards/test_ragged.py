"""Ragged rows beside lists of lists."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shards.ragged import Ragged, rows_of

ROWS = st.lists(st.lists(st.integers(0, 9), max_size=4), max_size=6)


def ragged(rows: list[list[int]]) -> Ragged:
    ids = np.array([one for row in rows for one in row], np.uint16)
    return rows_of(ids, np.array([len(row) for row in rows], np.int64))


def lists(rows: Ragged) -> list[list[int]]:
    return [rows.ids[a:b].tolist() for a, b in zip(rows.offsets, rows.offsets[1:], strict=False)]


@given(ROWS, st.data())
def test_rows_are_taken(rows, data):
    index = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=9)) if rows else []
    assert lists(ragged(rows).take(np.array(index, np.int64))) == [rows[at] for at in index]


@given(ROWS, st.integers(0, 5))
def test_first_ids_are_left_out(rows, count):
    assert lists(ragged(rows).without_first(count)) == [row[count:] for row in rows]


@given(ROWS, st.data())
def test_rows_are_joined_side_by_side(rows, data):
    other = [data.draw(st.lists(st.integers(10, 19), max_size=3)) for _ in rows]
    assert lists(ragged(rows).then(ragged(other))) == [a + b for a, b in zip(rows, other, strict=True)]


@given(ROWS, ROWS)
def test_rows_are_put_under_others(rows, other):
    assert lists(ragged(rows).above(ragged(other))) == rows + other
