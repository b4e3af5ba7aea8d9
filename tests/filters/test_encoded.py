"""Encoded data against Python's `re`, match by match."""

from __future__ import annotations

import re
import unicodedata

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from columns.testing import assert_batch_law, documents
from columns.unicode_table import ASSIGNED, character_classes
from filters.signals.encoded import ENCODED, measure_encoded, text_chars
from filters.signals.runs import base64_runs, hex_words, hexdata_runs, unicode_escape_runs

BASE64 = re.compile(r"[a-zA-Z0-9+/\n=]{64,}")
HEXDATA = re.compile(r"(?:\b(?:0x|\\x)?[0-9a-fA-F]{2}(?:,|\b\s*)){8,}")
ESCAPES = re.compile(r"(?:\\u[0-9a-fA-F]{4}){8,}")
HEX_WORD = re.compile(r"\b0[xX][0-9a-fA-F]+\b")
SCANNERS = [
    (BASE64, base64_runs),
    (HEXDATA, hexdata_runs),
    (ESCAPES, unicode_escape_runs),
    (HEX_WORD, hex_words),
]

OUTSIDE = [
    *(" ", "\n", "\r\n", "\t", "\x0c", "\x1c", "\x85", "\xa0", "\u2003", "\u2028"),
    *("é", "中", "🎉", "٣", "\0", "_"),
]
HEX_UNITS = ("0x1f, ", "0x1f,", "\\x1f", "1f ", "00\n", "ff\u2003")
HEX_PIECES = [
    *("0x1f,", "0x1f", "\\x1f", "1f,", "1f ", "1f", "aB", "0x", "\\x", "x", "0", "g"),
    *(",", ", ", "'", '"', "-", "\\"),
    *(unit * times for unit in HEX_UNITS for times in (6, 7, 8)),
    *OUTSIDE,
]
ESCAPE_PIECES = [
    *("\\u00e9", "\\u", "\\", "u", "00e9", "\\u00g9", "\\U00e9", "\\u00E", "0", "\n", "é", "🎉", '"'),
    *("\\u4e2d" * times for times in (1, 2, 3, 5, 6, 7, 8, 9)),
]
BASE64_PIECES = [
    *("a", "+", "/", "=", "\n", "-", " ", "é", "\r"),
    *("Qk0" * 7, "a" * 31, "Z" * 62, "b" * 63, "c" * 64),
]
WORD_PIECES = ["0x", "0X", "0", "x", "1f", "g", "_", "é", "٣", " ", ".", "🎉", "0xFF", "00x1", "0x0x1", "\n"]


def pieces(alphabet, most):
    return st.lists(st.sampled_from(alphabet), max_size=most).map("".join)


def is_common(character: str) -> bool:
    """Leaves out what the interpreter's Unicode has and the frozen table has not, and the other way round."""
    known = bool(character_classes()[ord(character)] & ASSIGNED)
    return known and unicodedata.category(character) not in {"Cn", "Cs"}


texts = st.one_of(
    st.text(alphabet=st.characters(exclude_categories=["Cn", "Cs"]).filter(is_common), max_size=60),
    pieces(HEX_PIECES, 30),
    pieces(ESCAPE_PIECES, 30),
    pieces(BASE64_PIECES, 12),
    pieces(WORD_PIECES, 20),
    pieces(HEX_PIECES + ESCAPE_PIECES + BASE64_PIECES, 20),
)


def lengths(pattern, text):
    return [match.end() - match.start() for match in pattern.finditer(text)]


def encoded_slow(text: str) -> dict[str, object]:
    """The slow, clear twin of `measure_encoded` for one text."""
    found = [lengths(pattern, text) for pattern in (BASE64, HEXDATA, ESCAPES)]
    longest = [max(one, default=0) for one in found]
    return {
        "encoded_max_chars": max(longest),
        "encoded_fraction": sum(map(sum, found)) / len(text) if text else 0.0,
        "base64_max_chars": longest[0],
        "hexdata_max_chars": longest[1],
        "unicode_escape_max_chars": longest[2],
        "hex_word_fraction": sum(lengths(HEX_WORD, text)) / len(text) if text else 0.0,
    }


def encoded_of(text: str) -> dict[str, object]:
    return measure_encoded(documents([text])).to_pylist()[0]


@settings(max_examples=400)
@given(st.lists(texts, max_size=4))
def test_fast_equals_slow_on_arbitrary_text(found):
    assert measure_encoded(documents(found)).to_pylist() == [encoded_slow(text) for text in found]


@pytest.mark.parametrize(
    ("alphabet", "scanner"),
    zip((BASE64_PIECES, HEX_PIECES, ESCAPE_PIECES, WORD_PIECES), SCANNERS, strict=True),
)
def test_each_scanner_equals_its_regex(alphabet, scanner):
    pattern, runs = scanner

    @settings(max_examples=400)
    @given(pieces(alphabet, 40))
    def check(text):
        found, expected = runs(pa.array([text], pa.large_string())), lengths(pattern, text)
        assert (found.longest.tolist(), found.chars.tolist()) == ([max(expected, default=0)], [sum(expected)])

    check()


