"""Bands: the pairs that share a bucket, whatever the order; over-full buckets led and reported."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup import (
    BAND,
    BUCKET,
    PAIR,
    BandConfig,
    MinHashConfig,
    band_of,
    band_table,
    bucket_pairs,
    candidate_probability,
    curve,
    partition_of,
    signatures,
)
from dedup.bands import MOST_BANDS

SMALL = BandConfig(bands=3, rows=2, bucket_cap=4, leaders=2)
TABLES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9), st.integers(0, 30)), max_size=40)
SKETCHES = st.lists(st.none() | st.lists(st.integers(0, 1), min_size=6, max_size=6), max_size=12)


def table_of(entries: list[tuple[int, int, int]]) -> pa.RecordBatch:
    columns = list(zip(*entries, strict=True)) if entries else [(), (), ()]
    return pa.RecordBatch.from_arrays(
        [pa.array(c, f.type) for c, f in zip(columns, BAND, strict=True)], schema=BAND
    )


def sketches_of(rows: list[list[int] | None]) -> pa.Array:
    return pa.array(rows, pa.list_(pa.uint32(), 6))


def listed(pairs: pa.RecordBatch) -> list[tuple[int, int]]:
    return list(zip(*pairs.to_pydict().values(), strict=True))


def pairs_slow(entries: list[tuple[int, int, int]], config: BandConfig) -> list[tuple[int, int]]:
    """Candidate pairs, written for reading."""
    buckets: dict[int, dict[int, int]] = {}
    for bucket, content, row in entries:
        members = buckets.setdefault(bucket, {})
        members[content] = min(row, members.get(content, row))
    found = set()
    for members in buckets.values():
        rows = [members[content] for content in sorted(members)]
        leading = rows if len(rows) <= config.bucket_cap else rows[: config.leaders]
        found |= {tuple(sorted(pair)) for pair in combinations(rows, 2) if set(pair) & set(leading)}
    return sorted(found)


def consistent(entries: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Give every row one content, as in real tables."""
    return [(bucket, row % 10, row) for bucket, _, row in entries]


@given(TABLES)
def test_pairs_equal_their_slow_twin(entries):
    entries = consistent(entries)
    assert listed(bucket_pairs(table_of(entries), SMALL)[0]) == pairs_slow(entries, SMALL)


@given(TABLES, st.randoms())
def test_the_order_of_entries_changes_nothing(entries, draw):
    entries = consistent(entries)
    shuffled = draw.sample(entries, len(entries))
    for left, right in zip(
        bucket_pairs(table_of(entries), SMALL), bucket_pairs(table_of(shuffled), SMALL), strict=True
    ):
        assert left.equals(right)


@given(SKETCHES)
def test_pairs_are_those_that_agree_in_a_whole_band(rows):
    keys = np.arange(len(rows), dtype=np.uint64)
    table = band_table(sketches_of(rows), np.arange(len(rows)), keys, BandConfig(bands=3, rows=2))
    expected = [
        (i, j)
        for (i, one), (j, other) in combinations(enumerate(rows), 2)
        if one and other and any(one[at : at + 2] == other[at : at + 2] for at in (0, 2, 4))
    ]
    assert listed(bucket_pairs(table, BandConfig(bands=3, rows=2))[0]) == expected


@given(SKETCHES, st.data())
def test_batch_law(rows, data):
    cut = data.draw(st.integers(0, len(rows)))
    sketches, ids, keys = sketches_of(rows), np.arange(len(rows)) << 32, np.arange(len(rows), dtype=np.uint64)
    pieces = [
        band_table(sketches.slice(0, cut), ids[:cut], keys[:cut], SMALL),
        band_table(sketches.slice(cut), ids[cut:], keys[cut:], SMALL),
    ]
    joined = pa.Table.from_batches(pieces, BAND)
    assert pa.Table.from_batches([band_table(sketches, ids, keys, SMALL)]).equals(joined)


