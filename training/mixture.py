"""Mixture: which source the k-th sample of a stage comes from, by weights that are kept exactly.

Weights become whole numbers whose sum is the *cycle*. One cycle is dealt by Tijdeman's rule for the chairman
assignment problem (R. Tijdeman, "The chairman assignment problem", Discrete Mathematics 32, 1980): among the
sources that may be served, the one whose deadline is first. After every n samples each source has been
served ``floor(n w)`` or ``ceil(n w)`` times. Cycles repeat, so how often a source was served before sample n has a
closed form, and nothing has to be replayed to resume.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from math import gcd, lcm
from typing import ClassVar, Literal

import numpy as np
from numba import njit

LONGEST_CYCLE = 1_000_000
AtEnd = Literal["repeat", "stop"]


@dataclass(frozen=True)
class Stage:
    """A part of the stream with fixed weights: ``Stage({"code": 0.85, "prose": 0.15}, samples=1_000_000)``.

    ``weights`` by source name, any positive numbers of up to six digits after the point (a source that is not
    named gives nothing); ``samples``: how many the stage has, None for "as many as there are"; ``at_end``: what
    happens when a source has given every sample once: it is shuffled anew and repeated, or the stage stops before
    the first sample that is missing. A later stage goes on where each source stood.
    """

    weights: Mapping[str, float]
    samples: int | None = None
    at_end: AtEnd = "repeat"

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        if not self.weights or min(self.weights.values()) <= 0:
            raise ValueError(f"weights: expected positive numbers by source, got {dict(self.weights)}")
        if self.samples is not None and self.samples < 1:
            raise ValueError(f"samples: expected at least 1 or none, got {self.samples}")
        if self.at_end not in ("repeat", "stop"):
            raise ValueError(f"at_end: expected repeat or stop, got {self.at_end!r}")
        whole_weights(list(self.weights.values()))


def whole_weights(weights: Sequence[float]) -> list[int]:
    """The smallest whole numbers in the same ratio, as the weights are written in decimal.

    ValueError when their sum, the length of a cycle, is over 1,000,000.

    >>> whole_weights([0.85, 0.08, 0.07])
    [85, 8, 7]
    """
    exact = [Fraction(str(weight)) for weight in weights]
    scale = reduce(lcm, (weight.denominator for weight in exact), 1)
    whole = [int(weight * scale) for weight in exact]
    common = reduce(gcd, whole)
    found = [weight // common for weight in whole]
    if sum(found) > LONGEST_CYCLE:
        shown = ", ".join(map(str, weights))
        raise ValueError(f"weights: expected a cycle of at most {LONGEST_CYCLE} samples, got {shown}")
    return found


def epoch_stages(rows: Mapping[str, int], epochs: Mapping[str, float]) -> list[Stage]:
    """Stages that give each source ``round(epochs * rows)`` of its samples, evenly mixed.

    That is one stage, or two and more where its cycle would be too long: then the first one has all of the samples but
    for less than a millionth per source, and the others have these. ValueError for epochs of a source that
    is not there, epochs that are not positive, or no sample at all.

    >>> epoch_stages({"code": 100, "prose": 30}, {"code": 2, "prose": 0.5})
    [Stage(weights={'code': 40, 'prose': 3}, samples=215, at_end='repeat')]
    """
    if set(epochs) - set(rows) or not epochs or min(epochs.values()) <= 0:
        raise ValueError(
            f"epochs: expected positive numbers for sources of {sorted(rows)}, got {dict(epochs)}"
        )
    counts = {name: round(Fraction(str(number)) * rows[name]) for name, number in epochs.items()}
    stages = []
    while left := {name: count for name, count in counts.items() if count}:
        total = sum(left.values())
        times = 1 if total // gcd(*left.values()) <= LONGEST_CYCLE else -(-total // LONGEST_CYCLE)
        weights = {name: count // times for name, count in left.items() if count >= times}
        common = gcd(*weights.values())
        stages.append(Stage({n: w // common for n, w in weights.items()}, times * sum(weights.values())))
        counts = {name: count - times * weights.get(name, 0) for name, count in left.items()}
    if not stages:
        raise ValueError(f"epochs: expected at least one sample, got none of {dict(rows)}")
    return stages


def deal(weights: Sequence[int]) -> np.ndarray:
    """One cycle: the source of each of its samples, ``int32[sum(weights)]``; zero weights are never served.

    Cost: about 2 ns a sample and source, once per stage.

    >>> deal([3, 1]).tolist()
    [0, 0, 1, 0]
    """
    served = np.flatnonzero(np.asarray(weights) > 0)
    cycle: np.ndarray = _deal(np.asarray(weights, np.int64)[served])
    return served[cycle].astype(np.int32)


@njit(cache=True)
def _deal(weights):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Tijdeman's rule times ``(2k - 2) W``, so that it is exact in whole numbers."""
    count, cycle = len(weights), weights.sum()
    found = np.zeros(cycle, np.int64)
    slack = 2 * count - 2
    owed = np.zeros(count, np.int64)
    for at in range(cycle if count > 1 else 0):
        best, soonest = -1, 0.0
        for source in range(count):
            owed[source] += weights[source] * slack
            deadline = ((slack - 1) * cycle - owed[source]) / weights[source]
            if owed[source] >= cycle and (best < 0 or deadline < soonest):
                best, soonest = source, deadline
        owed[best] -= cycle * slack
        found[at] = best
    return found


@dataclass(frozen=True)
class Cycle:
    """A dealt cycle: ``sources int32[c]``, ``turns int32[c]`` (how often that source came before in the cycle)
    and ``weights int64[sources]``.
    """

    sources: np.ndarray
    turns: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, weights: Sequence[int]) -> Cycle:
        """Deal a cycle of whole weights, one per source of the mixture."""
        sources = deal(weights)
        turns = np.zeros(len(sources), np.int32)
        for source in np.flatnonzero(np.asarray(weights) > 0):
            mine = np.flatnonzero(sources == source)
            turns[mine] = np.arange(len(mine))
        return cls(sources, turns, np.asarray(weights, np.int64))

    def counts(self, samples: int) -> list[int]:
        """How many of the first ``samples`` samples come from each source, exactly.

        >>> Cycle.of([3, 1]).counts(10)
        [8, 2]
        """
        full, rest = divmod(samples, len(self.sources))
        partial = np.bincount(self.sources[:rest], minlength=len(self.weights))
        return [full * int(weight) + int(part) for weight, part in zip(self.weights, partial, strict=True)]

    def position(self, source: int, turn: int) -> int:
        """Which sample of the stage is the source's number ``turn`` (both from 0).

        >>> Cycle.of([3, 1]).position(source=1, turn=2)
        10
        """
        full, rest = divmod(turn, int(self.weights[source]))
        return full * len(self.sources) + int(np.flatnonzero(self.sources == source)[rest])
