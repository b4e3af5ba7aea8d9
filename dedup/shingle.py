"""Shingles: the 32-bit hashes of every run of ``ngram`` words of a file.

A shingle's hash is the polynomial of its word hashes modulo 2^64, rolled from one shingle to the next
in two multiplications (Karp & Rabin 1987), mixed by MurmurHash3's finaliser and cut to its upper 32
bits, the width MinHash works on. A file of fewer than ``ngram`` words has no shingles at all, so it can
never be similar to another one: tools that give such files one common signature join them all.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numba import njit

from columns.words import Words, word_hashes

_BASE = np.uint64(0x9FB21C651E98DF25)

_MIX1 = np.uint64(0xFF51AFD7ED558CCD)
_MIX2 = np.uint64(0xC4CEB9FE1A85EC53)
_32 = np.uint64(32)
_33 = np.uint64(33)


class Shingles(NamedTuple):
    """Shingle hashes of a batch: row ``i`` owns ``hashes[starts[i]:starts[i + 1]]``."""

    hashes: np.ndarray
    starts: np.ndarray


def shingles(content: pa.Array, *, ngram: int = 5, words: Words | None = None) -> Shingles:
    """Every shingle of every row, in order, repeats included: ``uint32[shingles]``, ``int64[n + 1]``.

    ``words`` are the word hashes of the same column where the caller has them already. Null content, and
    content of fewer than ``ngram`` words, has none. 4 bytes a shingle.

    >>> found = shingles(pa.array(["a b c", "b c", "b"], pa.large_string()), ngram=2)
    >>> found.starts.tolist(), bool(found.hashes[1] == found.hashes[2])
    ([0, 2, 3, 3], True)
    """
    found = word_hashes(content) if words is None else words
    starts = np.zeros(len(found.starts), np.int64)
    np.cumsum(np.maximum(np.diff(found.starts) - ngram + 1, 0), out=starts[1:])
    hashes = np.empty(int(starts[-1]), np.uint32)
    _shingle_rows(found.hashes, found.starts, starts, ngram, hashes)
    return Shingles(hashes, starts)


@njit(nogil=True, cache=True)
def _mix(rolled):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    rolled = (rolled ^ (rolled >> _33)) * _MIX1
    rolled = (rolled ^ (rolled >> _33)) * _MIX2
    return np.uint32(rolled >> _32)


@njit(nogil=True, cache=True)
def _shingle_rows(words, word_starts, starts, ngram, hashes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    oldest = np.uint64(1)  # BASE ** ngram: takes the oldest word out of the polynomial
    for _ in range(ngram):
        oldest *= _BASE
    for row in range(len(starts) - 1):
        out, stop = starts[row], starts[row + 1]
        if out == stop:
            continue
        rolled = np.uint64(0)
        new = word_starts[row]
        for _ in range(ngram):
            rolled = rolled * _BASE + words[new]
            new += 1
        hashes[out] = _mix(rolled)
        for at in range(out + 1, stop):
            rolled = rolled * _BASE + words[new] - words[new - ngram] * oldest
            hashes[at] = _mix(rolled)
            new += 1
