"""Templates: the SPDX licence texts as packaged sketches of word pairs (``templates.npz``).

Made by ``benchmarks/make_license_data.py`` from the npm package spdx-license-list 6.12.0: the OSI-approved texts, the
texts on the Blue Oak list, Creative Commons, GNU and a few more. A text at level L keeps the pairs whose hash ends in
L zero bits; level 0 keeps all.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numba import njit

_FILE = Path(__file__).with_name("templates.npz")


class Templates(NamedTuple):
    """Template ``t`` is ``ids[t]`` and owns ``pairs[starts[t]:starts[t + 1]]``, sorted.

    The same data turned around: pair ``universe[u]`` occurs in ``owners[owner_starts[u]:owner_starts[u + 1]]``.
    """

    ids: tuple[str, ...]
    levels: np.ndarray[Any, Any]
    starts: np.ndarray[Any, Any]
    pairs: np.ndarray[Any, Any]
    universe: np.ndarray[Any, Any]
    owner_starts: np.ndarray[Any, Any]
    owners: np.ndarray[Any, Any]

    def of(self, template: int) -> np.ndarray[Any, Any]:
        """The pairs of one template, ``uint32``, sorted."""
        return self.pairs[self.starts[template] : self.starts[template + 1]]


@cache
def templates() -> Templates:
    """Load the packaged templates, once per process (about 10 ms).

    >>> "MIT" in templates().ids, len(templates().ids) > 250
    (True, True)
    """
    with np.load(_FILE) as stored:
        counts = stored["counts"].astype(np.int64)
        planes = stored["gaps"].reshape(3, -1).astype(np.int64)
        ids = tuple(name.decode() for name in stored["ids"].tolist())
        levels = stored["levels"].astype(np.int64)
    starts = np.concatenate([[0], np.cumsum(counts)])
    gaps = planes[0] | planes[1] << 8 | planes[2] << 16
    total = np.cumsum(gaps)
    before = np.concatenate([[0], total])[starts[:-1]]
    pairs = (total - np.repeat(before, counts)).astype(np.uint32)
    universe, owner_starts, owners = _turned(pairs, counts)
    return Templates(ids, levels, starts, pairs, universe, owner_starts, owners)


def _turned(pairs: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    order = np.argsort(pairs, kind="stable")
    owners = np.repeat(np.arange(len(counts)), counts)[order]
    universe, first = np.unique(pairs[order], return_index=True)
    return universe, np.append(first, len(pairs)), owners


def shared_pairs(found: np.ndarray) -> np.ndarray[Any, Any]:
    """How many pairs each template shares with the sorted, distinct pairs of a text: ``int64[templates]``.

    >>> known = templates()
    >>> bool(shared_pairs(known.of(7))[7] == len(known.of(7)))
    True
    """
    known = templates()
    counts = np.zeros(len(known.ids), np.int64)
    _count_owners(found, known.universe, known.owner_starts, known.owners, counts)
    return counts


@njit(nogil=True, cache=True)
def _count_owners(found, universe, starts, owners, counts):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    at = 0
    for pair in found:
        while at < len(universe) and universe[at] < pair:
            at += 1
        if at < len(universe) and universe[at] == pair:
            for place in range(starts[at], starts[at + 1]):
                counts[owners[place]] += 1
