"""Text statistics: characters, lines and character classes of every text of a batch.

Two passes over each text while it lies in cache: one counts bytes by class in loops that LLVM turns into vector
code, one looks at eight bytes at a time for the rare bytes that matter (line ends and non-ASCII).
Everything equals what Python's `str` says of the decoded text (with the frozen Unicode of
`columns.unicode_table`); lengths and positions are in characters (code points), never in bytes.

Line semantics, both pinned by tests:

* ``lines``, ``line_chars``, ``line_max``: `str.splitlines()`, the terminator not counted. Terminators:
  ``\\n \\r \\r\\n \\x0b \\x0c \\x1c \\x1d \\x1e \\x85 U+2028 U+2029`` (CodeParrot, BigCode).
* ``newline_lines``, ``newline_max``: the regex ``[^\\n]*\\n|[^\\n]+$``, the newline counted (RedPajama, OpenCoder).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numba import njit

from columns.document import text_buffers
from columns.unicode_table import ALNUM, ALPHA, SPACE, character_classes

_U8, _U16, _U64 = np.uint8, np.uint16, np.uint64
_BLOCK = 8192
_LOW7, _HIGH, _ONES = _U64(0x7F7F7F7F7F7F7F7F), _U64(0x8080808080808080), _U64(0x0101010101010101)
_FROM_LF, _PAST_CR = _U64(0x7676767676767676), _U64(0x7272727272727272)
_FROM_FS, _PAST_RS = _U64(0x6464646464646464), _U64(0x6161616161616161)
_BOM = (0xEF, 0xBB, 0xBF)


class TextStats(NamedTuple):
    """One ``int64[n]`` per statistic, row by row; a null text counts as empty."""

    bytes: np.ndarray
    chars: np.ndarray
    lines: np.ndarray
    line_chars: np.ndarray
    line_max: np.ndarray
    newline_lines: np.ndarray
    newline_max: np.ndarray
    alnum: np.ndarray
    alpha: np.ndarray
    digits: np.ndarray
    hex_digits: np.ndarray
    whitespace: np.ndarray
    nul: np.ndarray
    replacement: np.ndarray
    bom: np.ndarray


def text_stats(content: pa.Array) -> TextStats:
    """Measure every text of a string array (``large_string[n]``, valid UTF-8), about 1 GB/s per core.

    ``digits`` is ``[0-9]``, ``hex_digits`` ``[0-9A-Fa-f]``; ``alnum``, ``alpha`` and ``whitespace`` are
    ``str.isalnum``, ``isalpha`` and ``isspace``; ``replacement`` counts U+FFFD; ``bom`` is 1 when the text starts
    with U+FEFF. Bytes that are not UTF-8 never raise, but are counted as if they were.

    >>> stats = text_stats(pa.array(["a = 1\\r\\nbé"], pa.large_string()))
    >>> stats.bytes.tolist(), stats.chars.tolist(), stats.lines.tolist(), stats.line_max.tolist()
    ([10], [9], [2], [5])
    """
    data, offsets = text_buffers(content)
    counts = np.zeros((len(TextStats._fields), len(offsets) - 1), np.int64)
    _measure(data, offsets, character_classes(), counts)
    return TextStats(*counts)


@njit(nogil=True, cache=True)
def _measure(data, offsets, classes, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for row in range(len(offsets) - 1):
        start, end = offsets[row], offsets[row + 1]
        alpha, digits, letters_af, space, nul, inner = _count_ascii(data, start, end)
        lines, ended, longest, newlines, newline_max, wide = _scan_lines(data, start, end, classes)
        chars = end - start - inner
        out[0, row] = end - start
        out[1, row] = chars
        out[2, row] = lines
        out[3, row] = chars - ended
        out[4, row] = longest
        out[5, row] = newlines
        out[6, row] = newline_max
        out[7, row] = alpha + digits + wide[0]
        out[8, row] = alpha + wide[1]
        out[9, row] = digits
        out[10, row] = digits + letters_af
        out[11, row] = space + wide[2]
        out[12, row] = nul
        out[13, row] = wide[3]
        out[14, row] = _starts_with_bom(data, start, end)


@njit(nogil=True, cache=True)
def _starts_with_bom(data, start, end):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    if end - start < 3:
        return False
    return data[start] == _BOM[0] and data[start + 1] == _BOM[1] and data[start + 2] == _BOM[2]


@njit(nogil=True, cache=True)
def _count_ascii(data, start, end):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    alpha = digits = letters_af = space = nul = inner = 0
    while start < end:
        stop = min(start + _BLOCK, end)
        part = _count_block(data, start, stop)
        alpha += part[0]
        digits += part[1]
        letters_af += part[2]
        space += part[3]
        nul += part[4]
        inner += part[5]
        start = stop
    return alpha, digits, letters_af, space, nul, inner


@njit(nogil=True, cache=True)
def _count_block(data, start, stop):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Count byte classes of at most `_BLOCK` bytes: 16-bit counters keep twice to four times as many lanes busy."""
    alpha = digits = letters_af = space = nul = inner = _U16(0)
    for at in range(start, stop):
        byte = data[at]
        letter = _U8((byte | _U8(32)) - _U8(97))
        alpha = _U16(alpha + _U16(letter < _U8(26)))
        letters_af = _U16(letters_af + _U16(letter < _U8(6)))
        digits = _U16(digits + _U16(_U8(byte - _U8(48)) < _U8(10)))
        blank = (_U8(byte - _U8(9)) < _U8(5)) | (_U8(byte - _U8(28)) < _U8(5))
        space = _U16(space + _U16(blank))
        nul = _U16(nul + _U16(byte == _U8(0)))
        inner = _U16(inner + _U16((byte & _U8(0xC0)) == _U8(0x80)))
    return alpha, digits, letters_af, space, nul, inner


