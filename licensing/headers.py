"""Headers: the licence that the head of a source file states.

Most files state none. A kernel looks for six words in the head of every file ("licen", "redistribut", …); only
around them the head is read as text, and equal surroundings, such as one project's header, are read once.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numba import njit

from columns.document import text_buffers
from licensing.notices import Notice, read_notice

_AFTER = 1600  # a whole BSD or MIT text goes on for about this long after its first sentence


class Header(NamedTuple):
    """What a head states: ``spdx`` and ``words`` as in `Notice`; ``line`` from 1, 0 where nothing was found."""

    spdx: str | None
    words: str | None
    line: int


_NOTHING = Header(None, None, 0)


def read_headers(content: pa.Array, head_bytes: int = 4096, head_lines: int = 60) -> list[Header]:
    """Read the head (at most so many bytes and lines) of every text of a ``large_string[n]``; null states nothing.

    >>> texts = pa.array(["x = 1", "#!/bin/sh\\n# SPDX-License-Identifier: MIT\\n"], pa.large_string())
    >>> read_headers(texts)
    [Header(spdx=None, words=None, line=0), Header(spdx='MIT', words='MIT', line=2)]
    """
    data, offsets = text_buffers(content)
    spans = np.zeros((len(offsets) - 1, 3), np.int64)
    _find(data, offsets, head_bytes, head_lines, spans)
    found = [_NOTHING] * len(spans)
    for row in np.flatnonzero(spans[:, 1]).tolist():
        start, end, line = spans[row].tolist()
        notice = _read(data[start:end].tobytes())
        if notice.spdx is not None or notice.words is not None:
            found[row] = Header(notice.spdx, notice.words, line + notice.line)
    return found


@lru_cache(8192)
def _read(region: bytes) -> Notice:
    return read_notice(region.decode("utf-8", errors="replace"))


@njit(nogil=True, cache=True)
def _find(data, offsets, head_bytes, head_lines, spans):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """For every head: from the line before the first hit to the line after the last; and that first line's number."""
    for row in range(len(offsets) - 1):
        start, end = offsets[row], min(offsets[row + 1], offsets[row] + head_bytes)
        line, line_start, before = 1, start, start
        first, last = np.int64(-1), np.int64(-1)
        at = start
        while at < end:
            byte = data[at]
            if byte == 10:
                line += 1
                if line > head_lines:
                    break
                before, line_start = line_start, at + 1
            else:
                hit = _hit(data, at, end)
                if hit:
                    if first < 0:
                        first = before
                        spans[row, 2] = line - (before < line_start)
                    last = max(last, at + (_AFTER if hit == 2 else 1))
            at += 1
        if first >= 0:
            spans[row, 0], spans[row, 1] = first, _line_after(data, min(last, at), at)


@njit(nogil=True, cache=True)
def _line_after(data, at, end):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """The end of the line after the one that ``at`` lies in."""
    for _ in range(2):
        while at < end and data[at] != 10:
            at += 1
        at = min(at + 1, end)
    return at


@njit(nogil=True, cache=True)
def _hit(data, at, end):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Which kind of word starts here: 1 a statement's, 2 a whole licence text's, 0 another."""
    byte = data[at] | 32
    if byte == 108:
        return 1 if _is(data, at, end, _LICEN) else 0
    if byte == 112:
        if _is(data, at, end, _PERMISSION):
            return 2
        return 1 if _is(data, at, end, _PERL) else 0
    if byte == 103:
        return 1 if _is(data, at, end, _GPL) else 0
    if byte == 114:
        return 2 if _is(data, at, end, _REDISTRIBUT) else 0
    return 1 if byte == 117 and _is(data, at, end, _UNENCUMBERED) else 0


@njit(nogil=True, cache=True)
def _is(data, at, end, word):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    if at + len(word) > end:
        return False
    for place in range(len(word)):  # noqa: SIM110
        if data[at + place] | 32 != word[place]:
            return False
    return True


def _bytes(word: str) -> np.ndarray[Any, Any]:
    return np.frombuffer(word.encode(), np.uint8)


_LICEN = _bytes("licen")
_PERMISSION = _bytes("permission")
_GPL = _bytes("gpl")
_PERL = _bytes("perl itself")
_REDISTRIBUT = _bytes("redistribut")
_UNENCUMBERED = _bytes("unencumbered")
