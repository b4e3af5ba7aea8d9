"""N-grams of words: how much of a text the most frequent ones and the repeated ones are, one pass per length.

A word is named by the number of its first occurrence, a longer n-gram by the names of the n-gram that is one word
shorter and of its last word, so equal names mean equal words. An n-gram can only occur twice when both shorter ones
inside it do: every pass looks at what the last one left, which soon is little.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from columns.text import code_point
from columns.unicode_table import ALNUM, SPACE, character_classes

BLANK, WORD, SYMBOL, DROPPED, WIDE = range(5)
TOP_LENGTHS = (2, 3, 4)
DUP_LENGTHS = (5, 6, 7, 8, 9, 10)

_U64 = np.uint64
FNV_BASIS, FNV_PRIME = _U64(0xCBF29CE484222325), _U64(0x100000001B3)
_SPREAD = _U64(0x9E3779B97F4A7C15)
_32 = _U64(32)
_WORDS, _CHARS, _UNIQUE, _TOP = range(4)
_DUP = _TOP + len(TOP_LENGTHS)
_SHORTEST, _LONGEST = TOP_LENGTHS[0], DUP_LENGTHS[-1]


class Bytes(NamedTuple):
    """What the bytes of a text are for `count_repeats`: ``kinds`` (`BLANK` …) and lower case, ``uint8[256]``."""

    kinds: np.ndarray
    fold: np.ndarray


class Repeats(NamedTuple):
    """Counts per row: ``words``, their ``chars`` and how many are ``unique``, ``int64[n]`` each.

    ``top``: characters of all occurrences of the most frequent n-gram, ``int64[3, n]``, one row for each of
    `TOP_LENGTHS`. ``dup``: characters of the words in n-grams that occur twice or more, ``int64[6, n]``, one row for
    each of `DUP_LENGTHS`.
    """

    words: np.ndarray
    chars: np.ndarray
    unique: np.ndarray
    top: np.ndarray
    dup: np.ndarray


def no_repeats(rows: int) -> np.ndarray:
    """Room for the counts of so many rows, zero: ``int64[12, rows]``; `Repeats` of it with `as_repeats`."""
    return np.zeros((_DUP + len(DUP_LENGTHS), rows), np.int64)


def as_repeats(counts: np.ndarray) -> Repeats:
    """Name the rows of what `count_repeats` filled.

    >>> as_repeats(no_repeats(2)).dup.shape
    (6, 2)
    """
    return Repeats(counts[_WORDS], counts[_CHARS], counts[_UNIQUE], counts[_TOP:_DUP], counts[_DUP:])


def count_repeats(
    data: np.ndarray,
    offsets: np.ndarray,
    rows: np.ndarray,
    targets: np.ndarray,
    meaning: Bytes,
    counts: np.ndarray,
) -> None:
    """Count the words and n-grams of ``rows`` (numbers of texts) into the columns ``targets`` of ``counts``.

    A word is a run of `WORD` or of `SYMBOL` characters; `BLANK` ones separate, `DROPPED` ones are not there. Bytes
    that are `WIDE` take their kind from the frozen Unicode table: alphanumeric, white space or neither.

    >>> kinds = np.where(np.arange(256) == 32, BLANK, WORD).astype(np.uint8)
    >>> meaning = Bytes(kinds, np.arange(256, dtype=np.uint8))
    >>> counts = no_repeats(1)
    >>> data = np.frombuffer(b"to be or not to be", np.uint8)
    >>> count_repeats(data, np.array([0, 18]), np.array([0]), np.array([0]), meaning, counts)
    >>> found = as_repeats(counts)
    >>> found.words.tolist(), found.unique.tolist(), found.top[0].tolist()
    ([6], [4], [8])
    """
    if len(rows):
        _count(data, offsets, rows, targets, meaning.kinds, meaning.fold, character_classes(), counts)


@njit(nogil=True, cache=True)
def _count(data, offsets, rows, targets, kinds, fold, classes, counts):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    most = 0
    for row in rows:
        most = max(most, offsets[row + 1] - offsets[row])
    hashes, keys = np.empty(most, np.uint64), np.empty(most, np.uint64)
    lengths, words, names = np.empty(most, np.int32), np.empty(most, np.int32), np.empty(most, np.int32)
    live, times, firsts = np.empty(most, np.int32), np.empty(most, np.int32), np.empty(most, np.int32)
    slots = np.empty(slot_count(most), np.int32)
    for index in range(len(rows)):
        row, out = rows[index], counts[:, targets[index]]
        found = _split(data, offsets[row], offsets[row + 1], kinds, fold, classes, hashes, lengths)
        out[_WORDS] = found
        for at in range(found):
            out[_CHARS] += lengths[at]
        out[_UNIQUE] = name_keys(hashes, found, slots, keys, words, times)
        left = _keep_repeated_words(words, found, names, live, times)
        for size in range(_SHORTEST, _LONGEST + 1):
            if left < 2:
                break
            different, left = _lengthen(size, words, left, names, live, slots, keys, times, firsts)
            if size < DUP_LENGTHS[0]:
                out[_TOP + size - TOP_LENGTHS[0]] = _top_chars(size, lengths, times, firsts, different)
            left = _keep_repeated(left, names, live, times)
            if size >= DUP_LENGTHS[0]:
                out[_DUP + size - DUP_LENGTHS[0]] = _covered_chars(size, lengths, live, left)


@njit(nogil=True, cache=True)
def _split(data, at, end, kinds, fold, classes, hashes, lengths):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Write the hash (FNV-1a) and the characters of every word."""
    found, length, kind, value = 0, 0, BLANK, FNV_BASIS
    for place in range(at, end):
        byte = data[place]
        now = kinds[byte]
        if now == DROPPED:
            continue
        inner = byte & 0xC0 == 0x80
        if now == WIDE:
            now = kind if inner else _wide_kind(classes[code_point(data, place, end)])
        if now != kind:
            if kind != BLANK:
                hashes[found] = value
                lengths[found] = length
                found += 1
            kind, value, length = now, FNV_BASIS, 0
        value = (value ^ _U64(fold[byte])) * FNV_PRIME
        length += not inner
    if kind != BLANK:
        hashes[found] = value
        lengths[found] = length
        found += 1
    return found


