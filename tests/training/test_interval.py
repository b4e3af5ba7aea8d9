from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.interval import t_interval, t_quantile, t_share

# Two-sided 95 % points of Student's distribution as every statistics textbook prints them.
PRINTED = {
    1: 12.706,
    2: 4.303,
    3: 3.182,
    4: 2.776,
    5: 2.571,
    9: 2.262,
    10: 2.228,
    20: 2.086,
    30: 2.042,
    120: 1.980,
}


@pytest.mark.parametrize(("freedom", "value"), PRINTED.items())
def test_quantiles_are_the_printed_ones(freedom, value):
    assert t_quantile(0.975, freedom) == pytest.approx(value, abs=6e-4)


def density(value: float, freedom: int) -> float:
    scale = math.gamma((freedom + 1) / 2) / math.gamma(freedom / 2) / math.sqrt(freedom * math.pi)
    return scale * (1 + value * value / freedom) ** (-(freedom + 1) / 2)


@pytest.mark.parametrize("freedom", range(1, 12))
@pytest.mark.parametrize("value", [0.0, 0.4, 1.0, 2.5, 6.0])
def test_shares_are_the_integral_of_the_density(freedom, value):
    steps = 2000
    width = value / steps
    weights = [1 if at in (0, steps) else 4 if at % 2 else 2 for at in range(steps + 1)]
    area = sum(weight * density(at * width, freedom) for at, weight in enumerate(weights)) * width / 3
    assert t_share(value, freedom) == pytest.approx(0.5 + area, abs=1e-9)


def test_one_value_has_no_interval():
    assert t_interval([2.5]) == (2.5, None, None)
    with pytest.raises(ValueError, match="values: expected at least one"):
        t_interval([])


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=8), st.floats(-50, 50))
def test_intervals_move_with_the_values(values, by):
    found, moved = t_interval(values), t_interval([value + by for value in values])
    assert found.low <= found.mean <= found.high
    for one, two in zip(found, moved, strict=True):
        assert two == pytest.approx(one + by, abs=1e-6)


def test_equal_values_leave_no_doubt():
    assert t_interval([1.5] * 4) == (1.5, 1.5, 1.5)
