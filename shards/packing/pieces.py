"""Pieces: which tokens of which document go where in which row."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Pieces(NamedTuple):
    """Pieces in the order of rows, in a row in the order of places: five ``int64[p]``, and how many rows there are.

    Piece ``i`` is the tokens ``offset[i]`` to ``offset[i] + length[i]`` of document ``document[i]``, whose last token
    is its end of text; it lies in row ``row[i]`` from place ``start[i]`` on.
    """

    document: np.ndarray
    offset: np.ndarray
    length: np.ndarray
    row: np.ndarray
    start: np.ndarray
    rows: int

    @property
    def tokens(self) -> int:
        """Tokens in all pieces."""
        return int(self.length.sum())

    def filled(self) -> np.ndarray:
        """Tokens of each row: ``int64[rows]``."""
        return np.bincount(self.row, self.length, self.rows).astype(np.int64)

    def split_documents(self) -> int:
        """Documents in more than one piece."""
        return int(np.count_nonzero(np.bincount(self.document) > 1)) if len(self.document) else 0

    def part(self, first: int, last: int) -> Pieces:
        """The pieces of the rows from ``first`` to before ``last``, rows numbered from 0."""
        low, high = np.searchsorted(self.row, (first, last)).tolist()
        document, offset, length, row, start = (column[low:high] for column in self[:5])
        return Pieces(document, offset, length, row - first, start, max(0, last - first))

    def moved_right(self, seq_len: int) -> Pieces:
        """The same rows with their padding on the left."""
        room = seq_len - self.filled()
        return self._replace(start=self.start + room[self.row])


def refined(pieces: Pieces, lengths: np.ndarray, ended: np.ndarray) -> Pieces:
    """Pieces of documents that were packed together, cut where one of them begins.

    ``pieces`` are of runs of documents up to an ``ended`` one; ``lengths int64[n]``: tokens of each document. One of no
    tokens has no piece.

    >>> whole = Pieces(*(np.array([at]) for at in (0, 1, 4, 0, 2)), 1)
    >>> found = refined(whole, np.array([2, 3]), np.array([False, True]))
    >>> found.document.tolist(), found.offset.tolist(), found.length.tolist(), found.start.tolist()
    ([0, 1], [1, 0], [1, 3], [2, 3])
    """
    starts = np.cumsum(lengths) - lengths
    first = np.flatnonzero(np.append(True, ended[:-1])) if len(ended) else np.empty(0, np.int64)
    begin = starts[first[pieces.document]] + pieces.offset
    low = np.searchsorted(starts, begin, side="right") - 1
    counts = np.searchsorted(starts, begin + pieces.length) - low
    owner = np.repeat(np.arange(len(low)), counts)
    document = low[owner] + np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    at = np.maximum(begin[owner], starts[document])
    length = np.minimum((begin + pieces.length)[owner], starts[document] + lengths[document]) - at
    some, start = length > 0, pieces.start[owner] + at - begin[owner]
    columns = (document, at - starts[document], length, pieces.row[owner], start)
    document, offset, length, row, start = (column[some] for column in columns)
    return Pieces(document, offset, length, row, start, pieces.rows)


def cut(lengths: np.ndarray, seq_len: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut each document every ``seq_len`` tokens: ``(document, offset, length)``, three ``int64[p]`` in order.

    >>> [found.tolist() for found in cut(np.array([5, 2]), 2)]
    [[0, 0, 0, 1], [0, 2, 4, 0], [2, 2, 1, 2]]
    """
    counts = -(-lengths // seq_len)
    document = np.repeat(np.arange(len(lengths)), counts)
    first = np.cumsum(counts) - counts
    offset = (np.arange(len(document)) - first[document]) * seq_len
    return document, offset, np.minimum(seq_len, lengths[document] - offset)
