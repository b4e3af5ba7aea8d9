"""Plain data as bytes and back: what crosses the border of a sandbox.

Plain data is None, bool, int, float, complex, str, bytes, and list, tuple, set, frozenset and dict of plain data, of
exactly these types. Nothing else can be written and nothing else can be read, so a value that was read has no
behaviour of its own: comparing it calls no code of the other side.
"""

from __future__ import annotations

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DEPTH = 64
_COUNT = struct.Struct(">I")
_FLOAT = struct.Struct(">d")
_COMPLEX = struct.Struct(">dd")
_CONSTANTS: dict[bytes, object] = {b"N": None, b"T": True, b"F": False}
_SEQUENCES: dict[type, bytes] = {list: b"l", tuple: b"t", set: b"S", frozenset: b"Z"}
_HASHED = frozenset((b"S", b"Z", b"d"))


class NotPlain(Exception):
    """A value that is not plain data, is nested deeper than ``DEPTH``, or is larger than the limit."""


class Malformed(Exception):
    """Bytes that are not one encoded value."""


def encode(value: Any, *, limit: int = 1 << 24) -> bytes:
    """The bytes of plain data. Sets are sorted by their bytes: equal sets have equal bytes, dicts keep their order.

    >>> decode(encode({"a": [1, 2.5, (None, b"x")], "b": {3}}))
    {'a': [1, 2.5, (None, b'x')], 'b': {3}}

    Raises:
        NotPlain: another type (subclasses too), nested deeper than ``DEPTH``, or more than ``limit`` bytes.
    """
    parts: list[bytes] = []
    if _write(value, parts, limit, DEPTH) < 0:
        raise NotPlain(f"larger than {limit} bytes")
    return b"".join(parts)


def _write(value: Any, parts: list[bytes], room: int, depth: int) -> int:
    """Append the value's bytes and return the room that is left; negative where it ran out."""
    kind = type(value)
    if depth == 0:
        raise NotPlain(f"nested deeper than {DEPTH}")
    if value is None or kind is bool:
        parts.append(b"N" if value is None else b"T" if value else b"F")
        return room - 1
    if kind is list or kind is tuple:
        parts.append(_SEQUENCES[kind] + _COUNT.pack(len(value)))
        room -= 5
        for item in value:
            room = _write(item, parts, room, depth - 1)
            if room < 0:
                break
        return room
    if kind is dict:
        parts.append(b"d" + _COUNT.pack(len(value)))
        room -= 5
        for key, item in value.items():
            room = _write(item, parts, _write(key, parts, room, depth - 1), depth - 1)
            if room < 0:
                break
        return room
    data = _set(value, room, depth) if kind is set or kind is frozenset else _scalar(value, room)
    parts.append(data)
    return room - len(data)


def _set(value: Any, room: int, depth: int) -> bytes:
    items = []
    for item in value:
        parts: list[bytes] = []
        room = _write(item, parts, room, depth - 1)
        if room < 0:
            raise NotPlain("too large")
        items.append(b"".join(parts))
    return _SEQUENCES[type(value)] + _COUNT.pack(len(items)) + b"".join(sorted(items))


def _scalar(value: Any, room: int) -> bytes:
    kind = type(value)
    if kind is int:
        if value.bit_length() > room * 8:
            raise NotPlain("too large")
        data = value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True)
        return b"i" + _COUNT.pack(len(data)) + data
    if kind is str:
        data = value.encode("utf-8", "surrogatepass")
        return b"s" + _COUNT.pack(len(data)) + data
    if kind is float:
        return b"f" + _FLOAT.pack(value)
    if kind is bytes:
        return b"b" + _COUNT.pack(len(value)) + value
    if kind is complex:
        return b"c" + _COMPLEX.pack(value.real, value.imag)
    raise NotPlain(f"of type {kind.__name__}"[:80])


def decode(data: bytes, *, hashing: bool = True) -> Any:
    """The value that the bytes stand for; any bytes are safe to give.

    Costs n² for n members of a set or keys of a dict whose hashes were made to collide: what may be large and comes
    from the other side is read without ``hashing``, and holds neither.

    Raises:
        Malformed: the bytes are not exactly one encoded value, or hold what needs ``hashing``.
    """
    try:
        value, end = _read(data, 0, DEPTH, frozenset() if hashing else _HASHED)
    except (struct.error, TypeError, ValueError, MemoryError) as error:
        raise Malformed(f"not an encoded value: {error}") from None
    if end != len(data):
        raise Malformed(f"{len(data) - end} bytes after the value")
    return value


def _read(data: bytes, at: int, depth: int, refused: frozenset[bytes]) -> tuple[Any, int]:
    if depth == 0:
        raise Malformed("nested too deep")
    tag, at = data[at : at + 1], at + 1
    if tag in _CONSTANTS:
        return _CONSTANTS[tag], at
    if tag == b"f":
        return _FLOAT.unpack_from(data, at)[0], at + 8
    if tag == b"c":
        return complex(*_COMPLEX.unpack_from(data, at)), at + 16
    count, at = _COUNT.unpack_from(data, at)[0], at + 4
    if count > len(data) - at:
        raise Malformed("longer than its bytes")
    if tag in b"isb":
        return _sized(tag, data[at : at + count]), at + count
    if tag in refused:
        raise Malformed("a set or a dict where none is expected")
    return _container(tag, count, data, at, depth, refused)


def _sized(tag: bytes, data: bytes) -> object:
    if tag == b"i":
        return int.from_bytes(data, "big", signed=True)
    return data.decode("utf-8", "surrogatepass") if tag == b"s" else data


def _container(
    tag: bytes, count: int, data: bytes, at: int, depth: int, refused: frozenset[bytes]
) -> tuple[object, int]:
    if tag == b"d":
        mapping = {}
        for _ in range(count):
            key, at = _read(data, at, depth - 1, refused)
            mapping[key], at = _read(data, at, depth - 1, refused)
        return mapping, at
    makers = {name: kind for kind, name in _SEQUENCES.items()}
    if tag not in makers:
        raise Malformed(f"unknown tag {tag!r}")
    items = []
    for _ in range(count):
        item, at = _read(data, at, depth - 1, refused)
        items.append(item)
    return makers[tag](items), at
