"""pass@k: the chance that one of k samples passes, estimated without bias from n samples of which c pass.

Source: Codex, arXiv 2107.03374, section 2.1: ``1 - C(n-c, k) / C(n, k)``, written as a product so that no large number
comes up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_Z95 = 1.959963984540054


@dataclass(frozen=True)
class PassRate:
    """pass@k over tasks: the mean, and the ends of its 95 % interval over tasks (normal, cut to 0 and 1)."""

    k: int
    value: float
    low: float
    high: float
    tasks: int


def pass_at_k(n: int, c: int, k: int) -> float:
    """pass@k of one task. ``n`` samples, of which ``c`` pass; costs O(c). Raises `ValueError` unless 1 <= k <= n.

    >>> pass_at_k(200, 1, 100), pass_at_k(5, 5, 1)
    (0.5, 1.0)
    >>> pass_at_k(3, 1, 10)
    Traceback (most recent call last):
    ValueError: pass@10 of 3 samples: expected 1 <= k <= n
    """
    if not 0 <= c <= n:
        raise ValueError(f"{c} of {n} samples pass: expected 0 <= c <= n")
    if not 1 <= k <= n:
        raise ValueError(f"pass@{k} of {n} samples: expected 1 <= k <= n")
    if n - c < k:
        return 1.0
    return float(1.0 - np.prod(1.0 - k / np.arange(n - c + 1, n + 1)))


def pass_rate(counts: Sequence[tuple[int, int]], k: int) -> PassRate:
    """The mean of pass@k over tasks, each ``(samples, samples that pass)``. Raises `ValueError` as `pass_at_k` does.

    >>> pass_rate([(2, 1), (2, 2)], 1).value
    0.75
    """
    values = [pass_at_k(n, c, k) for n, c in counts]
    if not values:
        raise ValueError(f"pass@{k} of no tasks")
    mean = math.fsum(values) / len(values)
    spread = math.fsum((value - mean) ** 2 for value in values) / max(len(values) - 1, 1)
    reach = _Z95 * math.sqrt(spread / len(values))
    return PassRate(k, mean, max(mean - reach, 0.0), min(mean + reach, 1.0), len(values))