@njit(nogil=True, cache=True)
def _wide_kind(bits):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    if bits & SPACE:
        return BLANK
    return WORD if bits & ALNUM else SYMBOL


@njit(nogil=True, cache=True)
def slot_count(keys):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Slots for so many keys: a power of two, at most half full (for other kernels)."""
    slots = 16
    while slots < 2 * keys:
        slots *= 2
    return slots


@njit(nogil=True, cache=True)
def number_of(key, slots, used, keys, known):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """The number of ``key`` among the ``known`` first ``keys``; ``known`` for a new one, which is added.

    Open addressing over the first ``used`` (`slot_count`) of ``slots``, -1 where free (for other kernels).
    """
    place = (key * _SPREAD) >> _32 & _U64(used - 1)
    while slots[place] >= 0:
        if keys[slots[place]] == key:
            return slots[place]
        place = (place + _U64(1)) & _U64(used - 1)
    slots[place] = known
    keys[known] = key
    return known


@njit(nogil=True, cache=True)
def name_keys(hashes, found, slots, keys, words, times):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Give equal hashes one number: ``words[at]`` is that of ``hashes[at]``, ``times`` how often it occurs.

    Returns how many different ones there are (for other kernels).
    """
    different, used = 0, slot_count(found)
    slots[:used] = -1
    for at in range(found):
        word = number_of(hashes[at], slots, used, keys, different)
        if word == different:
            different += 1
            times[word] = 0
        times[word] += 1
        words[at] = word
    return different


@njit(nogil=True, cache=True)
def _keep_repeated_words(words, found, names, live, times):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    left = 0
    for at in range(found):
        names[at] = words[at]
        live[left] = at
        left += times[words[at]] > 1
    return left


@njit(nogil=True, cache=True)
def _lengthen(size, words, left, names, live, slots, keys, times, firsts):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Name and count the n-grams whose two shorter ones are repeated; gives how many differ, and how many there are."""
    different, kept, used = 0, 0, slot_count(left)
    slots[:used] = -1
    for index in range(left - 1):
        at = live[index]
        if live[index + 1] != at + 1:
            continue
        key = _U64(names[at]) << _32 | _U64(words[at + size - 1])
        name = number_of(key, slots, used, keys, different)
        if name == different:
            different += 1
            times[name] = 0
            firsts[name] = at
        times[name] += 1
        names[at] = name
        live[kept] = at
        kept += 1
    return different, kept


@njit(nogil=True, cache=True)
def _keep_repeated(left, names, live, times):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    kept = 0
    for index in range(left):
        at = live[index]
        live[kept] = at
        kept += times[names[at]] > 1
    return kept


@njit(nogil=True, cache=True)
def _top_chars(size, lengths, times, firsts, different):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Characters of one n-gram times its occurrences: of the most frequent one, the first of equal ones."""
    best, count = -1, 1
    for name in range(different):
        if times[name] > count:
            best, count = name, times[name]
    if best < 0:
        return 0
    chars = 0
    for at in range(firsts[best], firsts[best] + size):
        chars += lengths[at]
    return chars * count


@njit(nogil=True, cache=True)
def _covered_chars(size, lengths, live, left):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Characters of the words inside repeated n-grams, a word in several of them once."""
    chars, reached = 0, 0
    for index in range(left):
        at = live[index]
        for place in range(max(at, reached), at + size):
            chars += lengths[place]
        reached = at + size
    return chars
