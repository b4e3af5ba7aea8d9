"""Order: keys, splits, samples and shard ranges are functions of identities alone."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shards.order import key_range, order_keys, sample, shard_count, shard_of, shard_ranges, split_of


def hashes(count: int, width: int = 32) -> pa.Array:
    return pa.array(
        [hashlib.sha256(b"%d" % index).digest()[:width] for index in range(count)], pa.binary(width)
    )


def test_keys_are_pinned():
    assert order_keys(pa.array([b"\0" * 16], pa.binary(16)), 0).tolist() == [GOLDEN_KEY]


GOLDEN_KEY = 14609866830394313479


def test_keys_depend_on_the_seed_and_the_id_only():
    ids = hashes(50, 16)
    keys = order_keys(ids, 1)
    assert keys.dtype == np.uint64
    assert len(set(keys.tolist())) == 50
    assert not np.array_equal(keys, order_keys(ids, 2))
    assert np.array_equal(keys[10:30], order_keys(ids.slice(10, 20), 1))


def test_split_is_about_the_fraction_asked_for():
    chosen = split_of(hashes(20_000), 0, 0.05)
    assert 0.044 < chosen.mean() < 0.056


@pytest.mark.parametrize(("fraction", "expected"), [(0.0, 0), (1.0, 100)])
def test_split_of_nothing_and_of_everything(fraction, expected):
    assert split_of(hashes(100), 0, fraction).sum() == expected


def test_copies_of_a_content_are_on_the_same_side():
    one = hashes(200)
    both = pa.concat_arrays([one, one])
    chosen = split_of(both, 3, 0.3)
    assert np.array_equal(chosen[:200], chosen[200:])


def test_a_larger_fraction_only_adds():
    few, many = split_of(hashes(500), 0, 0.1), split_of(hashes(500), 0, 0.3)
    assert (many | ~few).all()


def test_missing_content_is_for_training():
    assert not split_of(pa.array([None], pa.binary(32)), 0, 1.0).any()


@pytest.mark.parametrize("fraction", [-0.1, 1.1, float("nan")])
def test_impossible_fractions_are_refused(fraction):
    with pytest.raises(ValueError, match="validation_fraction"):
        split_of(hashes(1), 0, fraction)


@given(st.permutations(range(30)), st.integers(0, 3000))
def test_the_sample_does_not_depend_on_order(order, limit):
    ids, sizes = hashes(30), (np.arange(30, dtype=np.int64) * 37) % 101
    straight = {ids[i].as_py() for i in np.flatnonzero(sample(ids, sizes, limit, 0))}
    turned = ids.take(pa.array(order))
    again = {turned[i].as_py() for i in np.flatnonzero(sample(turned, sizes[list(order)], limit, 0))}
    assert straight == again


@given(st.lists(st.integers(0, 100), min_size=1, max_size=40), st.integers(0, 1000))
def test_the_sample_stays_within_the_limit_and_is_never_empty(sizes, limit):
    weights = np.array(sizes, np.int64)
    chosen = sample(hashes(len(sizes)), weights, limit, 1)
    assert chosen.any()
    assert weights[chosen].sum() <= limit or chosen.sum() == 1


def test_a_sample_of_nothing_is_empty():
    assert len(sample(hashes(0), np.zeros(0, np.int64), 10, 0)) == 0


@given(st.integers(1, 300), st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=50))
def test_shard_of_is_the_range_the_key_lies_in(count, keys):
    found = shard_of(np.array(keys, np.uint64), count)
    for key, shard in zip(keys, found.tolist(), strict=True):
        lo, hi = key_range(shard, count)
        assert lo <= key
        assert hi is None or key < hi
        assert shard == key * count >> 64


def test_ranges_begin_at_zero_and_rise():
    bounds = shard_ranges(7)
    assert bounds[0] == 0
    assert (bounds[1:] > bounds[:-1]).all()


def test_no_shards_are_refused():
    with pytest.raises(ValueError, match="at least 1 shard"):
        shard_ranges(0)


@pytest.mark.parametrize(("tokens", "expected"), [(0, 1), (1, 1), (10, 1), (11, 2), (25, 3)])
def test_shard_count(tokens, expected):
    assert shard_count(tokens, 10) == expected
