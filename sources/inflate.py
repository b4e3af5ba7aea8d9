"""Inflating: plain, gzip, zstd, bzip2 and xz files as blocks of bytes, keeping all there is before a break."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import zstandard

from sources.locations import open_location

BLOCK = 1 << 18

_GZIP_WINDOW = 31
_XZ_MEMORY = 128 << 20
_ERRORS = (zlib.error, zstandard.ZstdError, lzma.LZMAError, OSError, EOFError)


class Broken(Exception):
    """The stream ends or breaks here; everything before was given out."""


class Codec(NamedTuple):
    """A compression: how its files begin, what inflates it, and how much to feed at once.

    ``feed`` bounds what a decompression bomb can make of one piece: 16 MiB for DEFLATE, whose best ratio is
    1,032, 32 MiB for zstd, which can write 128 KiB for 4 bytes, and less for bzip2 (900 kB for 45 bytes) and xz.
    """

    magic: bytes
    start: Callable[[], Any]
    feed: int


CODECS = (
    Codec(b"\x1f\x8b", lambda: zlib.decompressobj(_GZIP_WINDOW), 1 << 14),
    Codec(b"\x28\xb5\x2f\xfd", lambda: zstandard.ZstdDecompressor().decompressobj(), 1 << 10),
    Codec(b"BZh", bz2.BZ2Decompressor, 1 << 9),
    Codec(b"\xfd7zXZ\0", lambda: lzma.LZMADecompressor(memlimit=_XZ_MEMORY), 1 << 10),
)


def blocks(url: str) -> Iterator[bytes]:
    """The inflated bytes, compression told by the first bytes; raises `Broken` at a break, and `OSError`."""
    with open_location(url) as file:
        first = file.read(BLOCK)
        for codec in CODECS:
            if first.startswith(codec.magic):
                yield from _inflated(codec, _pieces(codec.feed, first, file))
                return
        while first:
            yield first
            first = file.read(BLOCK)


def _pieces(feed: int, first: bytes, file: Any) -> Iterator[bytes]:
    block = first
    while block:
        for start in range(0, len(block), feed):
            yield block[start : start + feed]
        block = file.read(BLOCK)


def _inflated(codec: Codec, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Inflate member after member; zero bytes after the last one are padding."""
    inflater = None
    for piece in pieces:
        rest = piece
        while rest and (inflater is not None or rest.strip(b"\0")):
            inflater = codec.start() if inflater is None else inflater
            yield _inflate(inflater, rest)
            rest = inflater.unused_data if inflater.eof else b""
            inflater = None if inflater.eof else inflater
    if inflater is not None:
        raise Broken("the compressed stream ends in the middle")


def _inflate(inflater: Any, piece: bytes) -> bytes:
    try:
        return bytes(inflater.decompress(piece))
    except _ERRORS as error:
        raise Broken(f"the compressed stream is damaged: {error}") from None
