"""Runs: what a sort by key puts side by side."""

from __future__ import annotations

import numpy as np
from numba import njit

_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_ROOM = 8  # counters per key; more give fewer keys to sort and a larger table


def repeated(keys: np.ndarray) -> np.ndarray:
    """Positions whose key occurs at least twice, ``int64[m]``, in ascending order.

    ``keys`` is ``uint64[n]``. Most keys of a band table or of content hashes occur once, so a table of
    small counters first drops nearly all of them, and only the rest is sorted. 8 to 16 bytes a key.

    >>> repeated(np.array([7, 3, 7, 5], np.uint64)).tolist()
    [0, 2]
    """
    if len(keys) == 0:
        return np.zeros(0, np.int64)
    bits = (_ROOM * len(keys) - 1).bit_length()
    some = _crowded(keys, np.zeros(1 << bits, np.uint8), np.uint64(64 - bits))
    order = some[np.argsort(keys[some])]
    same = keys[order[1:]] == keys[order[:-1]]
    shared = np.zeros(len(order), np.bool_)
    shared[1:] = same
    shared[:-1] |= same
    return np.sort(order[shared])


def run_starts(*keys: np.ndarray) -> np.ndarray:
    """Where each run of equal (composite) keys begins, and the end: ``int64[runs + 1]``.

    >>> run_starts(np.array([1, 1, 2]), np.array([0, 0, 0])).tolist()
    [0, 2, 3]
    """
    count = len(keys[0])
    new = np.ones(count + 1, np.bool_)
    if count:
        new[1:-1] = np.logical_or.reduce([key[1:] != key[:-1] for key in keys])
    return np.flatnonzero(new) if count else np.zeros(1, np.int64)


@njit(nogil=True, cache=True)
def _crowded(keys, counters, shift):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Positions of keys that share a counter with another key: all that repeat, and a few others."""
    crowded = 0
    for key in keys:
        slot = (key * _FACTOR) >> shift
        counters[slot] = min(counters[slot] + 1, 2)
    found = np.empty(len(keys), np.int64)
    for at in range(len(keys)):
        found[crowded] = at
        crowded += counters[(keys[at] * _FACTOR) >> shift] == 2
    return found[:crowded].copy()
