"""Best-fit decreasing: few documents are cut, and little room is left.

Documents longer than a row are cut into whole rows and a remainder; the remainders and the shorter documents go, the
largest first, each to the fullest row that still has room for it (Ding et al., arXiv 2404.10830, "Best-fit
Packing"). Of rows with equal room the one that has had it longest is taken. Which rows have room is kept in a bitmap,
one bit per number of tokens left, in three levels of 64-bit words, so finding the fullest takes a few instructions
whatever ``seq_len`` is: n documents cost O(n) after sorting.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from shards.packing.pieces import Pieces, cut


def best_fit(lengths: np.ndarray, seq_len: int) -> Pieces:
    """Pieces of documents in the rows of best-fit decreasing; rows come in the order of their first document.

    >>> found = best_fit(np.array([3, 4, 1, 2]), 4)
    >>> found.row.tolist(), found.document.tolist(), found.rows
    ([0, 0, 1, 2], [0, 2, 1, 3], 3)
    """
    document, offset, length = cut(lengths, seq_len)
    order = np.argsort(-length, kind="stable")
    row = np.empty(len(length), np.int64)
    row[order] = bins(length[order], seq_len)
    return _in_order(document, offset, length, row)


def bins(sizes: np.ndarray, room: int) -> np.ndarray:
    """The bin of each item under best fit, in the order given: ``int64[n]``; every size is 1 to ``room``.

    >>> bins(np.array([3, 3, 2, 1, 1]), 4).tolist()
    [0, 1, 2, 0, 1]
    """
    if not len(sizes):
        return np.empty(0, np.int64)
    if int(sizes.min()) < 1 or int(sizes.max()) > room:
        raise ValueError(f"sizes: expected 1 to {room}, got {int(sizes.min())} to {int(sizes.max())}")
    found: np.ndarray = _bins(sizes.astype(np.int64), room)
    return found


def _in_order(document: np.ndarray, offset: np.ndarray, length: np.ndarray, row: np.ndarray) -> Pieces:
    """Rows numbered by the first piece in them, pieces by row, and in a row in the order of the stream."""
    rows = int(row.max()) + 1 if len(row) else 0
    first = np.full(rows, len(row), np.int64)
    np.minimum.at(first, row, np.arange(len(row)))
    number = np.empty(rows, np.int64)
    number[np.argsort(first, kind="stable")] = np.arange(rows)
    order = np.argsort(number[row], kind="stable")
    row, length = number[row][order], length[order]
    before = np.cumsum(length) - length
    start = before - before[np.searchsorted(row, np.arange(rows))][row]
    return Pieces(document[order], offset[order], length, row, start, rows)


@njit(nogil=True, cache=True)
def _lowest(word):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Number of the lowest set bit of a word that has one."""
    at = 0
    for step in (32, 16, 8, 4, 2, 1):
        mask = (np.uint64(1) << np.uint64(step)) - np.uint64(1)
        if not word & mask:
            word >>= np.uint64(step)
            at += step
    return at


@njit(nogil=True, cache=True)
def _next(level, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """The first set bit of a level from ``at`` on in the same or a later word; -1 for none."""
    word = at >> 6
    if word >= len(level):
        return -1
    found = level[word] >> np.uint64(at & 63)
    return at + _lowest(found) if found else -1


@njit(nogil=True, cache=True)
def _fullest(low, middle, high, size):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """The least room that is at least ``size``; -1 for none."""
    found = _next(low, size)
    if found >= 0:
        return found
    word = _next(middle, (size >> 6) + 1)
    if word < 0:
        block = ((size >> 6) + 1 >> 6) + 1
        while block < len(middle) and not high[block >> 6] >> np.uint64(block & 63) & np.uint64(1):
            block += 1
        if block >= len(middle):
            return -1
        word = (block << 6) + _lowest(middle[block])
    return (word << 6) + _lowest(low[word])


@njit(nogil=True, cache=True)
def _set(low, middle, high, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    one = np.uint64(1)
    low[at >> 6] |= one << np.uint64(at & 63)
    middle[at >> 12] |= one << np.uint64(at >> 6 & 63)
    high[at >> 18] |= one << np.uint64(at >> 12 & 63)


@njit(nogil=True, cache=True)
def _clear(low, middle, high, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    one = np.uint64(1)
    low[at >> 6] &= ~(one << np.uint64(at & 63))
    if not low[at >> 6]:
        middle[at >> 12] &= ~(one << np.uint64(at >> 6 & 63))
        if not middle[at >> 12]:
            high[at >> 18] &= ~(one << np.uint64(at >> 12 & 63))


@njit(nogil=True, cache=True)
def _bins(sizes, room):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Best fit; rows of equal room are a queue from ``head`` to ``last``, threaded through ``after``."""
    words = (room >> 6) + 1
    low = np.zeros(words, np.uint64)
    middle = np.zeros((words >> 6) + 1, np.uint64)
    high = np.zeros((words >> 12) + 1, np.uint64)
    head, last = np.full(room + 1, -1, np.int64), np.empty(room + 1, np.int64)
    after = np.full(len(sizes), -1, np.int64)
    found = np.empty(len(sizes), np.int64)
    made = 0
    for number in range(len(sizes)):
        size = sizes[number]
        left = _fullest(low, middle, high, size)
        if left < 0:
            chosen, left = made, room
            made += 1
        else:
            chosen = head[left]
            head[left], after[chosen] = after[chosen], -1
            if head[left] < 0:
                _clear(low, middle, high, left)
        found[number] = chosen
        left -= size
        if left:
            if head[left] < 0:
                head[left] = chosen
                _set(low, middle, high, left)
            else:
                after[last[left]] = chosen
            last[left] = chosen
    return found
