"""Packets: git's pkt-line framing (git's Documentation/gitprotocol-common), read from blocks as they come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sources.github.refusals import Passing, Refusal

FLUSH = b"0000"
DELIMITER = b"0001"

_DATA, _PROGRESS, _ERROR = 1, 2, 3
_SPECIAL = {0: None, 1: b"", 2: None}


def packet(line: str) -> bytes:
    """A line as a packet.

    >>> packet("done")
    b'0009done\\n'
    """
    raw = line.encode() + b"\n"
    return b"%04x%b" % (len(raw) + 4, raw)


def packets(blocks: Iterable[bytes]) -> Iterator[bytes | None]:
    """The payloads of packets; None for a flush (and a response's end), b"" for a delimiter.

    `Passing` when the stream ends inside a packet, `Refusal` when it is no packet at all.

    >>> list(packets([b"000", b"9done\\n0001", b"0000"]))
    [b'done\\n', b'', None]
    """
    held = bytearray()
    for block in blocks:
        held += block
        start = 0
        while len(held) - start >= 4:
            size = _size(bytes(held[start : start + 4]))
            if size < 4:
                yield _SPECIAL[size]
                start += 4
            elif len(held) - start >= size:
                yield bytes(held[start + 4 : start + size])
                start += size
            else:
                break
        del held[:start]
    if held:
        raise Passing("the answer ends in the middle")


def _size(digits: bytes) -> int:
    try:
        size = int(digits, 16)
    except ValueError:
        raise Refusal("failed", "not a git server: the answer is no packet") from None
    if size == 3 or b"_" in digits or b"-" in digits or b"+" in digits:
        raise Refusal("failed", "not a git server: the answer is no packet")
    return size


def lines(blocks: Iterable[bytes]) -> Iterator[str]:
    """Text packets up to the flush; `Passing` when there is none, `Refusal` when the server says ERR."""
    ended = False
    for payload in packets(blocks):
        if payload is None:
            ended = True
        elif not ended:
            yield line_text(payload)
    if not ended:
        raise Passing("the answer ends in the middle")


def pack_bytes(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The pack out of a fetch's answer; `Passing` when it is cut off, `Refusal` when there is none."""
    inside = ended = False
    for payload in packets(blocks):
        if payload is None:
            ended = True
        elif inside and not ended:
            yield from _demultiplexed(payload)
        elif not ended:
            inside = line_text(payload) == "packfile"
    if not ended:
        raise Passing("the answer ends in the middle")
    if not inside:
        raise Refusal("failed", "the server sent no pack")


def _demultiplexed(payload: bytes) -> Iterator[bytes]:
    band = payload[0] if payload else 0
    if band == _DATA:
        yield payload[1:]
    elif band == _ERROR:
        raise Passing(f"the server gave up: {_shown(payload[1:])}")
    elif band != _PROGRESS:
        raise Refusal("failed", "not a git server: unknown band of the answer")


def line_text(payload: bytes) -> str:
    """A packet's text without its newline; `Refusal` when it is the server's error."""
    text = payload.decode("utf-8", "backslashreplace").removesuffix("\n")
    if text.startswith("ERR "):
        raise Refusal("failed", f"the server says: {_shown(payload[4:])}")
    return text


def _shown(raw: bytes) -> str:
    text = raw[:200].decode("ascii", "backslashreplace").strip()
    return "".join(c if c.isprintable() else "?" for c in text)
