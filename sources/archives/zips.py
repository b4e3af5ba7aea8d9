"""Zip: the directory of an archive, bounded before it is read, and the members where it is lost.

After PKWARE's APPNOTE 6.3.10: the end record (4.3.16) and its 64-bit form (4.3.14, 4.3.15), central headers (4.3.12),
local headers (4.3.7), the extra field of 64-bit sizes (4.5.3). Names are UTF-8 where they say so or happen to be, else
code page 437 (appendix D).
"""

from __future__ import annotations

import stat
import struct
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sources.archives.limits import Limits, Refused

_END = struct.Struct("<4s4H2LH")
_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
LOCAL = struct.Struct("<4s5H3L2H")
_COMMENT = 1 << 16
_NONE = 0xFFFFFFFF
_ENCRYPTED, _UNKNOWN_SIZES, _UTF8 = 0x1, 0x8, 0x800
_UNIX = 3


class Entry(NamedTuple):
    """One member: name as UTF-8 bytes where it can be, kind as in `sources.archives.tars`, and where its data is."""

    name: bytes
    kind: str
    offset: int
    packed: int
    size: int
    crc: int
    method: int
    encrypted: bool
    mtime: int | None = None


class Directory(NamedTuple):
    """What a zip archive holds, in the directory's order, with its comment; ``lost`` says why there is not more."""

    entries: tuple[Entry, ...]
    comment: bytes
    lost: str | None = None


def read_directory(file: Any, size: int, limits: Limits) -> Directory:
    """Read the directory of an open archive; where it has none, walk over the local headers from the start.

    Raises `Refused` for a damaged directory, `OSError`.
    """
    tail_at = max(0, size - _COMMENT - _END.size)
    file.seek(tail_at)
    tail = file.read(size - tail_at)
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) < at + _END.size:
        entries = tuple(_walk(file, limits))
        return Directory(
            entries, b"", f"truncated: no directory; members after the first {len(entries)} may be lost"
        )
    _, _, _, _, _, length, offset, comment = _END.unpack_from(tail, at)
    end = tail_at + at
    if end >= _LOCATOR.size:
        end, length, offset = _wide(file, end, length, offset)
    shift = end - length - offset
    if shift < 0 or length > limits.directory_bytes:
        what = "malformed" if shift < 0 else "too_large"
        raise Refused(f"{what}: a directory of {length:,} bytes at {offset:,}")
    file.seek(offset + shift)
    entries = tuple(_central(file.read(length), shift, limits))
    return Directory(entries, tail[at + _END.size :][:comment])


def _wide(file: Any, end: int, length: int, offset: int) -> tuple[int, int, int]:
    """Where the directory ends, its length and offset, by the 64-bit record if there is one."""
    file.seek(end - _LOCATOR.size)
    mark, _, at, _ = _LOCATOR.unpack(file.read(_LOCATOR.size))
    if mark != b"PK\6\7":
        return end, length, offset
    record = b""
    if at + _END64.size <= end:
        file.seek(at)
        record = file.read(_END64.size)
    if not record.startswith(b"PK\6\6") or len(record) < _END64.size:
        raise Refused("malformed: the 64-bit end record is not where it should be")
    *_, length, offset = _END64.unpack(record)
    return at, length, offset


def _central(raw: bytes, shift: int, limits: Limits) -> Iterator[Entry]:
    at = 0
    for _ in range(limits.members):
        if len(raw) < at + _CENTRAL.size or raw[at : at + 4] != b"PK\1\2":
            if at < len(raw) and raw[at : at + 4] != b"PK\5\5":
                raise Refused("malformed: a damaged entry in the directory")
            return
        fields = _CENTRAL.unpack_from(raw, at)
        names, extras, comments = fields[10:13]
        start = at + _CENTRAL.size
        extra = raw[start + names : start + names + extras]
        yield _entry(fields, raw[start : start + names], extra, shift)
        at = start + names + extras + comments
    raise Refused(f"too_large: more than {limits.members:,} members")


def _entry(fields: tuple[Any, ...], name: bytes, extra: bytes, shift: int) -> Entry:
    made, flags, method, crc = fields[1], fields[3], fields[4], fields[7]
    size, packed, offset = _wide_sizes(fields[9], fields[8], fields[16], extra)
    name = _name(name, made >> 8, is_utf8=bool(flags & _UTF8))
    kind = _kind(name, fields[15] >> 16 if made >> 8 == _UNIX else 0)
    changed = _time(fields[5], fields[6], extra)
    return Entry(name, kind, offset + shift, packed, size, crc, method, bool(flags & _ENCRYPTED), changed)


def _time(clock: int, date: int, extra: bytes) -> int | None:
    """Seconds since 1970: of the extended timestamp (extra field 0x5455), else of the DOS time, which has no zone."""
    stamp = _extra(extra, 0x5455)
    if len(stamp) >= 5 and stamp[0] & 1:
        return int(struct.unpack_from("<l", stamp, 1)[0])
    try:
        found = datetime(
            1980 + (date >> 9),
            date >> 5 & 15,
            date & 31,
            clock >> 11,
            clock >> 5 & 63,
            2 * (clock & 31),
            tzinfo=UTC,
        )
    except ValueError:
        return None
    return int(found.timestamp())


def _wide_sizes(size: int, packed: int, offset: int, extra: bytes) -> tuple[int, int, int]:
    wide = _extra(extra, 1)
    values = iter(struct.unpack(f"<{len(wide) // 8}Q", wide[: len(wide) // 8 * 8]))
    return tuple(next(values, value) if value == _NONE else value for value in (size, packed, offset))  # type: ignore[return-value]


def _extra(extra: bytes, wanted: int) -> bytes:
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == wanted:
            return extra[at + 4 : at + 4 + length]
        at += 4 + length
    return b""


def _name(raw: bytes, system: int, *, is_utf8: bool) -> bytes:
    if not is_utf8 and not raw.isascii():
        try:
            raw.decode()
        except UnicodeDecodeError:
            raw = raw.decode("cp437").encode()
    return raw.replace(b"\\", b"/") if system == 0 and b"/" not in raw else raw


def _kind(name: bytes, mode: int) -> str:
    if name.endswith(b"/"):
        return "folder"
    if stat.S_ISLNK(mode):
        return "symlink"
    return "file" if stat.S_IFMT(mode) in (0, stat.S_IFREG) else "not_a_file"


def _walk(file: Any, limits: Limits) -> Iterator[Entry]:
    """Members by their local headers, up to the first that is cut off or does not say how long it is."""
    at = 0
    for _ in range(limits.members):
        file.seek(at)
        head = file.read(LOCAL.size)
        if len(head) < LOCAL.size or not head.startswith(b"PK\3\4"):
            return
        _, _, flags, method, _, _, crc, packed, size, names, extras = LOCAL.unpack(head)
        raw, extra = file.read(names), file.read(extras)
        size, packed, _ = _wide_sizes(size, packed, 0, extra)
        if flags & _UNKNOWN_SIZES and not packed:
            return
        name = _name(raw, _UNIX, is_utf8=bool(flags & _UTF8))
        yield Entry(name, _kind(name, 0), at, packed, size, crc, method, bool(flags & _ENCRYPTED))
        at += LOCAL.size + names + extras + packed
