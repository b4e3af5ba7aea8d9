"""pass@k against exact fractions."""

from fractions import Fraction
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruct.evaluation import pass_at_k, pass_rate


def exact(n, c, k):
    """The definition: one minus the chance that all k of n drawn without return are among the wrong ones."""
    return 1 - Fraction(comb(n - c, k), comb(n, k))


@st.composite
def draws(draw, most=400):
    n = draw(st.integers(1, most))
    return n, draw(st.integers(0, n)), draw(st.integers(1, n))


@given(draws())
def test_pass_at_k_is_the_exact_fraction(draw):
    assert pass_at_k(*draw) == pytest.approx(float(exact(*draw)), abs=1e-12)


@given(draws(60))
def test_pass_at_k_never_falls_with_k_or_with_more_that_pass(draw):
    n, c, k = draw
    if k < n:
        assert pass_at_k(n, c, k) <= pass_at_k(n, c, k + 1) + 1e-12
    if c < n:
        assert pass_at_k(n, c, k) <= pass_at_k(n, c + 1, k) + 1e-12


def test_large_numbers_are_stable():
    assert pass_at_k(100_000, 1, 1) == pytest.approx(1e-5, rel=1e-9)
    assert pass_at_k(100_000, 50_000, 1000) == 1.0
    assert 0 < pass_at_k(10**6, 3, 100) < 1e-3


def test_pass_at_one_is_the_share_that_passes():
    assert pass_at_k(8, 2, 1) == pytest.approx(0.25)


@pytest.mark.parametrize(("n", "c", "k"), [(5, 0, 6), (5, 0, 0), (0, 0, 1)])
def test_more_than_was_drawn_is_refused(n, c, k):
    with pytest.raises(ValueError, match="expected 1 <= k <= n"):
        pass_at_k(n, c, k)


@pytest.mark.parametrize(("n", "c"), [(5, 6), (5, -1)])
def test_more_passes_than_samples_are_refused(n, c):
    with pytest.raises(ValueError, match="0 <= c <= n"):
        pass_at_k(n, c, 1)


@given(st.lists(draws(30).map(lambda draw: draw[:2]), min_size=1, max_size=20))
def test_a_rate_is_the_mean_and_lies_in_its_interval(counts):
    rate = pass_rate(counts, 1)
    assert rate.value == pytest.approx(float(sum(exact(n, c, 1) for n, c in counts) / len(counts)), abs=1e-12)
    assert 0 <= rate.low <= rate.value <= rate.high <= 1
    assert rate.tasks == len(counts)


def test_the_interval_by_hand():
    """A hundred tasks, half at 0 and half at 1: variance 100/99 * 1/4, its error a tenth of the root, times 1.96."""
    wide = pass_rate([(1, 0), (1, 0), (1, 1), (1, 1)], 1)
    assert (wide.low, wide.high) == (0.0, 1.0)
    rate = pass_rate([(1, 0), (1, 1)] * 50, 1)
    assert rate.high - rate.value == pytest.approx(1.959964 * (100 / 99 / 4) ** 0.5 / 10, rel=1e-5)


def test_no_tasks_have_no_rate():
    with pytest.raises(ValueError, match="no tasks"):
        pass_rate([], 1)


@given(draws(60))
def test_none_and_all_are_the_ends(draw):
    n, c, k = draw
    value = pass_at_k(n, c, k)
    assert 0 <= value <= 1
    assert (value == 0) == (c == 0)
    assert (value == 1) == (n - c < k)


@given(st.lists(draws(12).map(lambda draw: draw[:2]), min_size=2, max_size=8))
def test_the_order_of_tasks_does_not_matter(counts):
    one, other = pass_rate(counts, 1), pass_rate(counts[::-1], 1)
    assert (one.value, one.tasks, one.k) == (other.value, other.tasks, other.k)
    assert one.high - one.low == pytest.approx(other.high - other.low)


def test_one_task_has_an_interval_of_nothing():
    rate = pass_rate([(4, 1)], 2)
    assert rate.low == rate.value == rate.high == pytest.approx(0.5)


def test_a_task_with_too_few_samples_is_refused_not_left_out():
    with pytest.raises(ValueError, match="pass@2 of 1 samples"):
        pass_rate([(2, 1), (1, 1)], 2)
