"""Anchors: every place of a batch where a kind could lie, found in one pass over its bytes.

Each anchor registers two of its neighbouring bytes in a table of all byte pairs; the kernel looks every pair of the
text up in it and compares the whole anchor only where the table says so. A *gate* then looks at a bounded number of
bytes around (is there an assignment behind the word, a dotted quad, a domain behind the ``@``?), so that few places
are left for the patterns.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numba import njit

from privacy.kinds import KINDS

_ALNUM = (string.ascii_letters + string.digits).encode()
_HEX = b"0123456789abcdefABCDEF"
_WORD = _ALNUM + b"_-"
_LOCAL = _ALNUM + b"._%+-"
SHAPES = {
    "mail": (_LOCAL, b"@"),
    "quad": (b"0123456789", b"."),
    "colon": (_HEX, b":"),
    "dot": (_WORD, b"."),
}
BACKS = {
    "": (b"", 0),
    "digits": (b"0123456789", 12),
    "hex": (_HEX, 6),
    "long": (_WORD, 128),
    "mail": (_LOCAL, 66),
    "name": (_WORD + b".", 64),
    "scheme": (_ALNUM + b"+.-", 22),
    "word": (_WORD + b"~.", 44),
}
_GATES = ("", "assign", "url", "mail", "quad", "colon", "discord")
# How common letters and signs are in code; the rarest pair of an anchor is the one looked for.
_COMMON = {
    byte: rank
    for rank, byte in enumerate(b"zqjxZQJXKVYWHGkvwUyFBDMPbLONRCgISATEh0987654321fmpudclosnriate-.:/_ ")
}


def _members(allowed: bytes) -> np.ndarray:
    table = np.zeros(256, np.bool_)
    table[list(allowed)] = True
    return table


_CLOSING, _ASSIGNING, _QUOTES = _members(b"\t \"')\\]"), _members(b"=:,!"), _members(b"\"'`")
_BREAKING, _ENDING = _members(b"\t ();"), _members(bytes(range(33)) + b"\"'/<>`")


class Anchors(NamedTuple):
    """The anchors of some kinds as arrays; ``kind`` is the index of an anchor's kind."""

    kind: np.ndarray
    pairs: np.ndarray
    members: np.ndarray
    member_starts: np.ndarray
    literals: np.ndarray
    folded: np.ndarray
    literal_starts: np.ndarray
    shift: np.ndarray
    gate: np.ndarray
    back: np.ndarray
    back_limit: np.ndarray
    backs: np.ndarray


class Places(NamedTuple):
    """Where to look: ``row`` of the batch, ``start`` in its data buffer, ``kind``; in the order of the text."""

    row: np.ndarray
    start: np.ndarray
    kind: np.ndarray


@lru_cache(maxsize=16)
def anchors_of(kinds: Sequence[str]) -> Anchors:
    """The anchors of the named kinds (a tuple, so that the result can be kept)."""
    listed = [(index, KINDS[name], text) for index, name in enumerate(kinds) for text in KINDS[name].anchors]
    found: dict[int, list[int]] = {}
    for number, (_, kind, text) in enumerate(listed):
        for pair in _pairs(text, fold=kind.fold):
            found.setdefault(pair, []).append(number)
    pairs = np.zeros(1 << 16, np.uint16)
    pairs[list(found)] = np.arange(1, len(found) + 1)
    literals = ["" if text[0] == "?" else text for _, _, text in listed]
    folded = [
        text.upper() if kind.fold else text for text, (_, kind, _) in zip(literals, listed, strict=True)
    ]
    return Anchors(
        kind=np.array([index for index, _, _ in listed], np.int32),
        pairs=pairs,
        members=np.array([number for numbers in found.values() for number in numbers], np.int64),
        member_starts=np.cumsum([0, 0, *map(len, found.values())]),
        literals=np.frombuffer("".join(literals).encode(), np.uint8),
        folded=np.frombuffer("".join(folded).encode(), np.uint8),
        literal_starts=np.cumsum([0, *map(len, literals)]),
        shift=np.array([0 if text[0] == "?" else _rarest(text) for _, _, text in listed], np.int64),
        gate=np.array([_GATES.index(kind.gate) for _, kind, _ in listed], np.int64),
        back=np.array([list(BACKS).index(kind.back) for _, kind, _ in listed], np.int64),
        back_limit=np.array([BACKS[kind.back][1] for _, kind, _ in listed], np.int64),
        backs=np.stack([_members(members) for members, _ in BACKS.values()]),
    )


def _pairs(text: str, *, fold: bool) -> list[int]:
    """The byte pairs, as ``first << 8 | second``, at which an anchor is looked for."""
    if text[0] == "?":
        firsts, seconds = SHAPES[text[1:]]
    else:
        at = _rarest(text)
        one, two = text[at], text[at + 1]
        firsts = "".join(sorted({one, one.upper()} if fold else {one})).encode()
        seconds = "".join(sorted({two, two.upper()} if fold else {two})).encode()
    return [first << 8 | second for first in firsts for second in seconds]


def _rarest(text: str) -> int:
    codes = text.encode()
    return min(
        range(len(codes) - 1), key=lambda at: _COMMON.get(codes[at], 0) + _COMMON.get(codes[at + 1], 0)
    )


def find_places(data: np.ndarray, offsets: np.ndarray, kinds: tuple[str, ...]) -> Places:
    """Every place where one of the kinds could lie, in one pass over `columns.document.text_buffers`.

    >>> data = np.frombuffer(b"no" + b"mail ada@lovelace.org", np.uint8)
    >>> places = find_places(data, np.array([0, 2, 23]), ("email",))
    >>> places.row.tolist(), places.start.tolist()
    ([1], [7])
    """
    anchors = anchors_of(kinds)
    room = int(offsets[-1] - offsets[0]) // 64 + 256
    while True:
        rows, starts, found = np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.int32)
        count = _scan(data, offsets, anchors, rows, starts, found)
        if count <= room:
            return Places(rows[:count], starts[:count], anchors.kind[found[:count]])
        room = count