@njit(nogil=True, cache=True)
def _scan_lines(data, start, end, classes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Walk over line ends and non-ASCII characters, the only bytes at which anything but the position changes.

    ``line`` and ``newline`` are where the current line starts, moved on by one for every inner byte of a
    character, so that ``at - line`` is always the number of characters of the line before ``at``.
    """
    lines = ended = longest = newlines = newline_max = 0
    alnum = alpha = space = replacement = 0
    line = newline = start
    for base in range(start, end, 8):
        events = _events(_word(data, base, end))
        while events:
            at = base + _first_byte(events)
            events &= events - _U64(1)
            byte = data[at]
            if byte & 0xC0 == 0x80:
                line += 1
                newline += 1
                continue
            breaks = True
            if byte >= 0x80:
                code = code_point(data, at, end)
                bits = classes[code]
                alnum += (bits & ALNUM) != 0
                alpha += (bits & ALPHA) != 0
                space += (bits & SPACE) != 0
                replacement += code == 0xFFFD
                breaks = _is_wide_break(code)
            if breaks:
                if not (byte == 10 and at > start and data[at - 1] == 13):
                    lines += 1
                    longest = max(longest, at - line)
                ended += 1
                line = at + 1
            if byte == 10:
                newlines += 1
                newline_max = max(newline_max, at + 1 - newline)
                newline = at + 1
    lines += line < end
    newlines += newline < end
    wide = (alnum, alpha, space, replacement)
    return lines, ended, max(longest, end - line), newlines, max(newline_max, end - newline), wide


@njit(nogil=True, cache=True)
def _word(data, at, end):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Eight bytes as one number, the first one lowest; past the end 0.

    Unsigned indices spare Numba's test for negative ones; only then LLVM sees that this is a single load.
    """
    if at + 8 <= end:
        i = _U64(at)
        low = _U64(data[i]) | _U64(data[i + _U64(1)]) << _U64(8) | _U64(data[i + _U64(2)]) << _U64(16)
        low |= _U64(data[i + _U64(3)]) << _U64(24) | _U64(data[i + _U64(4)]) << _U64(32)
        low |= _U64(data[i + _U64(5)]) << _U64(40) | _U64(data[i + _U64(6)]) << _U64(48)
        return low | _U64(data[i + _U64(7)]) << _U64(56)
    word = _U64(0)
    for place in range(end - at):
        word |= _U64(data[at + place]) << _U64(8 * place)
    return word


@njit(nogil=True, cache=True)
def _events(word):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """The high bit of every byte that is \\n..\\r, \\x1c..\\x1e or not ASCII."""
    low = word & _LOW7
    breaks = (low + _FROM_LF) & ~(low + _PAST_CR) | (low + _FROM_FS) & ~(low + _PAST_RS)
    return (breaks | word) & _HIGH


@njit(nogil=True, cache=True)
def _first_byte(events):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Which byte holds the lowest set high bit: the ones below it, counted one per byte."""
    below = (events & (~events + _U64(1))) - _U64(1)
    return np.int64(((below & _ONES) * _ONES) >> _U64(56)) - 1


@njit(nogil=True, cache=True)
def code_point(data, at, end):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """The code point whose first byte lies at ``at``; not read beyond ``end``, at most U+10FFFF (for other kernels)."""
    byte = np.int64(data[at])
    if byte < 0x80:
        return byte
    inner = (byte >= 0xC0) + (byte >= 0xE0) + (byte >= 0xF0)
    code = byte & (0x3F >> inner)
    for place in range(at + 1, min(at + 1 + inner, end)):
        code = code << 6 | np.int64(data[place]) & 0x3F
    return min(code, 0x10FFFF)


@njit(nogil=True, cache=True)
def _is_wide_break(code):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    return code == 0x85 or code == 0x2028 or code == 0x2029  # noqa: PLR1714


@njit(nogil=True, cache=True)
def line_break_bytes(data, at, end):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """How many bytes the `str.splitlines` terminator at ``at`` has, 0 where there is none (for other kernels)."""
    byte = data[at]
    if byte == 13 and at + 1 < end and data[at + 1] == 10:
        return 2
    if 10 <= byte <= 13 or 28 <= byte <= 30:
        return 1
    if byte in {0xC2, 0xE2} and _is_wide_break(code_point(data, at, end)):
        return 2 if byte == 0xC2 else 3
    return 0
