"""Markers near the top of a text: words such as "auto-generated" in the first lines or the first characters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numba import njit

from columns.document import text_buffers
from columns.text import line_break_bytes

_BREAK_BYTES = (10, 11, 12, 13, 28, 29, 30, 0xC2, 0xE2)
_SAME_CASE = np.arange(256, dtype=np.uint8)
_LOWER = np.frombuffer(bytes(range(256)).lower(), np.uint8)


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
    stops = _first_bytes(words, _LOWER)
    stops[list(_BREAK_BYTES)] = True
    found = np.zeros(len(offsets) - 1, np.int32)
    _find_lines(data, offsets, words_data, words_offsets, stops, _LOWER, lines, found)
    return found


def marker_head(content: pa.Array, words: Sequence[str], chars: int) -> np.ndarray:
    """Whether one of ``words`` lies wholly within the first ``chars`` characters, ``bool[n]``.

    ``words`` match as in `marker_lines`: lower-case ASCII, in either case.

    >>> marker_head(pa.array(["# Do Not Edit", "# do not ediT"]), ["do not edit"], 12).tolist()
    [False, False]
    >>> marker_head(pa.array(["# Do Not Edit", None]), ["do not edit"], 13).tolist()
    [True, False]
    """
    return _head(content, words, chars, _LOWER)


def exact_head(content: pa.Array, words: Sequence[str], chars: int) -> np.ndarray:
    """`marker_head` with the case as it is written.

    >>> exact_head(pa.array(["<?xml ?>", "<?XML ?>"]), ["<?xml"], 100).tolist()
    [True, False]
    """
    return _head(content, words, chars, _SAME_CASE)


def _head(content: pa.Array, words: Sequence[str], chars: int, fold: np.ndarray) -> np.ndarray:
    data, offsets = text_buffers(content)
    words_data, words_offsets = text_buffers(pa.array(words, pa.large_string()))
    found = np.zeros(len(offsets) - 1, np.bool_)
    _find_head(data, offsets, words_data, words_offsets, _first_bytes(words, fold), fold, chars, found)
    return found


def _first_bytes(words: Sequence[str], fold: np.ndarray) -> np.ndarray:
    """Bytes with which a word may begin, ``bool[256]``."""
    return np.isin(fold, [ord(word[0]) for word in words])


@njit(nogil=True, cache=True)
def _find_lines(data, offsets, words, word_offsets, stops, fold, lines, found):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for row in range(len(offsets) - 1):
        at, end = offsets[row], offsets[row + 1]
        line = 1
        while at < end and line <= lines:
            if not stops[data[at]]:
                at += 1
            elif _any_word(data, at, end, words, word_offsets, fold):
                found[row] = line
                break
            else:
                length = line_break_bytes(data, at, end)
                line += length > 0
                at += max(length, 1)


@njit(nogil=True, cache=True)
def _find_head(data, offsets, words, word_offsets, stops, fold, chars, found):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for row in range(len(offsets) - 1):
        at = offsets[row]
        end = _after_chars(data, at, offsets[row + 1], chars)
        while at < end and not found[row]:
            found[row] = stops[data[at]] and _any_word(data, at, end, words, word_offsets, fold)
            at += 1


@njit(nogil=True, cache=True)
def _after_chars(data, at, end, chars):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Where the first ``chars`` characters from ``at`` end."""
    left = chars
    while at < end:
        if data[at] & 0xC0 != 0x80:
            if left == 0:
                return at
            left -= 1
        at += 1
    return end


@njit(nogil=True, cache=True)
def _any_word(data, at, end, words, word_offsets, fold):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for word in range(len(word_offsets) - 1):
        start, length = word_offsets[word], word_offsets[word + 1] - word_offsets[word]
        if at + length > end:
            continue
        matched = 0
        while matched < length and fold[data[at + matched]] == words[start + matched]:
            matched += 1
        if matched == length:
            return True
    return False
