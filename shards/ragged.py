"""Ragged: token ids of several texts, one behind the other, and what is done with them row by row."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit


class Ragged(NamedTuple):
    """Rows of unequal length: ``ids uint16|uint32[t]``, ``offsets int64[n + 1]`` from 0 to ``t``.

    >>> rows = Ragged(np.array([7, 8, 9]), np.array([0, 1, 3]))
    >>> rows.lengths.tolist(), rows.take(np.array([1, 0, 1])).ids.tolist()
    ([1, 2], [8, 9, 7, 8, 9])
    """

    ids: np.ndarray
    offsets: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """Ids of each row: ``int64[n]``."""
        found: np.ndarray = np.diff(self.offsets)
        return found

    def take(self, rows: np.ndarray) -> Ragged:
        """The given rows, in that order."""
        offsets = _offsets(self.lengths[rows])
        ids = np.empty(int(offsets[-1]), self.ids.dtype)
        _copy(self.ids, self.offsets, rows, offsets, ids)
        return Ragged(ids, offsets)

    def without_first(self, count: int) -> Ragged:
        """Every row without its first ``count`` ids; a shorter row becomes empty."""
        gone = np.minimum(self.lengths, count)
        place = np.arange(len(self.ids)) - np.repeat(self.offsets[:-1], self.lengths)
        return Ragged(self.ids[place >= count], self.offsets - np.append(0, np.cumsum(gone)))

    def then(self, other: Ragged) -> Ragged:
        """Row by row these ids, then the other's.

        >>> Ragged(np.array([1]), np.array([0, 1, 1])).then(Ragged(np.array([5, 6]), np.array([0, 1, 2]))).ids.tolist()
        [1, 5, 6]
        """
        places = np.repeat(other.offsets[:-1], self.lengths)
        return Ragged(np.insert(other.ids, places, self.ids), self.offsets + other.offsets)

    def above(self, other: Ragged) -> Ragged:
        """These rows, then the other's rows."""
        offsets = np.concatenate([self.offsets, other.offsets[1:] + self.offsets[-1]])
        return Ragged(np.concatenate([self.ids, other.ids]), offsets)


def rows_of(ids: np.ndarray, lengths: np.ndarray) -> Ragged:
    """Rows of the given lengths over ids that lie one behind the other."""
    return Ragged(ids, _offsets(lengths))


def _offsets(lengths: np.ndarray) -> np.ndarray:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])


@njit(nogil=True, cache=True)
def _copy(ids, starts, rows, offsets, found):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for at in range(len(rows)):
        row = rows[at]
        found[offsets[at] : offsets[at + 1]] = ids[starts[row] : starts[row + 1]]
