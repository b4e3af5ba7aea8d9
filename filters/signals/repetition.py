"""Repetition in a text: words, repeated n-grams of words, repeated lines. OpenCoder's and RedPajama's definitions."""

from __future__ import annotations

import re
import string
import unicodedata
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit

from columns.document import text_buffers
from columns.text import code_point
from columns.unicode_table import SPACE, character_classes
from filters.signals.facts import fact_batch, share
from filters.signals.ngrams import (
    BLANK,
    DROPPED,
    DUP_LENGTHS,
    FNV_BASIS,
    FNV_PRIME,
    SYMBOL,
    TOP_LENGTHS,
    WIDE,
    WORD,
    Bytes,
    Repeats,
    as_repeats,
    count_repeats,
    name_keys,
    no_repeats,
    slot_count,
)

REPETITION = pa.schema(
    [
        pa.field("word_count", pa.int64(), metadata={"about": "words of the normalised text"}),
        pa.field("word_mean_chars", pa.float64(), metadata={"about": "mean length of a word in characters"}),
        pa.field("unique_word_fraction", pa.float64(), metadata={"about": "different words per word"}),
        *(
            pa.field(
                f"top_{size}gram_fraction",
                pa.float64(),
                metadata={
                    "about": f"all occurrences of the most frequent {size}-gram, per character of words"
                },
            )
            for size in TOP_LENGTHS
        ),
        *(
            pa.field(
                f"dup_{size}gram_fraction",
                pa.float64(),
                metadata={"about": f"share of the words' characters that are in repeated {size}-grams"},
            )
            for size in DUP_LENGTHS
        ),
        pa.field(
            "dup_line_fraction",
            pa.float64(),
            metadata={"about": "share of the lines that are not blank that occur twice or more"},
        ),
    ]
)

_CONTROLS = bytes([*range(0x00, 0x08), *range(0x0E, 0x1B), *range(0x1C, 0x20)])
_PUNCTUATION = string.punctuation.encode()
_TO_SPACES = bytes.maketrans(_PUNCTUATION, b" " * len(_PUNCTUATION))
_WIDE_PUNCTUATION = "。、《》【】「」“”‘’\u200b" + "".join(
    chr(ord(mark) + 0xFEE0) for mark in string.punctuation
)
_WIDE_SPACES = re.compile(f"[{re.escape(_WIDE_PUNCTUATION)}]")
_MARKS_AT_ONCE = 128
_JOINER = "\u034f"
_WIDE_RUN = re.compile(f"[^\\x00-\u02ff]{{{_MARKS_AT_ONCE}}}")
_BLANK_BYTES = np.isin(np.arange(256), list(b"\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f "))
_CLOSING = np.uint64(0x08DFF607B57EE0AC)  # FNV-1a of "},"