@njit(nogil=True, cache=True)
def _scan(data, offsets, anchors, rows, starts, found):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Write what fits and return how many places there are."""
    count = 0
    for row in range(len(offsets) - 1):
        first, end = offsets[row], offsets[row + 1]
        for at in range(first, end - 1):
            pair = anchors.pairs[np.uint64(data[at]) << np.uint64(8) | np.uint64(data[at + 1])]
            if pair == 0:
                continue
            for member in range(anchors.member_starts[pair], anchors.member_starts[pair + 1]):
                anchor = anchors.members[member]
                start = at - anchors.shift[anchor]
                if start < first or not _literal(data, start, end, anchors, anchor):
                    continue
                behind = start + anchors.literal_starts[anchor + 1] - anchors.literal_starts[anchor]
                if not _passes(data, first, at, behind, end, anchors.gate[anchor]):
                    continue
                if count < len(rows):
                    rows[count] = row
                    starts[count] = _back(data, first, start, anchors, anchor)
                    found[count] = anchor
                count += 1
    return count


@njit(nogil=True, cache=True)
def _literal(data, start, end, anchors, anchor):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    base, stop = anchors.literal_starts[anchor], anchors.literal_starts[anchor + 1]
    if start + stop - base > end:
        return False
    for place in range(base, stop):
        byte = data[start + place - base]
        if byte != anchors.literals[place] and byte != anchors.folded[place]:
            return False
    return True


@njit(nogil=True, cache=True)
def _back(data, first, start, anchors, anchor):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    allowed = anchors.backs[anchors.back[anchor]]
    stop = max(first, start - anchors.back_limit[anchor])
    while start > stop and allowed[data[start - 1]]:
        start -= 1
    return start


@njit(nogil=True, cache=True)
def _passes(data, first, at, behind, end, gate):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, PLR0911
    """The tests of `_GATES`: ``at`` is where a shape begins, ``behind`` the byte after a literal."""
    if gate == 0:
        return True
    if gate == 1:
        return _assignment(data, behind, min(end, behind + 96))
    if gate == 2:
        return _user_information(data, behind, min(end, behind + 200))
    if gate == 3:
        return _domain(data, at + 2, min(end, at + 130))
    if gate == 4:
        return _quad(data, at + 2, min(end, at + 14))
    if gate == 5:
        return _groups(data, first, at, end)
    return _discord(data, first, at, end)


@njit(nogil=True, cache=True)
def _discord(data, first, at, end):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Another dot behind six more characters, and 22 word characters before the first."""
    if at + 8 >= end or data[at + 8] != 46 or at - 21 < first:
        return False
    for place in range(at - 21, at):  # noqa: SIM110
        if not _is_word(data[place]):
            return False
    return True


@njit(nogil=True, cache=True)
def _is_word(byte):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    return 48 <= byte <= 57 or 65 <= byte & 0xDF <= 90 or byte == 95 or byte == 45  # noqa: PLR1714


@njit(nogil=True, cache=True)
def _assignment(data, at, stop):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """The rest of a name, then ``=``, ``:`` or ``,``, then a quote or eight bytes without a blank on the same line."""
    while at < stop and (_is_word(data[at]) or data[at] == 46):
        at += 1
    while at < stop and _CLOSING[data[at]]:
        at += 1
    if at >= stop or not _ASSIGNING[data[at]]:
        return False
    solid = 0
    while at < stop and data[at] != 10:
        byte = data[at]
        if _QUOTES[byte]:
            return True
        solid = 0 if _BREAKING[byte] else solid + 1
        if solid >= 16:
            return True
        at += 1
    return False


@njit(nogil=True, cache=True)
def _user_information(data, at, stop):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """A ``:`` and behind it an ``@`` before the URL's path begins."""
    colon = False
    while at < stop:
        byte = data[at]
        if _ENDING[byte]:
            return False
        if byte == 64:
            return colon
        colon = colon or byte == 58
        at += 1
    return False


@njit(nogil=True, cache=True)
def _domain(data, at, stop):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Labels with a dot and two letters behind it."""
    if at >= stop or not _is_word(data[at]):
        return False
    while at + 2 < stop and (_is_word(data[at]) or data[at] == 46):
        if data[at] == 46:
            return 65 <= data[at + 1] & 0xDF <= 90 or 48 <= data[at + 1] <= 57
        at += 1
    return False


@njit(nogil=True, cache=True)
def _quad(data, at, stop):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Up to three digits, a dot, up to three digits, a dot, a digit."""
    dots = run = 0
    while at < stop:
        byte = data[at]
        if 48 <= byte <= 57:
            run += 1
            if dots == 2:
                return True
            if run > 3:
                return False
        elif byte == 46 and run:
            dots += 1
            run = 0
        else:
            return False
        at += 1
    return False


@njit(nogil=True, cache=True)
def _groups(data, first, at, end):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """At the first ``:`` of a run of hex digits and colons: whether it stands alone and has two colons or more."""
    back = at
    while back > max(first, at - 6) and _is_hex(data[back - 1]):
        back -= 1
    if back > first and (_is_word(data[back - 1]) or data[back - 1] == 58):
        return False
    colons, place = 0, at
    while place < min(end, at + 40) and (data[place] == 58 or _is_hex(data[place])):
        colons += data[place] == 58
        place += 1
    return colons >= 2 and place - back >= 6


@njit(nogil=True, cache=True)
def _is_hex(byte):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    return 48 <= byte <= 57 or 65 <= byte & 0xDF <= 70
