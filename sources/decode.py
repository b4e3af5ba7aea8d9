"""Decoding: bytes to text, saying what was lost.

The rules, in order:

* UTF-32 or UTF-16 with a byte-order mark is decoded; the mark belongs to the encoding and is dropped, so the
  text equals its UTF-8 copy. What does not decode becomes U+FFFD (``lossy``).
* Valid UTF-8 is kept as it is. A UTF-8 byte-order mark stays in the text as U+FEFF (the bytes of the
  file are the bytes of the text) and the encoding says "utf-8-sig".
* NUL is a valid character and stays, unless more than a tenth of the bytes are NUL: then it is "binary".
* Invalid UTF-8 without NUL: each bad sequence becomes U+FFFD (``lossy``); with NUL it is "binary".
"""

from __future__ import annotations

import codecs
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from columns.document import text_buffers

BINARY_SHARE = 0.1

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class Decoded(NamedTuple):
    """Texts row by row: ``content`` large_string, ``encoding`` and ``problem`` string, ``lossy`` bool."""

    content: pa.Array
    encoding: pa.Array
    lossy: pa.Array
    problem: pa.Array


class Text(NamedTuple):
    """One decoded text as UTF-8 bytes, or None for binary."""

    utf8: bytes | None
    encoding: str
    lossy: bool


def decode(raw: pa.Array, max_bytes: int) -> Decoded:
    """Decode a batch: ``large_binary[n]`` to texts; rows over ``max_bytes`` are "too_large", nulls "missing".

    Valid UTF-8 is validated by Arrow and not copied; only rows that are not valid cost Python.

    >>> d = decode(pa.array([b"a", b"\\xff", None], pa.large_binary()), 10)
    >>> d.content.to_pylist(), d.lossy.to_pylist(), d.problem.to_pylist()
    (['a', '\ufffd', None], [False, True, False], [None, None, 'missing'])
    """
    missing = np.asarray(raw.is_null())
    too_large = row_lengths(raw) > max_bytes
    kept = _blank(raw, too_large)
    invalid = _invalid_rows(kept, 0)
    binary = _nul_share(kept) > BINARY_SHARE
    binary[invalid] = False
    encoding = np.where(_marked(kept), "utf-8-sig", "utf-8").astype(object)
    lossy = np.zeros(len(raw), np.bool_)
    if invalid:
        kept = _mend(kept, invalid, encoding, lossy, binary)
    content = _blank(kept, binary).cast(pa.large_string())
    problem = np.select([missing, too_large, binary], ["missing", "too_large", "binary"], "").astype(object)
    gone = problem != ""
    return Decoded(
        content,
        pa.array(encoding, pa.string(), mask=gone),
        pa.array(lossy & ~gone),
        pa.array(problem, pa.string(), mask=~gone),
    )


def row_lengths(raw: pa.Array) -> np.ndarray:
    """Bytes per row, ``int64[n]``; nulls have none."""
    return np.diff(text_buffers(raw)[1])


def decode_one(raw: bytes) -> Text:
    """Decode bytes that are not valid UTF-8.

    >>> decode_one("é".encode("utf-16"))
    Text(utf8=b'\\xc3\\xa9', encoding='utf-16-le', lossy=False)
    """
    for mark, encoding in _MARKS:
        if raw.startswith(mark):
            text = raw[len(mark) :].decode(encoding, "replace")
            lost = text.count("\ufffd")
            if lost <= BINARY_SHARE * len(text):
                return Text(text.encode(), encoding, _is_lossy(raw[len(mark) :], encoding))
    if b"\0" in raw:
        return Text(None, "utf-8", lossy=False)
    encoding = "utf-8-sig" if raw.startswith(codecs.BOM_UTF8) else "utf-8"
    return Text(raw.decode("utf-8", "replace").encode(), encoding, lossy=True)


def _is_lossy(raw: bytes, encoding: str) -> bool:
    try:
        raw.decode(encoding)
    except UnicodeDecodeError:
        return True
    return False


def _mend(
    raw: pa.Array, invalid: list[int], encoding: np.ndarray, lossy: np.ndarray, binary: np.ndarray
) -> pa.Array:
    texts = [decode_one(raw[row].as_py()) for row in invalid]
    encoding[invalid] = [text.encoding for text in texts]
    lossy[invalid] = [text.lossy for text in texts]
    binary[invalid] = [text.utf8 is None for text in texts]
    mask = np.zeros(len(raw), np.bool_)
    mask[invalid] = True
    return pc.replace_with_mask(raw, pa.array(mask), pa.array([t.utf8 for t in texts], raw.type))


def _blank(raw: pa.Array, rows: np.ndarray) -> pa.Array:
    return pc.if_else(pa.array(rows), pa.scalar(None, raw.type), raw) if rows.any() else raw


def _invalid_rows(raw: pa.Array, start: int) -> list[int]:
    if _is_utf8(raw):
        return []
    if len(raw) == 1:
        return [start]
    middle = len(raw) // 2
    return _invalid_rows(raw[:middle], start) + _invalid_rows(raw[middle:], start + middle)


def _is_utf8(raw: pa.Array) -> bool:
    try:
        raw.cast(pa.large_string())
    except pa.ArrowInvalid:
        return False
    return True


def _nul_share(raw: pa.Array) -> np.ndarray:
    data, offsets = text_buffers(raw)
    first = int(offsets[0])
    found = np.flatnonzero(data[first : int(offsets[-1])] == 0)
    return np.diff(np.searchsorted(found, offsets - first)) / np.maximum(np.diff(offsets), 1)


def _marked(raw: pa.Array) -> np.ndarray:
    data, offsets = text_buffers(raw)
    found = np.diff(offsets) >= len(codecs.BOM_UTF8)
    starts = offsets[:-1][found]
    found[found] = np.all([data[starts + i] == byte for i, byte in enumerate(codecs.BOM_UTF8)], axis=0)
    return found
