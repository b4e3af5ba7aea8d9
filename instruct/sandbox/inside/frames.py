"""Length-prefixed frames over a stream socket or a pipe, by descriptor."""

from __future__ import annotations

import os

LIMIT = 1 << 24


class Closed(Exception):
    """The other end is gone, or sent a frame longer than allowed."""


def send(fd: int, data: bytes) -> None:
    """Write one frame: four bytes of length, big-endian, and the data."""
    rest = memoryview(len(data).to_bytes(4, "big") + data)
    try:
        while rest:
            rest = rest[os.write(fd, rest) :]
    except OSError:
        raise Closed from None


def receive(fd: int, limit: int = LIMIT) -> bytes:
    """Read one frame of at most ``limit`` bytes."""
    length = int.from_bytes(_exactly(fd, 4), "big")
    if length > limit:
        raise Closed
    return _exactly(fd, length)


def _exactly(fd: int, count: int) -> bytes:
    parts = []
    while count:
        try:
            part = os.read(fd, min(count, 1 << 20))
        except OSError:
            raise Closed from None
        if not part:
            raise Closed
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
