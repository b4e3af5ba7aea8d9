"""Fitting: which rearranged documents lie whole in a row; the others stay as they are (Code Llama, §2.3)."""

from __future__ import annotations

import numpy as np
from numba import njit

from shards.packing.config import PackConfig


def fitting(plain: np.ndarray, filled: np.ndarray, group: np.ndarray, config: PackConfig) -> np.ndarray:
    """Which documents are rearranged, ``bool[n]``, so that none that is will be cut by `shards.packing.pack`.

    ``plain`` and ``filled``: tokens of each document in both forms, 0 for no second form, ``int64[n]``; ``group``:
    which documents are packed as one, in order, ``int64[n]``. A rearranged document changes where the next ones begin,
    so they are decided in the order of the stream; what may go to the pool is cut again there and stays plain.

    >>> fitting(np.array([3, 3]), np.array([4, 4]), np.array([0, 1]), PackConfig(seq_len=6)).tolist()
    [True, False]
    """
    found: np.ndarray = _fitting(
        plain.astype(np.int64), filled.astype(np.int64), group, config.seq_len, config.method != "concat",
        config.pools,
    )  # fmt: skip
    return found


@njit(nogil=True, cache=True)
def _fitting(plain, filled, group, seq_len, restarts, pools):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    chosen = np.zeros(len(plain), np.bool_)
    begins = np.zeros(len(plain), np.int64)
    at = 0
    for row in range(len(plain)):
        if restarts and row and group[row] != group[row - 1]:
            at = 0
        begins[row] = at
        if filled[row] and at % seq_len + filled[row] <= seq_len:
            chosen[row] = True
            at += filled[row]
        else:
            at += plain[row]
    if pools:
        chosen &= begins < at // seq_len * seq_len
    return chosen
