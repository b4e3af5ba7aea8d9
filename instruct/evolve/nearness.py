"""Nearness: which texts say nearly the same as an earlier one, by the Jaccard similarity of their shingles, exactly."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from math import ceil

import numpy as np
import pyarrow as pa

from columns.words import word_hashes

_MIX = np.uint64(0x9E3779B97F4A7C15)
_ROUNDING = 1e-6  # 0.56 * 25 is 14.000000000000002: the prefix must not be one short for it


def shingles(texts: Sequence[str], size: int) -> list[frozenset[int]]:
    """The sets of hashes of ``size`` words in a row, case ignored; of a shorter text, of all its words together.

    >>> [len(one) for one in shingles(["a b c", "A  B, c!", "a", ""], 2)]
    [2, 2, 1, 0]
    """
    words = word_hashes(pa.array([text.lower() for text in texts], pa.large_string()))
    starts = words.starts.tolist()
    return [_shingled(words.hashes[start:end], size) for start, end in zip(starts, starts[1:], strict=False)]


def _shingled(hashes: np.ndarray, size: int) -> frozenset[int]:
    if not len(hashes):
        return frozenset()
    width = min(size, len(hashes))
    mixed = np.zeros(len(hashes) - width + 1, np.uint64)
    for at in range(width):
        mixed = mixed * _MIX + hashes[at : len(hashes) - width + 1 + at]
    return frozenset(mixed.tolist())


def near_duplicates(sets: Sequence[frozenset[int]], threshold: float) -> list[int | None]:
    """For each set the index of the first kept one with at least this similarity, None where it is kept itself.

    Texts are kept greedily in their order, so none is removed for one that is removed itself. Exact: two sets of at
    least similarity t share one of the rarest ``n - ceil(t n) + 1`` elements of either (prefix filter: Chaudhuri et
    al., ICDE 2006), so only those are looked up. Costs memory for these elements. Empty sets are near nothing.

    >>> near_duplicates([frozenset({1, 2, 3}), frozenset({1, 2, 3, 4}), frozenset({9})], 0.7)
    [None, 0, None]
    """
    frequency = Counter(item for one in sets for item in one)
    kept: defaultdict[int, list[int]] = defaultdict(list)
    found: list[int | None] = []
    for index, one in enumerate(sets):
        rarest = sorted(one, key=lambda item: (frequency[item], item))
        prefix = rarest[: len(one) - ceil(threshold * len(one) - _ROUNDING) + 1]
        candidates = sorted({other for item in prefix for other in kept.get(item, ())})
        near = next((other for other in candidates if jaccard(one, sets[other]) >= threshold), None)
        found.append(near)
        for item in prefix if near is None else ():
            kept[item].append(index)
    return found


def jaccard(one: frozenset[int], other: frozenset[int]) -> float:
    """What two sets share, of all that either has; 0 for two empty ones.

    >>> jaccard(frozenset({1, 2}), frozenset({2, 3}))
    0.3333333333333333
    """
    shared = len(one & other)
    return shared / max(1, len(one) + len(other) - shared)
