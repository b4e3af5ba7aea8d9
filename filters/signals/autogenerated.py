"""Markers of generated files: words such as "auto-generated" in the first lines of a text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numba import njit

from columns.document import text_buffers
from columns.text import line_break_bytes

_BREAK_BYTES = (10, 11, 12, 13, 28, 29, 30, 0xC2, 0xE2)


def marker_lines(content: pa.Array, words: Sequence[str], lines: int) -> np.ndarray:
    """The 1-based number of the first of ``lines`` lines with one of ``words`` in it, ``int32[n]``; 0 for none.

    Lines are those of `str.splitlines`; ``words`` are lower-case ASCII and match in either case. For a word
    without "k" that does not end in "i" this equals ``word in line.lower()``: U+212A (Kelvin, lower-case "k") and
    U+0130 (lower-case "i" and a combining dot) are the only other characters whose lower case has ASCII in it.
    Only the first lines are read, so the cost does not grow with the files.

    >>> text = pa.array(["#!/bin/sh\\n# AUTO-GENERATED, do not edit", "x = 1"], pa.large_string())
    >>> marker_lines(text, ["auto-generated"], 5).tolist()
    [2, 0]
    """
    data, offsets = text_buffers(content)
    words_data, words_offsets = text_buffers(pa.array(words, pa.large_string()))
    found = np.zeros(len(offsets) - 1, np.int32)
    _find(data, offsets, words_data, words_offsets, _stops(words), lines, found)
    return found


def _stops(words: Sequence[str]) -> np.ndarray:
    """Bytes at which a line may end or a word may begin, ``bool[256]``."""
    stops = np.zeros(256, np.bool_)
    stops[list(_BREAK_BYTES)] = True
    stops[[ord(case) for word in words for case in (word[0], word[0].upper())]] = True
    return stops


@njit(nogil=True, cache=True)
def _find(data, offsets, words, word_offsets, stops, lines, found):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for row in range(len(offsets) - 1):
        at, end = offsets[row], offsets[row + 1]
        line = 1
        while at < end and line <= lines:
            if not stops[data[at]]:
                at += 1
            elif _any_word(data, at, end, words, word_offsets):
                found[row] = line
                break
            else:
                length = line_break_bytes(data, at, end)
                line += length > 0
                at += max(length, 1)


@njit(nogil=True, cache=True)
def _any_word(data, at, end, words, word_offsets):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for word in range(len(word_offsets) - 1):
        start, length = word_offsets[word], word_offsets[word + 1] - word_offsets[word]
        if at + length > end:
            continue
        matched = 0
        while matched < length and _lower(data[at + matched]) == words[start + matched]:
            matched += 1
        if matched == length:
            return True
    return False


@njit(nogil=True, cache=True)
def _lower(byte):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    return byte + 32 if 65 <= byte <= 90 else byte