@settings(max_examples=400)
@given(st.text(alphabet="0x1fG,\\ \né", max_size=80))
@example("\\x48" * 9)
@example("'" + "\\x48" * 9)
@example("0x00,0x11,0x22,0x33,0x44,0x55,0x66,0x7")
def test_hexdata_equals_its_regex_character_by_character(text):
    expected = lengths(HEXDATA, text)
    found = hexdata_runs(pa.array([text]))
    assert (found.longest.tolist(), found.chars.tolist()) == ([max(expected, default=0)], [sum(expected)])


@given(st.lists(st.one_of(st.none(), texts), max_size=5), st.integers(0, 5))
def test_batch_law(found, cut):
    assert_batch_law(measure_encoded, documents(found), min(cut, len(found)))


def test_github_sample_equals_the_slow_twin(github_sample):
    batch = pq.read_table(github_sample, columns=["content"]).slice(0, 600).combine_chunks().to_batches()[0]
    texts = [text[:30000] for text in batch.column("content").to_pylist()]
    assert measure_encoded(documents(texts)).to_pylist() == [encoded_slow(text) for text in texts]


@pytest.mark.parametrize(
    "text", ["", "a", "\n", "\0", "🎉", "\r\n", "\x0c", "\u2028", "\\", "0", "0x", "\\u"]
)
def test_texts_without_a_match_give_zeros(text):
    assert encoded_of(text) == {
        **{name: 0 for name in ENCODED.names if name.endswith("_chars")},
        "encoded_fraction": 0.0,
        "hex_word_fraction": 0.0,
    }


@pytest.mark.parametrize(
    ("text", "longest"),
    [
        ("a" * 63, 0),
        ("a" * 64, 64),
        (("A" * 31 + "\n") * 4, 128),
        (("A" * 31 + "\r\n") * 4, 0),
        (("A" * 31 + "\u2028") * 4, 0),
        ("é" + "a" * 64 + "é", 64),
        ("-" * 63 + "a" * 64, 64),
    ],
)
def test_base64_runs(text, longest):
    assert encoded_of(text)["base64_max_chars"] == longest


@pytest.mark.parametrize(
    ("text", "longest"),
    [
        ("0x1f," * 8, 40),
        ("0x1f, " * 8, 0),
        ("1f " * 7, 0),
        ("1f " * 8 + "\n\n", 26),
        ("1f" + "\r\n1f" * 7, 30),
        ("1f\xa0" * 8, 24),
        ("1f\u2003" * 8, 24),
        ('"' + "\\x1f" * 8 + '"', 0),
        ('"' + "\\x1f" * 9 + '"', 32),
        ("é" + "1f " * 8, 0),
        ("é" + "1f " * 9, 24),
        ("1f " * 7 + "1f" + "中", 0),
        ("1f " * 8 + "1f" + "中", 24),
        ("_1f " + "1f," * 8, 24),
    ],
)
def test_hexdata_runs(text, longest):
    assert encoded_of(text)["hexdata_max_chars"] == longest == max(lengths(HEXDATA, text), default=0)


@pytest.mark.parametrize(
    ("text", "longest"),
    [("\\u4e2d" * 7, 0), ("\\u4e2d" * 8, 48), ("\\" + "\\u4e2d" * 8, 48), ("\\u4e2d" * 7 + "\\U4e2d", 0)],
)
def test_unicode_escape_runs(text, longest):
    assert encoded_of(text)["unicode_escape_max_chars"] == longest


def test_characters_that_two_patterns_match_count_twice():
    text = "\n00" * 30
    assert len(BASE64.findall(text)) == len(HEXDATA.findall(text)) == 1
    assert encoded_of(text)["encoded_fraction"] == (90 + 89) / 90


def test_a_match_never_reaches_into_the_next_row():
    halves = documents(["a" * 40, "a" * 40, "1f " * 4, "1f " * 4, "\\u4e2d" * 4, "\\u4e2d" * 4, "0x", "ff"])
    rows = measure_encoded(halves).to_pylist()
    assert {row["encoded_max_chars"] for row in rows} == {0}
    assert {row["hex_word_fraction"] for row in rows} == {0.0}


@pytest.mark.parametrize(
    ("text", "chars"),
    [
        ("0xFF", 4),
        ("a0xFF", 0),
        ("é0xFF", 0),
        ("0xFFg", 0),
        ("0xFFé", 0),
        ("-0XfF;", 4),
        ("0x", 0),
        ("0x0x1", 0),
    ],
)
def test_hex_words(text, chars):
    assert encoded_of(text)["hex_word_fraction"] == chars / len(text)


def test_null_content_gives_nulls_and_keeps_the_rows_aligned():
    rows = measure_encoded(documents(["a" * 64, None, ""])).to_pylist()
    assert rows[1] == dict.fromkeys(ENCODED.names)
    assert [row["encoded_max_chars"] for row in rows] == [64, None, 0]
    assert measure_encoded(documents([])).num_rows == 0
    assert measure_encoded(documents([])).schema == ENCODED


def test_plain_strings_and_slices_are_measured_too():
    batch = pa.RecordBatch.from_pydict({"content": pa.array(["x" * 10, "0xff é"], pa.string())}).slice(1)
    assert measure_encoded(batch).column("hex_word_fraction").to_pylist() == [4 / 6]
    assert text_chars(batch.column("content")).tolist() == [6]


def test_every_signal_says_what_it_is():
    assert all(field.metadata and field.metadata[b"about"] for field in ENCODED)
