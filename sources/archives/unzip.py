"""Unzip: the bytes of one member of a zip archive, never more than its directory entry says."""

from __future__ import annotations

import bz2
import zlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import zstandard

from sources.archives.zips import LOCAL, Entry

_RAW = -15


class _Method(NamedTuple):
    start: Callable[[], Any]
    feed: int


class _Stored:
    def decompress(self, piece: bytes) -> bytes:
        return piece


_METHODS: Mapping[int, _Method] = {
    0: _Method(_Stored, 1 << 20),
    8: _Method(lambda: zlib.decompressobj(_RAW), 1 << 14),
    12: _Method(bz2.BZ2Decompressor, 1 << 9),
    93: _Method(lambda: zstandard.ZstdDecompressor().decompressobj(), 1 << 10),
}


def member_bytes(file: Any, entry: Entry) -> tuple[bytes | None, str | None]:
    """A member's bytes, or None and the problem: encrypted, an unknown method, damaged, cut off, or not as said.

    Holds the member and what one piece of packed bytes inflates to (at most 32 MiB).
    """
    if entry.encrypted:
        return None, "unreadable: encrypted"
    if entry.method not in _METHODS:
        return None, f"unreadable: compression method {entry.method} is not known"
    file.seek(entry.offset)
    head = file.read(LOCAL.size)
    if len(head) < LOCAL.size or not head.startswith(b"PK\3\4"):
        return None, "malformed: no member where the directory says"
    names, extras = LOCAL.unpack(head)[-2:]
    file.seek(entry.offset + LOCAL.size + names + extras)
    return _checked(_inflated(file, entry), entry)


def _inflated(file: Any, entry: Entry) -> bytes | str:
    method = _METHODS[entry.method]
    inflater = method.start()
    pieces, total, left = [], 0, entry.packed
    while left and total <= entry.size and not getattr(inflater, "eof", False):
        packed = file.read(min(left, method.feed))
        if not packed:
            return "truncated: the archive ends in the middle"
        left -= len(packed)
        try:
            pieces.append(inflater.decompress(packed))
        except (zlib.error, zstandard.ZstdError, OSError, ValueError) as error:
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
