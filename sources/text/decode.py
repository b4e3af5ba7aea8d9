"""Decoding: bytes to text, saying what was lost.

The rules, in order:

* UTF-32 or UTF-16 with a byte-order mark is decoded; the mark belongs to the encoding and is dropped, so the
  text equals its UTF-8 copy. What does not decode becomes U+FFFD (``lossy``).
* Valid UTF-8 is kept as it is. A UTF-8 byte-order mark stays in the text as U+FEFF (the bytes of the
  file are the bytes of the text) and the encoding says "utf-8-sig".
* UTF-16 and UTF-32 without a mark are told by where their NUL bytes are: at least four units, at least a third of
  them ASCII, and none a control character that no source code holds.
* NUL is a valid character and stays, unless more than a tenth of the bytes are NUL: then it is "binary".
* Invalid UTF-8 with NUL is "binary".
* Invalid UTF-8 without NUL: where at least half of what is not ASCII is valid UTF-8, or nothing else fits, each bad
  sequence becomes U+FFFD (``lossy``). Else it is read in the legacy encoding that chardetng finds (Firefox's detector;
  H. Sivonen, "chardetng: A More Compact Character Encoding Detector for the Legacy Web", 2020) on its lines that are
  not ASCII, if every byte stands for a character there and none for a control character. ``encoding`` says which
  (WHATWG's names in lower case); that is a guess, and the shorter the text the likelier is a wrong one.
"""

from __future__ import annotations

import codecs
import re
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from chardetng_py import EncodingDetector  # type: ignore[import-untyped]

from columns.document import text_buffers

BINARY_SHARE = 0.1
ASCII_SHARE = 1 / 3
WIDE_UNITS = 4

_DETECTED_BYTES = 1 << 16
_CONTROLS = re.compile("[\0-\x08\x0e-\x1a\x1c-\x1f\x7f-\x9f\ue000-\uf8ff\ufffd]")
_WIDE_CONTROLS = re.compile("[\0-\x08\x0e-\x1a\x1c-\x1f\x7f\ufffe\uffff]")

_CODECS = {
    "big5": "big5hkscs", "euc-kr": "cp949", "shift_jis": "cp932", "windows-874": "cp874", "iso-8859-8-i": "iso8859-8",
}  # fmt: skip
_WIDE = (("utf-32-le", 4, 0), ("utf-32-be", 4, 3), ("utf-16-le", 2, 0), ("utf-16-be", 2, 1))

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

    >>> d = decode(pa.array([b"a", b"\\xc3\\xa9\\xff", None], pa.large_binary()), 10)
    >>> d.content.to_pylist(), d.lossy.to_pylist(), d.problem.to_pylist()
    (['a', 'é\ufffd', None], [False, True, False], [None, None, 'missing'])
    """
    missing = np.asarray(raw.is_null())
    too_large = row_lengths(raw) > max_bytes
    kept = _blank(raw, too_large)
    invalid = _invalid_rows(kept, 0)
    binary = _nul_share(kept) > BINARY_SHARE
    binary[invalid] = False
    invalid = sorted({*invalid, *np.flatnonzero(binary).tolist()})
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
    """Decode bytes that are not valid UTF-8, or more NUL than text has.

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
        return _unmarked(raw) or Text(None, "utf-8", lossy=False)
    text = raw.decode("utf-8", "replace")
    encoding = "utf-8-sig" if raw.startswith(codecs.BOM_UTF8) else "utf-8"
    found = None if encoding == "utf-8-sig" or _is_damaged_utf8(text) else _legacy(raw)
    return found or Text(text.encode(), encoding, lossy=True)


def _unmarked(raw: bytes) -> Text | None:
    """UTF-32 or UTF-16 without a mark, or None."""
    head = np.frombuffer(raw[:_DETECTED_BYTES], np.uint8)
    for encoding, width, low in _WIDE:
        if len(raw) % width == 0 and len(raw) >= WIDE_UNITS * width:
            units = head.reshape(-1, width)
            letters, others = units[:, low], np.delete(units, low, axis=1)
            if np.mean((letters > 0) & (letters < 0x80) & ~others.any(axis=1)) >= ASCII_SHARE:
                return _text(raw, encoding, encoding, _WIDE_CONTROLS)
    return None


def _is_damaged_utf8(text: str) -> bool:
    """Whether at least half of what is not ASCII was valid; each bad sequence counts once."""
    lost = text.count("\ufffd")
    return len(text) - len(text.encode("ascii", "ignore")) >= 2 * lost


def _legacy(raw: bytes) -> Text | None:
    detector = EncodingDetector()
    lines = b"\n".join(line for line in raw.split(b"\n") if not line.isascii())
    detector.feed(lines[:_DETECTED_BYTES], last=True)
    encoding = detector.guess(tld=None, allow_utf8=False).lower()
    return _text(raw, encoding, _CODECS.get(encoding, encoding), _CONTROLS)


def _text(raw: bytes, encoding: str, codec: str, refused: re.Pattern[str]) -> Text | None:
    try:
        text = raw.decode(codec)
    except (UnicodeDecodeError, LookupError):
        return None
    return None if refused.search(text) else Text(text.encode(), encoding, lossy=False)


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
