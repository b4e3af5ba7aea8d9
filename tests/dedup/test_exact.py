"""Exact duplicates: groups of equal hashes, whatever the order, nulls never."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from columns.hashing import content_hashes
from dedup import EXACT, content_keys, exact_groups

PREFIXES = [b"a" * 8, b"b" * 8, b"\0" * 8]
HASHES = st.builds(
    lambda prefix, at, byte: prefix + bytes(at) + bytes([byte]) + bytes(23 - at),
    st.sampled_from(PREFIXES), st.sampled_from([0, 7, 8, 16, 23]), st.integers(0, 1),
)  # fmt: skip
COLUMNS = st.lists(st.none() | HASHES, max_size=25)


def column(hashes: list[bytes | None]) -> pa.Array:
    return pa.array(hashes, pa.binary(32))


def groups_slow(hashes: list[bytes | None], rows: list[int]) -> list[tuple[int, int]]:
    groups: dict[bytes, list[int]] = {}
    for digest, row in zip(hashes, rows, strict=True):
        if digest is not None:
            groups.setdefault(digest, []).append(row)
    return sorted((row, min(group)) for group in groups.values() if len(group) > 1 for row in group)


def listed(groups: pa.RecordBatch) -> list[tuple[int, int]]:
    return list(zip(*groups.to_pydict().values(), strict=True))


@given(COLUMNS, st.randoms())
def test_equals_its_slow_twin_in_any_order(hashes, draw):
    rows = draw.sample(range(1000), len(hashes))
    assert listed(exact_groups(column(hashes), np.array(rows, np.int64))) == groups_slow(hashes, rows)


@given(COLUMNS, st.data())
def test_slices(hashes, data):
    start = data.draw(st.integers(0, len(hashes)))
    rows = list(range(len(hashes)))
    found = exact_groups(column(hashes).slice(start), pa.array(rows[start:], pa.int64()))
    assert listed(found) == groups_slow(hashes[start:], rows[start:])


def test_row_ids_of_many_parts():
    rows = np.array([3 << 32, 1 << 32 | 5, 1 << 32 | 4])
    assert listed(exact_groups(column([b"x" * 32] * 3), rows)) == [
        (row, rows[2]) for row in sorted(rows.tolist())
    ]


def test_no_rows_and_no_hashes():
    for hashes in ([], [None], [None, None], [b"x" * 32]):
        found = exact_groups(column(hashes), np.arange(len(hashes)))
        assert found.num_rows == 0
        assert found.schema == EXACT


def test_empty_files_are_equal_and_files_that_could_not_be_read_are_not():
    hashes = content_hashes(pa.array(["", None, "", None], pa.large_string()))
    assert listed(exact_groups(hashes, np.arange(4))) == [(0, 0), (2, 0)]


@given(COLUMNS)
def test_content_keys_are_the_first_bytes(hashes):
    expected = [0 if digest is None else int.from_bytes(digest[:8], "little") for digest in hashes]
    assert content_keys(column(hashes)).tolist() == expected
