"""Feed: exact reads from a stream of inflated blocks, with limits against decompression bombs."""

from __future__ import annotations

from collections.abc import Iterator

from sources.archives.limits import Limits
from sources.inflate import Broken


class Feed:
    """Bytes of an inflated stream in order; holds one block and what is asked for.

    ``packed`` is the archive's size on disk. Raises `sources.inflate.Broken` where the stream ends too early, and
    `Refused` when more is asked for after it inflated to more than ``limits`` allow.
    """

    def __init__(self, blocks: Iterator[bytes], packed: int, limits: Limits) -> None:
        self._blocks, self._packed, self._limits = blocks, packed, limits
        self._block, self._at, self._inflated = b"", 0, 0

    @property
    def position(self) -> int:
        """Bytes given out or skipped so far."""
        return self._inflated - len(self._block) + self._at

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes."""
        if self._at + count <= len(self._block):
            self._at += count
            return self._block[self._at - count : self._at]
        pieces = [self._block[self._at :]]
        wanted = count - len(pieces[0])
        while wanted:
            self._advance()
            self._at = min(wanted, len(self._block))
            pieces.append(self._block[: self._at])
            wanted -= self._at
        return b"".join(pieces)

    def skip(self, count: int) -> None:
        """Pass over ``count`` bytes."""
        while self._at + count > len(self._block):
            count -= len(self._block) - self._at
            self._advance()
        self._at += count

    def drain(self) -> None:
        """Read to the end and keep nothing: the stream's own checksum comes last."""
        for block in self._blocks:
            self._inflated += len(block)
            self._limits.check_inflated(self._inflated, self._packed)

    def _advance(self) -> None:
        self._limits.check_inflated(self._inflated, self._packed)
        block = next(self._blocks, None)
        self._block, self._at = b"" if block is None else block, 0
        if block is None:
            raise Broken("the archive ends in the middle")
        self._inflated += len(block)
