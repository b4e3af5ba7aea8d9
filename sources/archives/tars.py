"""Tar: the members of a stream, one header after the other.

Written for hostile input: every length is bounded before it is read, nothing is looked up twice, links are told but
never followed. Reads ustar, GNU (long names, sparse members, base-256 numbers) and pax (own and global records), as in
POSIX.1-2017, pax, "ustar Interchange Format" and "pax Extended Header", and in the GNU tar manual, "Basic Tar Format".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from sources.archives.feed import Feed
from sources.archives.limits import Limits, Refused

BLOCK = 512

_KINDS = {
    b"0": "file",
    b"\0": "file",
    b"7": "file",
    b"5": "folder",
    b"2": "symlink",
    b"1": "hardlink",
    b"S": "sparse",
}
_EXTENSIONS = {b"x", b"X", b"g", b"L", b"K"}
_WITHOUT_DATA = {b"1", b"2", b"3", b"4", b"5", b"6"}
_KEPT = {b"path", b"size", b"comment", b"mtime"}
_SPARSE = b"GNU.sparse."

Records = Mapping[bytes, bytes]


class Member(NamedTuple):
    """One member: its name as stored, its kind ("file", "folder", "symlink", "hardlink", "sparse", "not_a_file"), the
    bytes of data that follow, the archive's comment (git writes the commit there), and when it was changed, in seconds
    since 1970."""

    name: bytes
    kind: str
    size: int
    comment: bytes
    mtime: int | None = None


class _Header(NamedTuple):
    name: bytes
    kind: bytes
    size: int
    mtime: int | None
    extended: bool


def members(feed: Feed, limits: Limits) -> Iterator[Member]:
    """Yield members in order; the caller may `Feed.take` a member's data before asking for the next.

    Ends at the end mark. Raises `Refused` for a damaged header and beyond the limits, `sources.inflate.Broken`
    where the stream ends.
    """
    shared: dict[bytes, bytes] = {}
    own: dict[bytes, bytes] = {}
    held = 0
    for _ in range(limits.members):
        header = _header(feed.take(BLOCK))
        if header is None:
            return
        if header.kind in _EXTENSIONS:
            held += header.size
            _check_extension(held, limits)
            (shared if header.kind == b"g" else own).update(_extension(header, feed.take(header.size)))
            feed.skip(-header.size % BLOCK)
            continue
        member = _member(header, {**shared, **own})
        _skip_sparse_map(header, feed)
        end = feed.position + member.size + (-member.size % BLOCK)
        yield member
        feed.skip(end - feed.position)
        own, held = {}, 0
    raise Refused(f"too_large: more than {limits.members:,} members")


def _check_extension(held: int, limits: Limits) -> None:
    if held > limits.header_bytes:
        raise Refused(f"malformed: a header of {held:,} bytes")


def _header(block: bytes) -> _Header | None:
    if not any(block):
        return None
    if _number(block[148:156]) not in _checksums(block):
        raise Refused("malformed: the header of a member has a wrong checksum")
    name, prefix = _text(block[:100]), _text(block[345:500])
    if block[257:263] == b"ustar\0" and prefix:
        name = prefix + b"/" + name
    return _Header(
        name, block[156:157], _number(block[124:136]), _time(block[136:148]), extended=block[482] != 0
    )


def _checksums(block: bytes) -> tuple[int, int]:
    """The sum of unsigned bytes, and of signed ones as some old programs took it."""
    counted = block[:148] + b" " * 8 + block[156:]
    total = sum(counted)
    return total, total - 256 * sum(byte > 127 for byte in counted) if not counted.isascii() else total


def _text(field: bytes) -> bytes:
    return field.split(b"\0", 1)[0]


def _number(field: bytes) -> int:
    """An octal number, or a base-256 one when the first bit is set (GNU)."""
    if field[0] & 0x80:
        number = -1 if field[0] & 0x40 else int.from_bytes(bytes([field[0] & 0x3F]) + field[1:], "big")
    else:
        digits = field.strip(b" \0") or b"0"
        number = int(digits, 8) if digits.isdigit() and not digits.strip(b"01234567") else -1
    if number < 0:
        raise Refused("malformed: the header of a member holds no number where one is expected")
    return number


def _time(field: bytes) -> int | None:
    """A number, or None: a time that is none costs nothing."""
    try:
        return _number(field)
    except Refused:
        return None


def _extension(header: _Header, raw: bytes) -> dict[bytes, bytes]:
    if header.kind == b"L":
        return {b"path": _text(raw)}
    return {} if header.kind == b"K" else dict(_records(raw))


def _records(raw: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The pax records that are used, "LENGTH KEY=VALUE\\n" each."""
    at = 0
    while at < len(raw) and raw[at]:
        space = raw.find(b" ", at, at + 20)
        length = int(raw[at:space]) if space > 0 and raw[at:space].isdigit() else 0
        key, equals, value = raw[space + 1 : at + length - 1].partition(b"=")
        if not equals or raw[at + length - 1 : at + length] != b"\n":
            raise Refused("malformed: a pax header that is no list of records")
        if key in _KEPT or key.startswith(_SPARSE):
            yield (_SPARSE if key.startswith(_SPARSE) else key), value
        at += length


def _member(header: _Header, records: Records) -> Member:
    size, name = header.size, records.get(b"path", header.name)
    if b"size" in records:
        if not records[b"size"].isdigit() or len(records[b"size"]) > 20:
            raise Refused("malformed: a pax header with a size that is no number")
        size = int(records[b"size"])
    size = 0 if header.kind in _WITHOUT_DATA else size
    kind = _KINDS.get(header.kind, "not_a_file")
    if kind == "file" and name.endswith(b"/"):
        kind = "folder"
    kind = "sparse" if _SPARSE in records else kind
    return Member(name, kind, size, records.get(b"comment", b""), _pax_time(records, header.mtime))


def _pax_time(records: Records, stated: int | None) -> int | None:
    """Whole seconds of the pax record, which may hold fractions, else of the header."""
    whole = records.get(b"mtime", b"").partition(b".")[0]
    return int(whole) if whole.isdigit() and len(whole) < 20 else stated


def _skip_sparse_map(header: _Header, feed: Feed) -> None:
    """Old GNU sparse members have blocks of their map between header and data, each saying if one follows."""
    more = header.kind == b"S" and header.extended
    while more:
        more = feed.take(BLOCK)[504] != 0
