"""Runs: four patterns of encoded data, found as Python's `re` finds them, one hand-written scanner each.

No pattern needs backtracking here: what follows a unit decides alone whether the next one can begin there, so a
failed run never hides another one and every scanner goes over a text once. Text is UTF-8; lengths are in characters.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numba import njit

from columns.document import text_buffers
from columns.text import code_point
from columns.unicode_table import ALNUM, SPACE, character_classes

_HEX_BYTES = b"0123456789abcdefABCDEF"
_BASE64_BYTES = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=\n"
_HEX = np.isin(np.arange(256), list(_HEX_BYTES))
_BASE64 = np.isin(np.arange(256), list(_BASE64_BYTES))
_ENDS = ~np.isin(np.arange(256), list(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"))
_BASE64_LEAST = 64
_UNITS_LEAST = 8
_ESCAPE = 6  # characters of \\uXXXX
_ESCAPE_STEP = _ESCAPE * (_UNITS_LEAST - 1)
_ZERO, _COMMA, _BACKSLASH, _LOWER_U, _LOWER_X, _UPPER_X, _UNDER = (ord(c) for c in "0,\\uxX_")


class Runs(NamedTuple):
    """Matches of one pattern, row by row: the longest one and all of them, ``int64[n]`` characters each."""

    longest: np.ndarray
    chars: np.ndarray


def base64_runs(content: pa.Array) -> Runs:
    """Matches of ``[a-zA-Z0-9+/\\n=]{64,}``: words and lines of letters and digits count as well.

    >>> base64_runs(pa.array(["a" * 64 + " " + "b" * 65, "a" * 63])).longest.tolist()
    [65, 0]
    """
    data, offsets = text_buffers(content)
    runs = _no_runs(offsets)
    _find_base64(data, offsets, runs.longest, runs.chars)
    return runs


def unicode_escape_runs(content: pa.Array) -> Runs:
    """Matches of ``(?:\\\\u[0-9a-fA-F]{4}){8,}``.

    >>> unicode_escape_runs(pa.array([r"\\u0041" * 9])).chars.tolist()
    [54]
    """
    data, offsets = text_buffers(content)
    runs = _no_runs(offsets)
    _find_escapes(data, offsets, runs.longest, runs.chars)
    return runs


def hexdata_runs(content: pa.Array) -> Runs:
    """Matches of ``(?:\\b(?:0x|\\\\x)?[0-9a-fA-F]{2}(?:,|\\b\\s*)){8,}``; white space at the end belongs to them.

    >>> hexdata_runs(pa.array(["{" + "0x1f," * 8 + "}", "00 " * 8 + "x"])).chars.tolist()
    [40, 24]
    """
    data, offsets = text_buffers(content)
    runs = _no_runs(offsets)
    _find_hexdata(data, offsets, character_classes(), runs.longest, runs.chars)
    return runs


def hex_words(content: pa.Array) -> Runs:
    """Matches of ``\\b0[xX][0-9a-fA-F]+\\b``.

    >>> hex_words(pa.array(["0xFF + 0x1g + a0x1"])).chars.tolist()
    [4]
    """
    data, offsets = text_buffers(content)
    runs = _no_runs(offsets)
    _find_hex_words(data, offsets, character_classes(), runs.longest, runs.chars)
    return runs


def _no_runs(offsets: np.ndarray) -> Runs:
    return Runs(np.zeros(len(offsets) - 1, np.int64), np.zeros(len(offsets) - 1, np.int64))


@njit(nogil=True, cache=True)
def _find_base64(data, offsets, longest, chars):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Look at every 64th byte only: a run of 64 cannot lie between two bytes that are not in it."""
    for row in range(len(offsets) - 1):
        at, end = offsets[row], offsets[row + 1]
        while at + _BASE64_LEAST <= end:
            stop = at + _BASE64_LEAST
            start = stop
            while start > at and _BASE64[data[start - 1]]:
                start -= 1
            if start > at:
                at = start
                continue
            while stop < end and _BASE64[data[stop]]:
                stop += 1
            longest[row] = max(longest[row], stop - at)
            chars[row] += stop - at
            at = stop


