"""Rare characters: those that no Unicode version up to 15.1 assigns, over which engines disagree.

Each engine brings its own Unicode tables: gigatoken 0.10 knows 4,657 letters and digits of later versions that
tiktoken 0.14 does not, so a text with one of them is cut elsewhere. The frozen table of `columns.unicode_table` says
which characters all of them knew; a text with another one goes to the reference engine.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba import njit

from columns.unicode_table import ASSIGNED, character_classes


@cache
def rare_characters() -> np.ndarray:
    """Which code points are unassigned in Unicode 15.1: ``bool[0x110000]``.

    >>> bool(rare_characters()[ord("é")]), bool(rare_characters()[0x88F])
    (False, True)
    """
    return (character_classes() & ASSIGNED) == 0


def rows_with_rare(content: Any) -> np.ndarray:
    """Which texts hold a rare character: ``large_string[n] -> bool[n]``; about 1.5 GB/s on ASCII.

    >>> import pyarrow as pa
    >>> rows_with_rare(pa.array(["e", "é", "\\u088f"], pa.large_string())).tolist()
    [False, False, True]
    """
    offsets, data = buffers_of(content)
    found: np.ndarray = _rows_with(data, offsets, rare_characters())
    return found


def buffers_of(content: Any) -> tuple[np.ndarray, np.ndarray]:
    """Offsets ``int64[n + 1]`` and bytes ``uint8[…]`` of a ``large_string`` array, without a copy."""
    _, offsets, data = content.buffers()
    count, start = len(content), content.offset
    places = np.frombuffer(offsets, np.int64, count + 1, start * 8) if count else np.zeros(1, np.int64)
    return places, np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)


@njit(nogil=True, cache=True)
def _rows_with(data, offsets, marked):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """UTF-8 ``data`` cut by ``offsets``: which rows hold a marked code point; data is valid UTF-8."""
    found = np.zeros(len(offsets) - 1, np.bool_)
    for row in range(len(found)):
        at, end = offsets[row], offsets[row + 1]
        while at < end and not found[row]:
            lead = data[at]
            if lead < 0x80:
                at += 1
                continue
            size = 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
            code = np.int64(lead) & (0xFF >> (size + 1))
            for step in range(1, size):
                code = (code << 6) | (np.int64(data[at + step]) & 0x3F)
            found[row] = marked[code]
            at += size
    return found