@given(SKETCHES, st.integers(1, 5))
def test_partitions_together_give_the_pairs_of_the_whole(rows, partitions):
    table = band_table(sketches_of(rows), np.arange(len(rows)), np.arange(len(rows), dtype=np.uint64), SMALL)
    where = partition_of(np.asarray(table.column("hash")), partitions)
    parts = [bucket_pairs(table.filter(pa.array(where == part)), SMALL)[0] for part in range(partitions)]
    assert sorted({pair for part in parts for pair in listed(part)}) == listed(bucket_pairs(table, SMALL)[0])


def test_the_hash_says_its_band():
    rows = np.random.RandomState(0).randint(0, 2**32, (50, 256), dtype=np.uint32)
    sketches = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), 256)
    table = band_table(sketches, np.arange(50), np.arange(50, dtype=np.uint64), BandConfig())
    assert band_of(np.asarray(table.column("hash"))).tolist() == list(range(25)) * 50


def test_one_band_of_a_signature_never_meets_another_band():
    table = band_table(sketches_of([[7, 8, 7, 8, 7, 8]]), np.array([0]), np.zeros(1, np.uint64), SMALL)
    assert len(set(table.column("hash").to_pylist())) == 3


def test_partitions_are_even_for_counts_that_divide_the_bands():
    rows = np.random.RandomState(1).randint(0, 2**32, (400, 256), dtype=np.uint32)
    sketches = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), 256)
    table = band_table(sketches, np.arange(400), np.arange(400, dtype=np.uint64), BandConfig())
    for partitions in (2, 5, 25, 64):
        sizes = np.bincount(partition_of(np.asarray(table.column("hash")), partitions), minlength=partitions)
        assert sizes.min() > 0.6 * 10_000 / partitions
        assert sizes.max() < 1.5 * 10_000 / partitions


def test_short_files_share_no_bucket():
    """With one signature for all files without shingles they would be one cluster with one survivor."""
    found = signatures(pa.array(["print(x)", "import os", "", None] * 50, pa.large_string()))
    table = band_table(found, np.arange(200), np.zeros(200, np.uint64), BandConfig())
    assert table.num_rows == 0
    pairs, buckets = bucket_pairs(table, BandConfig())
    assert (pairs.num_rows, buckets.num_rows) == (0, 0)
    assert (pairs.schema, buckets.schema) == (PAIR, BUCKET)


def test_copies_of_a_content_are_one_member():
    entries = [(1, 5, row) for row in (9, 4, 7)] + [(1, 6, 8), (1, 6, 2)]
    assert listed(bucket_pairs(table_of(entries), SMALL)[0]) == [(2, 4)]


def test_thousands_of_copies_are_not_an_over_full_bucket():
    entries = [(1, 5, row) for row in range(3000)] + [(1, 6, 3000)]
    pairs, buckets = bucket_pairs(table_of(entries), BandConfig())
    assert listed(pairs) == [(0, 3000)]
    assert buckets.num_rows == 0


def test_a_full_bucket_gives_all_pairs_and_an_over_full_one_the_leaders():
    def bucket(members: int) -> list[tuple[int, int, int]]:
        return [(3 << 12, 100 - row, row) for row in range(members)]

    full, none = bucket_pairs(table_of(bucket(4)), SMALL)
    assert listed(full) == list(combinations(range(4), 2))
    assert none.num_rows == 0
    over, report = bucket_pairs(table_of(bucket(9)), SMALL)
    leaders = (8, 7)  # the smallest content keys
    assert listed(over) == sorted({tuple(sorted((i, j))) for i in leaders for j in range(9) if i != j})
    row = report.to_pylist()[0]
    assert (row["members"], row["compared"], row["sample"]) == (9, over.num_rows, [8, 7, 6, 5, 4, 3, 2, 1])
    assert row["hash"] == 3 << 12