@njit(nogil=True, cache=True)
def _find_escapes(data, offsets, longest, chars):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Look at six bytes of every 42 only: a match has a unit that begins there."""
    for row in range(len(offsets) - 1):
        first, end = offsets[row], offsets[row + 1]
        at = first
        while at < end:
            found = _escape_near(data, at, end)
            if found < 0:
                at += _ESCAPE_STEP
                continue
            start, stop = found, found + _ESCAPE
            while start - _ESCAPE >= first and _is_escape(data, start - _ESCAPE, end):
                start -= _ESCAPE
            while _is_escape(data, stop, end):
                stop += _ESCAPE
            if stop - start >= _UNITS_LEAST * _ESCAPE:
                longest[row] = max(longest[row], stop - start)
                chars[row] += stop - start
            at = first = stop


@njit(nogil=True, cache=True)
def _escape_near(data, at, end):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for place in range(at, min(at + _ESCAPE, end)):
        if data[place] == _BACKSLASH and _is_escape(data, place, end):
            return place
    return -1


@njit(nogil=True, cache=True)
def _is_escape(data, at, end):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    if at + _ESCAPE > end or data[at] != _BACKSLASH or data[at + 1] != _LOWER_U:
        return False
    pairs = _HEX[data[at + 2]] and _HEX[data[at + 3]]
    return pairs and _HEX[data[at + 4]] and _HEX[data[at + 5]]


@njit(nogil=True, cache=True)
def _find_hexdata(data, offsets, classes, longest, chars):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Look for two digits at the end of a word, which every unit has, then for the run that they begin."""
    for row in range(len(offsets) - 1):
        first, end = offsets[row], offsets[row + 1]
        at = _next_pair(data, first, end)
        while at < end:
            start = at - 2 if at - 2 >= first and data[at - 1] == _LOWER_X else at
            stop, units, inner = start, 0, 0
            unit = _hex_unit(data, stop, first, end, classes)
            while unit > stop:
                stop, wide = _after_space(data, unit, end, classes)
                units, inner = units + 1, inner + wide
                unit = _hex_unit(data, stop, first, end, classes)
            if units >= _UNITS_LEAST:
                longest[row] = max(longest[row], stop - start - inner)
                chars[row] += stop - start - inner
            at = _next_pair(data, max(stop, at + 1), end)


@njit(nogil=True, cache=True)
def _next_pair(data, at, end):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Where the next two hexadecimal digits with no ASCII word character behind them lie, or ``end``."""
    while at + 2 < end:
        if _HEX[data[at]] & _HEX[data[at + 1]] & _ENDS[data[at + 2]]:
            return at
        at += 1
    last = at + 2 == end and _HEX[data[at]] and _HEX[data[at + 1]]
    return at if last else end


@njit(nogil=True, cache=True)
def _hex_unit(data, at, first, end, classes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Where the unit at ``at`` ends, a comma included but no white space; ``at`` when there is none."""
    if at + 2 > end:
        return at
    digits = at
    if data[at] == _BACKSLASH or (data[at] == _ZERO and data[at + 1] == _LOWER_X):
        digits = at + 2
    if digits + 2 > end or not (_HEX[data[digits]] and _HEX[data[digits + 1]]):
        return at
    if data[at] == _BACKSLASH and data[at + 1] != _LOWER_X:
        return at
    if _word_before(data, at, first, classes) == (data[at] != _BACKSLASH):
        return at
    after = digits + 2
    if after < end and data[after] == _COMMA:
        return after + 1
    return at if _word_at(data, after, end, classes) else after


@njit(nogil=True, cache=True)
def _after_space(data, at, end, classes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Past the white space behind a unit (none behind a comma), and how many of its bytes are inside characters."""
    wide = 0
    if data[at - 1] == _COMMA:
        return at, wide
    while at < end:
        code = code_point(data, at, end)
        if not classes[code] & SPACE:
            break
        width = 1 + (code >= 0x80) + (code >= 0x800)
        wide += width - 1
        at += width
    return at, wide


@njit(nogil=True, cache=True)
def _word_at(data, at, end, classes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Whether ``\\w`` matches the character at ``at``."""
    if at >= end:
        return False
    code = code_point(data, at, end)
    return classes[code] & ALNUM != 0 or code == _UNDER


@njit(nogil=True, cache=True)
def _word_before(data, at, first, classes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Whether ``\\w`` matches the character before ``at``."""
    if at == first:
        return False
    place = at - 1
    while place > first and data[place] & 0xC0 == 0x80:
        place -= 1
    return _word_at(data, place, at, classes)


@njit(nogil=True, cache=True)
def _find_hex_words(data, offsets, classes, longest, chars):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for row in range(len(offsets) - 1):
        first, end = offsets[row], offsets[row + 1]
        at = first
        while at + 2 < end:
            if data[at] != _ZERO or data[at + 1] not in {_LOWER_X, _UPPER_X}:
                at += 1
                continue
            stop = at + 2
            while stop < end and _HEX[data[stop]]:
                stop += 1
            alone = not (_word_at(data, stop, end, classes) or _word_before(data, at, first, classes))
            if alone and stop > at + 2:
                longest[row] = max(longest[row], stop - at)
                chars[row] += stop - at
            at = stop
