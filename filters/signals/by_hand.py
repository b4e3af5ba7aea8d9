"""By hand: the comment share OpenCoder computes for languages that pygments has no lexer for, its defect included.

Upstream (opc_data_filtering, document.py, `get_comment_by_hand`) walks over the lines, each stripped of
white space: one that begins or ends with three double quotes, begins with ``/*`` or ends with ``*/`` switches between
comment and code; one that begins with ``#``, ``//`` or ``--`` switches comment on, and nothing but the former switches
it off. So one comment at the head of an assembly file makes all of it comment, and the rule ``comment share > 0.8``
drops it. `filters.signals.lexing` measures ``comment_fraction`` without that defect; this is for comparing with
published data.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import yaml
from numba import njit

from columns.document import text_buffers
from columns.text import code_point
from columns.unicode_table import SPACE, character_classes

_FILE = Path(__file__).with_name("pygments_names.yaml")
_SPELLINGS = {"c++": "cpp", "c#": "csharp"}


@cache
def pygments_names() -> frozenset[str]:
    """Every name by which pygments finds a lexer, in its version 2.21.0.

    >>> "python" in pygments_names(), "assembly" in pygments_names()
    (True, False)
    """
    return frozenset(yaml.safe_load(_FILE.read_text(encoding="utf-8"))["names"])


def is_by_hand(language: str | None) -> bool:
    """Whether upstream takes a language's comments by hand; without a language it decides nothing.

    >>> is_by_hand("batchfile"), is_by_hand("c++"), is_by_hand("perl"), is_by_hand(None)
    (True, False, False, False)
    """
    return language is not None and _SPELLINGS.get(language, language) not in pygments_names()


def by_hand_fractions(content: pa.Array, language: pa.Array) -> pa.Array:
    """Upstream's share of comment characters: ``float64[n]``; null for null content and for what pygments knows.

    >>> text = pa.array(["# one\\nmov eax, 1\\n"], pa.large_string())
    >>> by_hand_fractions(text, pa.array(["assembly"])).to_pylist()
    [1.0]
    """
    data, offsets = text_buffers(content)
    encoded = language.dictionary_encode()
    taken = np.array([is_by_hand(name) for name in encoded.dictionary.to_pylist()] + [False])
    chosen = taken[np.asarray(encoded.indices.fill_null(-1))] & ~np.asarray(content.is_null())
    shares = np.zeros(len(chosen))
    _measure_rows(data, offsets, chosen, character_classes(), shares)
    return pa.array(shares, pa.float64(), mask=~chosen)


@njit(nogil=True, cache=True)
def _measure_rows(data, offsets, chosen, classes, shares):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for row in range(len(offsets) - 1):
        if chosen[row]:
            comments, chars = _measure(data[offsets[row] : offsets[row + 1]], classes)
            shares[row] = comments / chars if chars else 0.0


@njit(nogil=True, cache=True)
def _measure(text, classes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    comments = chars = at = 0
    inside = False
    while at < len(text):
        start, stop, after, length = _strip_line(text, at, classes)
        quotes = stop - start >= 3 and (_is_quotes(text, start) or _is_quotes(text, stop - 3))
        pairs = _is_pair(text, start, stop, 47, 42) or (
            stop - start >= 2 and _is_pair(text, stop - 2, stop, 42, 47)
        )
        switches = quotes or pairs
        if switches:
            inside = not inside
        elif not inside:
            inside = _is_line_comment(text, start, stop)
        if switches or inside:
            comments += length
        chars += length
        at = after
    return comments, chars


@njit(nogil=True, cache=True)
def _strip_line(text, at, classes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """The bounds of a line without white space at its ends, where the next one begins, and its characters."""
    start = stop = at
    chars = 0
    seen = False
    while at < len(text):
        byte = text[at]
        at += 1
        if byte & 0xC0 == 0x80:
            continue
        chars += 1
        if byte == 10:
            break
        if not classes[code_point(text, at - 1, len(text))] & SPACE:
            start = start if seen else at - 1
            seen = True
            stop = at
            while stop < len(text) and text[stop] & 0xC0 == 0x80:
                stop += 1
    return start, stop if seen else start, at, chars


@njit(nogil=True, cache=True)
def _is_quotes(text, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    return text[at] == 34 and text[at + 1] == 34 and text[at + 2] == 34


@njit(nogil=True, cache=True)
def _is_pair(text, at, stop, first, second):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    return stop - at >= 2 and text[at] == first and text[at + 1] == second


@njit(nogil=True, cache=True)
def _is_line_comment(text, at, stop):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    hashed = stop > at and text[at] == 35
    return hashed or _is_pair(text, at, stop, 47, 47) or _is_pair(text, at, stop, 45, 45)
