"""Lines of a byte stream, numbered from 1, with a limit so that no line can fill the memory."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Line(NamedTuple):
    """One line without its newline; ``data`` is None when it is longer than the limit."""

    number: int
    data: bytes | None
    size: int


def numbered_lines(blocks: Iterable[bytes], limit: int) -> Iterator[Line]:
    """Cut blocks into lines at "\\n"; holds at most ``limit`` bytes of a line and one block.

    A byte-order mark before the first line is dropped.

    >>> [(line.number, line.data) for line in numbered_lines([b"a\\nbc", b"c\\nd"], 2)]
    [(1, b'a'), (2, None), (3, b'd')]
    """
    number, held, size = 1, bytearray(), 0
    for block in without_mark(blocks):
        start = 0
        while (end := block.find(b"\n", start)) >= 0:
            size += end - start
            if size <= limit:
                held += block[start:end]
            yield Line(number, bytes(held) if size <= limit else None, size)
            number, size, start = number + 1, 0, end + 1
            held.clear()
        size += len(block) - start
        if size <= limit:
            held += block[start:]
        else:
            held.clear()
    if size:
        yield Line(number, bytes(held) if size <= limit else None, size)


def without_mark(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The blocks without a UTF-8 byte-order mark at the start, however it is cut.

    >>> b"".join(without_mark([b"\\xef", b"\\xbb\\xbfa"]))
    b'a'
    """
    stream = iter(blocks)
    head = b""
    for block in stream:
        head += block
        if len(head) >= len(codecs.BOM_UTF8):
            break
    yield head.removeprefix(codecs.BOM_UTF8)
    yield from stream
