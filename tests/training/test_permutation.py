from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.permutation import LARGEST, mix64, permute, permuted, subkey

GOLDEN = [931517, 933058, 627485, 92726, 993844, 691797, 560706, 473714]
KEYS = st.integers(0, 2**64 - 1)


@given(st.integers(1, 3000), KEYS)
@settings(deadline=None)
def test_every_number_comes_exactly_once(n, key):
    assert sorted(permuted(np.arange(n), n, key).tolist()) == list(range(n))


@pytest.mark.parametrize("n", [1, 2, 3, 127, 128, 129, 255, 256, 257, 65535, 65536, 65537, 100_003])
def test_sizes_around_powers_of_two(n):
    found = permuted(np.arange(n), n, 12345)
    assert np.bincount(found, minlength=n).tolist() == [1] * n


@given(st.integers(1, LARGEST), KEYS, st.data())
@settings(deadline=None)
def test_large_sizes_stay_in_range_and_differ(n, key, data):
    indices = np.unique(
        np.array(data.draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=50)), np.int64)
    )
    found = permuted(indices, n, key)
    assert 0 <= found.min() <= found.max() < n
    assert len(np.unique(found)) == len(indices)


def test_one_at_a_time_is_the_same_as_many_at_once():
    many = permuted(np.arange(1000), 1000, 9)
    assert many.tolist() == [int(permute(index, 1000, np.uint64(9))) for index in range(1000)]


def test_the_order_is_pinned():
    """A golden value: saved states depend on it. Raise `PERMUTATION` when it changes."""
    assert permuted(np.arange(8), 1_000_003, 42).tolist() == GOLDEN


def chi_square(observed: np.ndarray) -> float:
    expected = observed.sum() / observed.size
    return float(((observed - expected) ** 2).sum() / expected)


@pytest.mark.parametrize("n", [5, 8, 100])
def test_every_place_is_equally_likely_over_keys(n):
    keys = 4000
    counts = np.zeros((n, n))
    for key in range(keys):
        counts[np.arange(n), permuted(np.arange(n), n, int(subkey(np.uint64(7), key)))] += 1
    freedom = (n - 1) ** 2
    assert abs(chi_square(counts) - freedom) < 6 * np.sqrt(2 * freedom)


def test_all_orders_of_four_are_equally_likely():
    seen: dict[tuple[int, ...], int] = {}
    for key in range(24_000):
        found = tuple(permuted(np.arange(4), 4, key).tolist())
        seen[found] = seen.get(found, 0) + 1
    assert len(seen) == 24
    assert chi_square(np.array(list(seen.values()))) < 23 + 6 * np.sqrt(46)


@pytest.mark.parametrize("n", [1000, 100_000, 1 << 20])
def test_neighbours_part_and_numbers_spread(n):
    found = permuted(np.arange(n), n, 3)
    correlation = np.corrcoef(np.arange(n), found)[0, 1]
    assert abs(correlation) < 5 / np.sqrt(n)
    assert abs(np.corrcoef(found[:-1], found[1:])[0, 1]) < 5 / np.sqrt(n)
    first_tenth = np.bincount(found[: n // 10] * 10 // n, minlength=10)
    assert chi_square(first_tenth) < 9 + 6 * np.sqrt(18)
    assert int((found == np.arange(n)).sum()) < 12


def test_epochs_have_nothing_in_common():
    n = 10_000
    first, second = (permuted(np.arange(n), n, int(subkey(np.uint64(1), epoch))) for epoch in (0, 1))
    assert int((first == second).sum()) < 12
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.05


def test_mix_is_splitmix64():
    """The first output of SplitMix64 from seed 0 (Steele, Lea and Flood 2014, reference implementation)."""
    assert int(mix64(np.uint64(0x9E3779B97F4A7C15))) == 0xE220A8397B1DCDAF


@pytest.mark.parametrize(("indices", "n"), [([0], 0), ([5], 5), ([-1], 5), ([0], LARGEST + 1)])
def test_out_of_range_is_refused(indices, n):
    with pytest.raises(ValueError, match="expected"):
        permuted(np.array(indices), n, 0)


def test_no_numbers_are_fine():
    assert permuted(np.zeros(0, np.int64), 5, 0).tolist() == []