def test_an_over_full_bucket_costs_linear_pairs():
    entries = [(1, row, row) for row in range(20_000)]
    pairs, report = bucket_pairs(table_of(entries), BandConfig())
    assert pairs.num_rows == report.column("compared")[0].as_py() == 4 * 20_000 - 10
    assert np.all(np.asarray(pairs.column("left")) < np.asarray(pairs.column("right")))


def test_a_pair_in_many_buckets_comes_once():
    entries = [(bucket, row, row << 32) for bucket in range(25) for row in (1, 2)]
    assert listed(bucket_pairs(table_of(entries), BandConfig())[0]) == [(1 << 32, 2 << 32)]


def test_near_copies_are_found_and_others_are_not():
    text = " ".join(f"token{i}" for i in range(400))
    other = " ".join(f"word{i}" for i in range(400))
    found = signatures(pa.array([text, text + " one more line here", other], pa.large_string()))
    table = band_table(found, np.arange(3), np.arange(3, dtype=np.uint64), BandConfig())
    assert listed(bucket_pairs(table, BandConfig())[0]) == [(0, 1)]


@pytest.mark.parametrize(
    ("bands", "rows", "expected"),
    [
        (13, 19, (0, 0.015, 0.172, 0.848)),
        (25, 10, (0.024, 0.511, 0.942, 1)),
        (14, 8, (0.053, 0.565, 0.924, 1)),
    ],
)
def test_probabilities_of_published_choices(bands, rows, expected):
    config = BandConfig(bands=bands, rows=rows)
    found = [candidate_probability(s, config) for s in (0.5, 0.7, 0.8, 0.9)]
    assert found == pytest.approx(expected, abs=6e-4)


def test_curve():
    found = curve(BandConfig(), points=11)
    assert [s for s, _ in found.points] == [step / 10 for step in range(11)]
    assert found.points[0] == (0.0, 0.0)
    assert found.points[-1] == (1.0, 1.0)
    assert candidate_probability(found.half, BandConfig()) == pytest.approx(0.5)
    assert (found.knee, found.recall) == pytest.approx((0.725, 0.511), abs=1e-3)


def test_the_curve_is_what_happens():
    config, draw = BandConfig(bands=8, rows=4), np.random.RandomState(3)
    left = draw.randint(0, 2**32, (2000, 32), dtype=np.uint32)
    right = np.where(draw.rand(2000, 32) < 0.6, left, draw.randint(0, 2**32, (2000, 32), dtype=np.uint32))
    tables = [
        band_table(
            pa.FixedSizeListArray.from_arrays(pa.array(side.ravel()), 32), ids, ids.astype(np.uint64), config
        )
        for side, ids in ((left, np.arange(2000)), (right, np.arange(2000, 4000)))
    ]
    joined = pa.Table.from_batches(tables).combine_chunks().to_batches()[0]
    assert bucket_pairs(joined, config)[0].num_rows / 2000 == pytest.approx(
        candidate_probability(0.6, config), abs=0.04
    )


def test_bands_that_do_not_fit_the_signature_are_refused():
    found = signatures(pa.array(["a b c d e"], pa.large_string()), MinHashConfig(num_perm=128))
    with pytest.raises(ValueError, match="at most num_perm = 128, got 250"):
        band_table(found, np.zeros(1, np.int64), np.zeros(1, np.uint64), BandConfig())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("bands", 0),
        ("bands", MOST_BANDS + 1),
        ("rows", 0),
        ("threshold", 1.5),
        ("bucket_cap", 0),
        ("leaders", 1001),
    ],
)
def test_impossible_values_are_named(name, value):
    with pytest.raises(ValueError, match=rf"{name}: expected .* got {value}"):
        BandConfig(**{name: value})


def test_an_unknown_verification_is_refused():
    with pytest.raises(ValueError, match="verify: expected signature or none, got jaccard"):
        BandConfig(verify="jaccard")


def test_without_verification_every_candidate_is_an_edge():
    assert (BandConfig().least, BandConfig(verify="none").least) == (0.7, 0.0)
