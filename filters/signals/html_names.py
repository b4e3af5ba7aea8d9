"""HTML names: the elements that decide what is text, and the character references, by hash for kernels."""

from __future__ import annotations

from functools import cache
from html.entities import html5
from typing import NamedTuple

import numpy as np
from numba import njit

_FNV_START, _FNV_PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
_SLOTS = 8192
_VOID = (
    "area base br col embed hr img input keygen link menuitem meta param source track wbr basefont bgsound command "
    "frame image isindex nextid spacer"
)
IS_RAW, IS_HIDDEN, IS_KEPT, IS_VOID = range(1, 5)
_ROLES = {IS_RAW: "script style", IS_HIDDEN: "template rt rp", IS_KEPT: "pre textarea"}
_SECTIONS = {"cdata": 3, "temp": 2, "ignore": 2, "include": 2, "rcdata": 2, "if": 1, "else": 1, "endif": 1}


class HtmlNames(NamedTuple):
    """Names by hash, open addressing, `_SLOTS` slots: roles of elements, lengths of references, kinds of sections."""

    element_hashes: np.ndarray
    roles: np.ndarray
    reference_hashes: np.ndarray
    lengths: np.ndarray
    section_hashes: np.ndarray
    sections: np.ndarray


@cache
def html_names() -> HtmlNames:
    """The elements that matter to text and HTML's 2,125 named character references (`html.entities.html5`)."""
    roles = {name: role for role, names in _ROLES.items() for name in names.split()}
    roles |= {name: role for role, name in enumerate(_VOID.split(), IS_VOID)}
    lengths: dict[str, int] = {}
    for name, characters in sorted(html5.items()):
        lengths.setdefault(name.removesuffix(";"), len(characters))
    return HtmlNames(*_table(roles), *_table(lengths), *_table(_SECTIONS))


def _table(values: dict[str, int]) -> tuple[np.ndarray, np.ndarray]:
    hashes, stored = np.zeros(_SLOTS, np.uint64), np.zeros(_SLOTS, np.int64)
    for name, value in values.items():
        raw = np.frombuffer(name.encode(), np.uint8)
        key = np.uint64(name_hash(raw, 0, len(raw), 0))
        slot = name_slot(hashes, key)
        if hashes[slot] == key:
            raise ValueError(f"html names: expected distinct hashes, got two for {name!r}")
        hashes[slot], stored[slot] = key, value
    return hashes, stored


@njit(nogil=True, cache=True)
def name_hash(text, start, stop, folds):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """FNV-1a of a name, its ASCII capitals folded when ``folds`` is not 0."""
    value = _FNV_START
    for at in range(start, stop):
        byte = text[at]
        if folds and 65 <= byte <= 90:
            byte += 32
        value = (value ^ np.uint64(byte)) * _FNV_PRIME
    return value


@njit(nogil=True, cache=True)
def name_slot(hashes, key):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Where a hash is stored, or the empty slot where it would be."""
    slot = np.int64(key & np.uint64(_SLOTS - 1))
    while hashes[slot] != 0 and hashes[slot] != key:
        slot = (slot + 1) % _SLOTS
    return slot
