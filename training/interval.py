"""Intervals: what the mean of a few runs may be, by Student's t (1908)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

_CONFIDENCE = 0.95
_BISECTIONS = 200


class Interval(NamedTuple):
    """A mean and its 95 % confidence interval; ``low`` and ``high`` are None for a single value."""

    mean: float
    low: float | None
    high: float | None


def t_interval(values: Sequence[float]) -> Interval:
    """The mean of independent values with ``t(n - 1) s / sqrt(n)`` on either side. ValueError for none.

    >>> [round(value, 3) for value in t_interval([1.0, 2.0, 3.0])]
    [2.0, -0.484, 4.484]
    """
    if not values:
        raise ValueError("values: expected at least one, got none")
    count = len(values)
    mean = math.fsum(values) / count
    if count == 1:
        return Interval(mean, None, None)
    spread = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (count - 1))
    half = t_quantile((1 + _CONFIDENCE) / 2, count - 1) * spread / math.sqrt(count)
    return Interval(mean, mean - half, mean + half)


def t_quantile(share: float, freedom: int) -> float:
    """The value below which so large a share, at least a half, of Student's distribution lies.

    >>> round(t_quantile(0.975, 1), 3), round(t_quantile(0.975, 4), 3)
    (12.706, 2.776)
    """
    low, high = 0.0, 1e9
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if t_share(middle, freedom) < share else (low, middle)
    return (low + high) / 2


def t_share(value: float, freedom: int) -> float:
    """The share of Student's distribution below a value of at least 0, in closed form for whole degrees of freedom.

    Abramowitz and Stegun, Handbook of Mathematical Functions (1964), 26.7.3 and 26.7.4.
    """
    angle = math.atan2(value, math.sqrt(freedom))
    cosine, sine = math.cos(angle), math.sin(angle)
    odd = freedom % 2
    term = cosine if odd else 1.0
    total = term if freedom > 1 else 0.0
    for power in range(3 if odd else 2, freedom - 1, 2):
        term *= cosine * cosine * (power - 1) / power
        total += term
    between = 2 / math.pi * (angle + sine * total) if odd else sine * total
    return 0.5 + between / 2
