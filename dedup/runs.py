"""Runs: what a sort by key puts side by side."""

from __future__ import annotations

import numpy as np


def repeated(keys: np.ndarray) -> np.ndarray:
    """Positions whose key occurs at least twice, ``int64[m]``, in ascending order.

    Most keys of a band table or of content hashes occur once; what follows sorts only the rest.

    >>> repeated(np.array([7, 3, 7, 5], np.uint64)).tolist()
    [0, 2]
    """
    order = np.argsort(keys)
    ranked = keys[order]
    same = ranked[1:] == ranked[:-1]
    shared = np.zeros(len(keys), np.bool_)
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
