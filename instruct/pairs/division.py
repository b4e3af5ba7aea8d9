"""Division: pairs that come in one file become training, validation and test.

CodeFusion's Bash test is the last 2,522 of NL2Bash's 12,607 lines: the ids of its published file are line numbers,
and exactly 747 of them are also in training, as counted there. NL2Bash's authors (Lin et al. 2018) divide 8,090 / 609
/ 606 such that no sentence and no command stands on two sides; which pairs they left out before is not in the data,
so `disjoint` keeps their rule and their shares.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from columns.hashing import unit_hash
from instruct.pairs.overlap import count_overlap
from instruct.pairs.pair import TEST, TRAIN, VALIDATION

Division = Literal["published", "disjoint", "none"]
PUBLISHED_TEST, PUBLISHED_PAIRS = 2522, 12607
DISJOINT = (8090, 609, 606)


def divide_last(count: int) -> list[str]:
    """Training, then test: the last 2,522 of 12,607 rows, and that share (rounded) of any other number.

    >>> divide_last(12607).count("test"), divide_last(10).count("test")
    (2522, 2)
    """
    test = round(count * PUBLISHED_TEST / PUBLISHED_PAIRS)
    return [TRAIN] * (count - test) + [TEST] * test


def divide_disjoint(sentences: Sequence[str | None], codes: Sequence[str | None], seed: int = 0) -> list[str]:
    """The side of each pair such that no sentence and no code stands on two sides; shares as NL2Bash's authors have.

    Pairs that share a sentence or a code, over others too, stay together; a group's side is chosen by a hash of its
    least text, so it depends on neither order nor the other groups. Shares are met on average, not exactly.

    >>> divide_disjoint(["a", "b", "b"], ["x", "x", "y"])[0] == divide_disjoint(["a"], ["x"])[0]
    True
    """
    groups = _groups(sentences, codes)
    least: dict[int, str] = {}
    for group, code in zip(groups, codes, strict=True):
        least[group] = min(least.get(group, code or ""), code or "")
    numbers = (
        unit_hash(f"pairs/disjoint/{seed}", [text.encode() for text in least.values()]).astype(np.float64)
        / 2.0**64
    )
    bounds = np.cumsum(DISJOINT[:2]) / sum(DISJOINT)
    sides = (TRAIN, VALIDATION, TEST)
    side = {
        group: sides[int(np.searchsorted(bounds, number, "right"))]
        for group, number in zip(least, numbers, strict=True)
    }
    return [side[group] for group in groups]


def _groups(*texts: Sequence[str | None]) -> list[int]:
    """The least row that each row hangs together with."""
    parent = list(range(len(texts[0])))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for column in texts:
        seen: dict[str | None, int] = {}
        for row, text in enumerate(column):
            one, other = root(row), root(seen.setdefault(text, row)) if text is not None else root(row)
            parent[max(one, other)] = min(one, other)
    return [root(row) for row in range(len(parent))]


def random_overlaps(codes: Sequence[str], test: int, seeds: Sequence[int]) -> Iterator[int]:
    """Test rows whose code training has, for a random division by hash per seed: what chance alone gives."""
    names = [str(row).encode() for row in range(len(codes))]
    for seed in seeds:
        order = np.argsort(unit_hash(f"pairs/random/{seed}", names), kind="stable")
        chosen = set(order[:test].tolist())
        train = [code for row, code in enumerate(codes) if row not in chosen]
        yield count_overlap(train, [codes[row] for row in sorted(chosen)]).shared
