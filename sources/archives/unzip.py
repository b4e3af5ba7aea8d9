"""Unzip: the bytes of one member of a zip archive, never more than its directory entry says."""

from __future__ import annotations

import bz2
import lzma
import struct
import zlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import zstandard

from sources.archives.zips import LOCAL, Entry

_RAW = -15
_PROPERTIES = struct.Struct("<2BHBL")
_LEAST_DICTIONARY = 4096


class _Method(NamedTuple):
    start: Callable[[Entry], Any]
    feed: int


class _Stored:
    def decompress(self, piece: bytes) -> bytes:
        return piece


class _Lzma:
    """Raw LZMA after its properties (APPNOTE 5.8.8); the dictionary is never larger than the member says it is."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._head = b""
        self._inflater: lzma.LZMADecompressor | None = None

    @property
    def eof(self) -> bool:
        return self._inflater is not None and self._inflater.eof

    def decompress(self, piece: bytes) -> bytes:
        if self._inflater is None:
            self._head += piece
            if len(self._head) < _PROPERTIES.size:
                return b""
            _, _, length, coded, dictionary = _PROPERTIES.unpack_from(self._head)
            if length != 5 or coded >= 9 * 5 * 5:
                raise ValueError("LZMA properties that are none")
            found = {"lc": coded % 9, "lp": coded // 9 % 5, "pb": coded // 45}
            limit = max(min(dictionary, self._size), _LEAST_DICTIONARY)
            chain = [{"id": lzma.FILTER_LZMA1, "dict_size": limit, **found}]
            self._inflater = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=chain)
            piece, self._head = self._head[_PROPERTIES.size :], b""
        return self._inflater.decompress(piece)


_METHODS: Mapping[int, _Method] = {
    0: _Method(lambda entry: _Stored(), 1 << 20),
    8: _Method(lambda entry: zlib.decompressobj(_RAW), 1 << 14),
    12: _Method(lambda entry: bz2.BZ2Decompressor(), 1 << 9),
    14: _Method(lambda entry: _Lzma(entry.size), 1 << 10),
    93: _Method(lambda entry: zstandard.ZstdDecompressor().decompressobj(), 1 << 10),
}
_UNREAD: Mapping[int, str] = {1: "Shrink", 6: "Implode", 9: "Deflate64", 95: "XZ", 96: "JPEG", 98: "PPMd"}


def member_bytes(file: Any, entry: Entry) -> tuple[bytes | None, str | None]:
    """A member's bytes, or None and the problem: encrypted, an unknown method, damaged, cut off, or not as said.

    Holds the member and what one piece of packed bytes inflates to (at most 32 MiB).
    """
    if entry.encrypted:
        return None, "unreadable: encrypted"
    if entry.method not in _METHODS:
        named = _UNREAD.get(entry.method, "unknown")
        return None, f"unreadable: compressed by method {entry.method} ({named}), which is not read"
    file.seek(entry.offset)
    head = file.read(LOCAL.size)
    if len(head) < LOCAL.size or not head.startswith(b"PK\3\4"):
        return None, "malformed: no member where the directory says"
    names, extras = LOCAL.unpack(head)[-2:]
    file.seek(entry.offset + LOCAL.size + names + extras)
    return _checked(_inflated(file, entry), entry)


def _inflated(file: Any, entry: Entry) -> bytes | str:
    method = _METHODS[entry.method]
    inflater = method.start(entry)
    pieces, total, left = [], 0, entry.packed
    while left and total <= entry.size and not getattr(inflater, "eof", False):
        packed = file.read(min(left, method.feed))
        if not packed:
            return "truncated: the archive ends in the middle"
        left -= len(packed)
        try:
            pieces.append(inflater.decompress(packed))
        except (zlib.error, lzma.LZMAError, zstandard.ZstdError, OSError, ValueError) as error:
            return f"malformed: {error}"
        total += len(pieces[-1])
    return b"".join(pieces)


def _checked(found: bytes | str, entry: Entry) -> tuple[bytes | None, str | None]:
    if isinstance(found, str):
        return None, found
    if len(found) != entry.size:
        more = "more than" if len(found) > entry.size else f"{len(found):,} of"
        return None, f"malformed: {more} {entry.size:,} bytes"
    if zlib.crc32(found) != entry.crc:
        return None, "malformed: wrong checksum"
    return found, None
