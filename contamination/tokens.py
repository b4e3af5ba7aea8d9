"""Tokens: the code of a batch as hashes, once as written and once with names replaced by their kind.

The comments, docstrings and literals are those of `columns.lexing`; what is left is cut into names, numbers, literals
and operators as ``tokens.yaml`` describes them per language:

* ``code``: every token's own hash. Comments, docstrings and white space are gone, nothing else.
* ``normalised``: names are one hash. Keywords, operators, numbers and what stands inside quotes stay, and so do the
  names that a renaming cannot change: built-in functions, and methods of built-in types behind a dot. In Python all
  names behind a dot stay, unless they are of ``self`` or ``cls``: most are of libraries.

A literal is one token with its quotes and prefix; two that touch are one. Code inside an interpolation is code.
"""

from __future__ import annotations

import builtins
import keyword
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import yaml
from numba import njit

from columns.document import text_buffers
from columns.lexing.lexer import language_numbers, lex_rows
from columns.lexing.table import CODE, COMMENT, STRING, languages, lexer_table
from columns.words import hash_word

NAME, TEXT = np.uint64(0x6E616D65_00000001), np.uint64(0x74657874_00000007)

_FILE = Path(__file__).with_name("tokens.yaml")
_SLOTS = 1 << 12
_LONGEST = 24  # bytes: no kept name is longer
_METHODS_OF: tuple[type, ...] = (str, list, dict, set, bytes, int, float)
_SPACE, _OPERATOR, _NAME, _DIGIT, _QUOTE = range(5)
_CLASS = np.full(256, _OPERATOR, np.uint8)
_CLASS[:33] = _SPACE
_CLASS[127] = _SPACE
_CLASS[[95, *range(65, 91), *range(97, 123), *range(128, 256)]] = _NAME
_CLASS[48:58] = _DIGIT
_CLASS[list(b"\"'`")] = _QUOTE


_ALONE = np.array([hash_word(np.array([byte], np.uint8), 0, 1) for byte in range(256)], np.uint64)
ROUND, UNROUND = _ALONE[list(b"()")]


class Tokens(NamedTuple):
    """Tokens of a batch: row ``i`` owns positions ``starts[i]`` to ``starts[i + 1]`` of the other arrays.

    ``code`` and ``normalised`` are ``uint64[tokens]``; a token stands at bytes ``begins`` to ``ends`` of the buffer,
    ``int64[tokens]``. ``families`` ``uint64[rows]`` is equal for languages whose tokens can be compared, 0 for none.
    """

    code: np.ndarray
    normalised: np.ndarray
    begins: np.ndarray
    ends: np.ndarray
    starts: np.ndarray
    families: np.ndarray


class TokenTable(NamedTuple):
    """``tokens.yaml`` for the kernel.

    ``slots`` ``uint64[_SLOTS]`` is an open-addressed set of name hashes, ``kept`` and ``members`` ``uint64[_SLOTS]``
    the families that keep them anywhere or behind a dot; ``pairs`` and ``triples`` ``uint64[128, 128]`` the families
    in which two bytes are one operator, and in which it grows by one more of its last byte or by ``=``.
    ``owned`` ``uint64[_SLOTS]`` are the families that keep what stands behind a dot, unless behind these names;
    ``dollars`` and ``owning`` the families with ``$`` in names and with ``owned``, ``family`` ``int64[languages]`` the
    numbers of families.
    """

    slots: np.ndarray
    kept: np.ndarray
    members: np.ndarray
    owned: np.ndarray
    pairs: np.ndarray
    triples: np.ndarray
    dollars: np.uint64
    owning: np.uint64
    family: np.ndarray


def tokens(content: pa.Array, language: pa.Array, families: np.ndarray | None = None) -> Tokens:
    """Cut the code of every row into tokens; rows without text or in a language without a lexer have none.

    ``language`` holds names as in `columns.lexing.table.languages`. With ``families`` rows of others have none either.

    >>> found = tokens(pa.array(["x = 1  # one", "y=1"], pa.large_string()), pa.array(["python"] * 2))
    >>> found.starts.tolist(), bool((found.normalised[:3] == found.normalised[3:]).all())
    ([0, 3, 6], True)
    """
    data, offsets = text_buffers(content)
    numbers = language_numbers(language)
    table, named = token_table(), _families(numbers)
    if families is not None:
        numbers = np.where(np.isin(named, families), numbers, -1)
    marks = np.zeros(int(offsets[-1] - offsets[0]), np.uint8)
    lex_rows(data, offsets, numbers, lexer_table(), marks)
    family = np.where(numbers < 0, -1, table.family[numbers])
    code, normalised, begins, ends, starts = _cut_rows(data, offsets, family, table, marks)
    return Tokens(code, normalised, begins, ends, starts, named)