def measure_repetition(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Measure the ``content`` of documents: one row of `REPETITION` per row, null where content is null.

    The definitions are those of OpenCoder (OpenCoder-llm/opc_data_filtering @44b857e: document.py, quality_signals/
    {code,doc}.py) and of the code of RedPajama v2 that it uses (togethercomputer/RedPajama-Data, app/src/core/
    quality_signals/{natural_language,repetitions}.py @855a8e0):

    * words: `normalised` text cut by ``\\w+|[^\\w\\s]+``; n-grams go on over the ends of lines.
    * ``top_<n>gram_fraction``: characters of the most frequent n-gram, times its occurrences, per character of all
      words; 0.0 when none occurs twice. The first one counts among equally frequent ones, not the longest.
      Occurrences that overlap count in full, so it can exceed 1.0: "a a a a" has a 2-gram share of 1.5.
    * ``dup_<n>gram_fraction``: words inside any n-gram that occurs twice or more, all occurrences included, a word
      once; at most 1.0.
    * ``dup_line_fraction``: `duplicate_lines` of the whole text (OpenCoder takes the comments out before).

    Unlike upstream nothing is rounded to 8 digits, and a text without words gives 0.0 (upstream: no value, so that no
    rule drops it). Words are told apart by 64-bit hashes, n-grams exactly.

    >>> text = "to be, or not to be:\\nthat is the question"
    >>> batch = pa.RecordBatch.from_pydict({"content": pa.array([text, "a a a a", None], pa.large_string())})
    >>> facts = measure_repetition(batch).to_pylist()
    >>> facts[0]["word_count"], facts[0]["word_mean_chars"], facts[0]["unique_word_fraction"]
    (10, 3.0, 0.8)
    >>> round(facts[0]["top_2gram_fraction"], 3), facts[1]["top_2gram_fraction"], facts[2]["word_count"]
    (0.267, 1.5, None)
    """
    content = batch.column("content")
    found = word_repeats(content)
    duplicates, lines = duplicate_lines(content)
    values: dict[str, np.ndarray[Any, Any]] = {
        "word_count": found.words,
        "word_mean_chars": share(found.chars, found.words),
        "unique_word_fraction": share(found.unique, found.words),
        "dup_line_fraction": share(duplicates, lines),
    }
    for size, chars in zip(TOP_LENGTHS, found.top, strict=True):
        values[f"top_{size}gram_fraction"] = share(chars, found.chars)
    for size, chars in zip(DUP_LENGTHS, found.dup, strict=True):
        values[f"dup_{size}gram_fraction"] = share(chars, found.chars)
    return fact_batch(REPETITION, values, content)


def word_repeats(content: pa.Array) -> Repeats:
    """Count the words and n-grams of every text; a null text has none.

    ASCII texts are normalised byte by byte on the way; only texts with other characters are rewritten first.

    >>> word_repeats(pa.array(["A b_a", "ﬁn"], pa.large_string())).chars.tolist()
    [3, 3]
    """
    data, offsets = text_buffers(content)
    counts = no_repeats(len(offsets) - 1)
    wide = np.asarray(pc.invert(pc.fill_null(pc.string_is_ascii(content), True)))
    plain, others = np.flatnonzero(~wide), np.flatnonzero(wide)
    count_repeats(data, offsets, plain, plain, _raw_bytes(), counts)
    texts = [normalised(text.as_py()) for text in content.take(pa.array(others))]
    data, offsets = text_buffers(pa.array(texts, pa.large_string()))
    count_repeats(data, offsets, np.arange(len(others)), others, _normalised_bytes(), counts)
    return as_repeats(counts)


def normalised(text: str) -> str:
    """OpenCoder's normal form of a text, as far as it changes words; white space is left as it is.

    Control characters go (not ``\\x08 \\x0b \\x0c \\x1b \\x7f``), ASCII punctuation, its full-width forms, some
    Chinese punctuation and U+200B become spaces, then lower case, then NFKC, which can bring back punctuation and
    upper case ("…", "™"). Follows the interpreter's Unicode, which for assigned characters does not change.
    Runs of over 128 combining marks get a U+034F after every 128: sorting them takes time that grows with the square.

    >>> normalised("Don't、STOP… ﬁle_1™").split()
    ['don', 't', 'stop...', 'file', '1TM']
    """
    plain = text.encode().translate(_TO_SPACES, _CONTROLS).decode()
    plain = _WIDE_SPACES.sub(" ", plain).replace("\u202c", "")
    if _WIDE_RUN.search(plain):
        plain = _cut_marks(plain)
    return unicodedata.normalize("NFKC", plain.lower())


def _cut_marks(text: str) -> str:
    """Break up runs of combining marks, which normalisation sorts."""
    pieces: list[str] = []
    run = 0
    for character in text:
        run = run + 1 if unicodedata.combining(character) else 0
        pieces.append(character)
        if run == _MARKS_AT_ONCE:
            pieces.append(_JOINER)
            run = 0
    return "".join(pieces)


@cache
def _raw_bytes() -> Bytes:
    """ASCII text as it is: punctuation separates, control characters are dropped, case does not matter."""
    kinds = np.full(256, SYMBOL, np.uint8)
    kinds[list(b"\t\n\x0b\x0c\r " + _PUNCTUATION)] = BLANK
    kinds[list(_CONTROLS)] = DROPPED
    kinds[list((string.ascii_letters + string.digits).encode())] = WORD
    return Bytes(kinds, np.frombuffer(bytes(range(256)).lower(), np.uint8))


@cache
def _normalised_bytes() -> Bytes:
    """Text that `normalised` wrote: what is left of punctuation is part of words of symbols."""
    kinds = np.full(256, SYMBOL, np.uint8)
    kinds[list(b"\t\n\x0b\x0c\r ")] = BLANK
    kinds[list((string.ascii_letters + string.digits + "_").encode())] = WORD
    kinds[0x80:] = WIDE
    return Bytes(kinds, np.arange(256, dtype=np.uint8))


def duplicate_lines(content: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Lines that occur twice or more, and all lines that are not blank, ``int64[n]`` each.

    Lines end at ``\\n``; they are compared without any white space (`str.isspace`; OpenCoder's regex module leaves
    ``\\x1c`` to ``\\x1f`` in), all occurrences count. Lines of one character and ``},`` never count as duplicates.

    >>> duplicates, lines = duplicate_lines(pa.array(["a = 1\\n  a=1\\n}\\n}\\n\\nb"]))
    >>> duplicates.tolist(), lines.tolist()
    ([2], [5])
    """
    data, offsets = text_buffers(content)
    duplicates = np.zeros(len(offsets) - 1, np.int64)
    lines = np.zeros(len(offsets) - 1, np.int64)
    _count_lines(data, offsets, character_classes(), duplicates, lines)
    return duplicates, lines


@njit(nogil=True, cache=True)
def _count_lines(data, offsets, classes, duplicates, lines):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    most = 0
    for row in range(len(offsets) - 1):
        most = max(most, offsets[row + 1] - offsets[row])
    hashes, keys = np.empty(most // 2 + 1, np.uint64), np.empty(most // 2 + 1, np.uint64)
    times, slots = np.empty(most // 2 + 1, np.int32), np.empty(slot_count(most // 2 + 1), np.int32)
    names = np.empty(most // 2 + 1, np.int32)
    for row in range(len(offsets) - 1):
        lines[row], kept = _hash_lines(data, offsets[row], offsets[row + 1], classes, hashes)
        for name in range(name_keys(hashes, kept, slots, keys, names, times)):
            duplicates[row] += times[name] if times[name] > 1 else 0


@njit(nogil=True, cache=True)
def _hash_lines(data, at, end, classes, hashes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Write the hash of every line that may be a duplicate; gives how many lines there are, and how many of those."""
    lines, kept, length, value, blank = 0, 0, 0, FNV_BASIS, False
    for place in range(at, end):
        byte = data[place]
        if byte & 0xC0 != 0x80:
            wide = byte >= 0x80 and classes[code_point(data, place, end)] & SPACE != 0
            blank = wide or _BLANK_BYTES[byte]
            length += not blank
        if not blank:
            value = (value ^ np.uint64(byte)) * FNV_PRIME
        if byte == 10 or place == end - 1:
            hashes[kept] = value
            kept += length > 1 and value != _CLOSING
            lines += length > 0
            length, value = 0, FNV_BASIS
    return lines, kept