def family_of(language: str) -> np.uint64:
    """What `Tokens.families` holds for a language that has a lexer.

    >>> bool(family_of("c") == family_of("c++"))
    True
    """
    return np.uint64(_families(language_numbers(pa.array([language])))[0])


def _families(numbers: np.ndarray) -> np.ndarray:
    """Equal for languages whose tokens can be compared, 0 without a lexer."""
    return np.where(numbers < 0, np.uint64(0), (token_table().family[numbers] + 1).astype(np.uint64) * NAME)


@cache
def token_table() -> TokenTable:
    """Read ``tokens.yaml``, once per process.

    >>> len(token_table().family) == len(languages())
    True
    """
    entries: dict[str, dict[str, Any]] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    names = list(entries)
    family = np.array([_family(entries, name) for name in languages()], np.int64)
    slots, kept, members, owned = (np.zeros(_SLOTS, np.uint64) for _ in range(4))
    pairs, triples = np.zeros((128, 128), np.uint64), np.zeros((128, 128), np.uint64)
    dollars = owning = 0
    for number, name in enumerate(names):
        bit = np.uint64(1 << number)
        dollars |= (1 << number) if entries[name].get("dollar") else 0
        _keep(_words(entries[name], name, "keep"), slots, kept, bit)
        _keep(_words(entries[name], name, "members"), slots, members, bit)
        _keep(_words(entries[name], name, "owners"), slots, owned, bit)
        owning |= (1 << number) if "owners" in entries[name] else 0
        for operator in entries[name].get("operators", entries["other"]["operators"]).split():
            first, second, *third = operator.encode()
            (triples if third else pairs)[first, second] |= bit
    return TokenTable(
        slots, kept, members, owned, pairs, triples, np.uint64(dollars), np.uint64(owning), family
    )


def _family(entries: dict[str, dict[str, Any]], language: str) -> int:
    names = list(entries)
    for number, name in enumerate(names):
        if language == name or language in entries[name].get("languages", ()):
            return number
    return names.index("other")


def _words(entry: dict[str, Any], name: str, key: str) -> list[str]:
    words: list[str] = entry.get(key, "").split()
    if name != "python" or key == "owners":
        return words
    if key == "keep":
        return [*words, *keyword.kwlist, *(word for word in dir(builtins) if word[0] != "_")]
    return [*words, *{word for kind in _METHODS_OF for word in dir(kind) if word[0] != "_"}]


def _keep(words: list[str], slots: np.ndarray, families: np.ndarray, bit: np.uint64) -> None:
    for word in words:
        raw = np.frombuffer(word.encode(), np.uint8)
        value = np.uint64(hash_word(raw, 0, len(raw)))
        slot = _slot(slots, value)
        slots[slot] = value
        families[slot] |= bit


@njit(nogil=True, cache=True)
def _slot(slots, value):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Where a hash is, or would be put."""
    at = np.int64(value & np.uint64(_SLOTS - 1))
    while slots[at] != 0 and slots[at] != value:
        at = (at + 1) & (_SLOTS - 1)
    return at


@njit(nogil=True, cache=True)
def _cut_rows(data, offsets, family, table, marks):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Two walks: the first counts."""
    rows = len(offsets) - 1
    starts = np.zeros(rows + 1, np.int64)
    room = 0
    for row in range(rows):
        room = max(room, offsets[row + 1] - offsets[row])
    edges = np.empty((room, 2), np.int64)
    size = max(64, len(marks) // 3)
    code, normalised = np.empty(size, np.uint64), np.empty(size, np.uint64)
    begins, ends = np.empty(size, np.int64), np.empty(size, np.int64)
    made = 0
    for row in range(rows):
        if family[row] >= 0:
            own = marks[offsets[row] - offsets[0] :]
            found = _edges(data, offsets[row], offsets[row + 1], family[row], table, own, edges)
            while made + found > len(code):
                code, normalised = _grown(code), _grown(normalised)
                begins, ends = _grown(begins), _grown(ends)
            _hash(data, family[row], table, own, offsets[row], edges, found, code[made:], normalised[made:])
            begins[made : made + found] = edges[:found, 0]
            ends[made : made + found] = edges[:found, 1]
            made += found
        starts[row + 1] = made
    return code[:made], normalised[:made], begins[:made], ends[:made], starts


@njit(nogil=True, cache=True)
def _grown(values):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    more = np.empty(len(values) * 2, values.dtype)
    more[: len(values)] = values
    return more


@njit(nogil=True, cache=True)
def _edges(data, at, end, family, table, marks, edges):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Begin and end of each token of one text; ``marks`` begin where it does."""
    base, shift = at, np.uint64(family)
    dollar = bool((table.dollars >> shift) & np.uint64(1))
    pairs, triples = table.pairs, table.triples  # looked up once: each look counts a reference
    found = 0
    while at < end:
        mark = marks[at - base]
        kind = _CLASS[data[at]]
        if mark == COMMENT or (mark == CODE and kind == _SPACE):
            at += 1
            continue
        begin = at
        if mark == STRING or kind == _QUOTE:
            at = _text_end(data, at, end, marks, base)
        elif kind == _NAME or (dollar and data[at] == 36):
            at = _name_end(data, at, end, dollar)
            if at - begin <= 3 and at < end and _CLASS[data[at]] == _QUOTE and marks[at - base] == CODE:
                at = _text_end(data, at, end, marks, base)
        elif kind == _DIGIT or (data[at] == 46 and at + 1 < end and _CLASS[data[at + 1]] == _DIGIT):
            at = _number_end(data, at, end)
        else:
            at = _operator_end(data, at, end, shift, pairs, triples, marks, base)
        edges[found, 0], edges[found, 1] = begin, at
        found += 1
    return found


@njit(nogil=True, cache=True)
def _text_end(data, at, end, marks, base):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    at += 1
    while at < end and (
        marks[at - base] == STRING or (_CLASS[data[at]] == _QUOTE and marks[at - base] == CODE)
    ):
        at += 1
    return at


@njit(nogil=True, cache=True)
def _name_end(data, at, end, dollar):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    while at < end:
        kind = _CLASS[data[at]]
        if not (kind in (_NAME, _DIGIT) or (dollar and data[at] == 36)):
            break
        at += 1
    return at


@njit(nogil=True, cache=True)
def _number_end(data, at, end):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    hexadecimal = at + 1 < end and data[at] == 48 and (data[at + 1] | 32) == 120
    while at < end:
        byte = data[at]
        if byte == 46:
            after = _CLASS[data[at + 1]] if at + 1 < end else np.uint8(_SPACE)
            if after == _NAME or (at + 1 < end and data[at + 1] == 46):
                break
        elif byte in (43, 45):
            if hexadecimal or (data[at - 1] | 32) != 101:
                break
        elif _CLASS[byte] not in (_NAME, _DIGIT):
            break
        at += 1
    return at


@njit(nogil=True, cache=True)
def _operator_end(data, at, end, shift, pairs, triples, marks, base):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """An operator of one, two or three bytes, of bytes that are code."""
    if at + 1 >= end or marks[at + 1 - base] != CODE:
        return at + 1
    first, second = data[at] & 127, data[at + 1] & 127
    if data[at + 1] > 127:
        return at + 1
    if at + 2 < end and marks[at + 2 - base] == CODE and (triples[first, second] >> shift) & np.uint64(1):
        third = data[at + 2]
        if third in (second, 61):
            return at + 3
    return at + 2 if (pairs[first, second] >> shift) & np.uint64(1) else at + 1


@njit(nogil=True, cache=True)
def _inside(data, begin, end):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """The hash of a literal without its quotes and prefix, 0 for an empty one."""
    first = begin
    while first < end and _CLASS[data[first]] == _NAME:
        first += 1
    if first == end or _CLASS[data[first]] != _QUOTE:
        first = begin
    while first < end and _CLASS[data[first]] == _QUOTE:
        first += 1
    while end > first and _CLASS[data[end - 1]] == _QUOTE:
        end -= 1
    return hash_word(data, first, end) if end > first else np.uint64(0)


@njit(nogil=True, cache=True)
def _hash(data, family, table, marks, base, edges, found, code, normalised):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    shift = np.uint64(family)
    slots, owned, members, kept = table.slots, table.owned, table.members, table.kept
    for token in range(found):
        begin, end = edges[token, 0], edges[token, 1]
        kind = _CLASS[data[begin]]
        if end - begin == 1 and kind == _OPERATOR and data[begin] != 36 and marks[begin - base] == CODE:
            code[token] = normalised[token] = _ALONE[data[begin]]
            continue
        value = hash_word(data, begin, end)
        code[token] = normalised[token] = value
        last = data[end - 1]
        if marks[begin - base] == STRING or kind == _QUOTE or (kind == _NAME and _CLASS[last] == _QUOTE):
            normalised[token] = TEXT ^ _inside(data, begin, end)
        elif kind == _NAME or data[begin] == 36:
            behind_dot = token > 0 and data[edges[token - 1, 1] - 1] == 46
            if behind_dot and (table.owning >> shift) & np.uint64(1):
                if token > 1 and (owned[_slot(slots, code[token - 2])] >> shift) & np.uint64(1):
                    normalised[token] = NAME
                continue
            slot = _slot(slots, value)
            families = members[slot] if behind_dot else kept[slot]
            if end - begin > _LONGEST or not (families >> shift) & np.uint64(1):
                normalised[token] = NAME
