"""Repetition against a plain Python twin: per-line normalisation, a regex tokenizer and counters of tuples."""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from columns.testing import assert_batch_law, documents
from columns.unicode_table import ASSIGNED, character_classes
from filters.signals.ngrams import as_repeats, no_repeats
from filters.signals.repetition import (
    REPETITION,
    duplicate_lines,
    measure_repetition,
    normalised,
    word_repeats,
)

CONTROLS = {chr(code): "" for code in [*range(0x08), *range(0x0E, 0x1B), *range(0x1C, 0x20)]}
CONTROLS |= {"\u2009": " ", "\u200b": " ", "\u202c": ""}
HALF_WIDTH = dict(zip("。、《》【】「」“”‘’", ".,\"\"[]''\"\"''", strict=True))
HALF_WIDTH |= {chr(ord(mark) + 0xFEE0): mark for mark in string.punctuation}
CLOSERS = ("},",)

PIECES = [
    *("a", "b", "c", "A", "ab", "x1", "_", ".", ",", "(", "}", "},"),
    *(" ", "\t", "\n", "\r\n", "\x0b", "\x0c", "\r", "\x85", "\xa0", "\u2009", "\u200b", "\u2028", "\u202c"),
    *("\0", "\x01", "\x08", "\x1b", "\x1c", "\x1f", "\x7f"),
    *("é", "e\u0301", "\u0301", "ﬁ", "™", "…", "½", "¨", "İ", "ΑΣ", "Σ", "ß", "ſ", "٣"),
    *("中", "中文", "。", "，", "Ａ", "＿", "﹍", "①", "\u1100\u1161"),
    *("🎉", "\U0001f469\u200d\U0001f4bb", "\ufffd", "\ufeff", "\ufdfa"),
    *("a b c d e\n" * 3, "x = 1\n", "  x=1\n", "if a:\n", "}\n", "},\n", " a b c d e f g h i j k"),
]


def is_common(character: str) -> bool:
    """Leaves out what the interpreter's Unicode has and the frozen table has not, and the other way round."""
    code = ord(character)
    known = bool(character_classes()[code] & ASSIGNED)
    return known and unicodedata.category(character) not in {"Cn", "Cs"}


any_text = st.text(alphabet=st.characters(exclude_categories=["Cn", "Cs"]).filter(is_common), max_size=40)
texts = st.one_of(
    any_text,
    st.lists(st.sampled_from(PIECES), max_size=40).map("".join),
    st.text(alphabet="ab .\n", max_size=120),
    st.lists(st.sampled_from("abcdefgh"), max_size=80).map(" ".join),
)


def words_slow(text: str) -> list[str]:
    words: list[str] = []
    for line in re.findall(r"[^\n]*\n|[^\n]+$", text):
        words += re.findall(r"\w+|[^\w\s]+", normal_line(line))
    return words


def normal_line(line: str) -> str:
    kept = "".join(CONTROLS.get(c, c) for c in line)
    half = "".join(HALF_WIDTH.get(c, c) for c in kept)
    bare = "".join(" " if c in string.punctuation else c for c in half).lower()
    return unicodedata.normalize("NFKC", re.sub(r"\s+", " ", bare.strip()))


def grams(words: list[str], size: int) -> list[tuple[str, ...]]:
    return [tuple(words[at : at + size]) for at in range(len(words) - size + 1)]


def top_slow(words: list[str], size: int) -> float:
    best = Counter(grams(words, size)).most_common(1)
    if not best or best[0][1] == 1:
        return 0.0
    return sum(map(len, best[0][0])) * best[0][1] / sum(map(len, words))


def dup_slow(words: list[str], size: int) -> float:
    times = Counter(grams(words, size))
    inside = {at + k for at, gram in enumerate(grams(words, size)) if times[gram] > 1 for k in range(size)}
    return sum(len(words[at]) for at in inside) / sum(map(len, words)) if words else 0.0


def lines_slow(text: str) -> float:
    lines = Counter("".join(line.split()) for line in text.split("\n") if line.strip())
    dup = sum(n for line, n in lines.items() if n > 1 and len(line) > 1 and line not in CLOSERS)
    return dup / lines.total() if lines else 0.0


def repetition_slow(text: str) -> dict[str, object]:
    """The slow, clear twin of `measure_repetition` for one text."""
    words = words_slow(text)
    return {
        "word_count": len(words),
        "word_mean_chars": sum(map(len, words)) / len(words) if words else 0.0,
        "unique_word_fraction": len(set(words)) / len(words) if words else 0.0,
        **{f"top_{size}gram_fraction": top_slow(words, size) for size in (2, 3, 4)},
        **{f"dup_{size}gram_fraction": dup_slow(words, size) for size in range(5, 11)},
        "dup_line_fraction": lines_slow(text),
    }


def repetition_of(text: str) -> dict[str, object]:
    return measure_repetition(documents([text])).to_pylist()[0]


@settings(max_examples=500)
@given(st.lists(texts, max_size=4))
@example(["Σ\nΣ ΑΣ\x00Σ", "a\x00b a\x08b", "ΑΣ.Σ"])
def test_fast_equals_slow_on_arbitrary_text(found):
    assert measure_repetition(documents(found)).to_pylist() == [repetition_slow(text) for text in found]


@settings(max_examples=300)
@given(any_text)
def test_normal_form_equals_the_slow_one(text):
    assert re.findall(r"\w+|[^\w\s]+", normalised(text)) == words_slow(text)


@pytest.mark.parametrize("block", range(0, 0x30000, 0x4000))
def test_every_character_makes_the_words_that_the_slow_twin_makes(block):
    codes = [code for code in range(block, block + 0x4000) if is_common(chr(code))]
    found = [f"a{chr(code)}B {chr(code)}" for code in codes]
    repeats = word_repeats(pa.array(found, pa.large_string()))
    expected = [words_slow(text) for text in found]
    assert repeats.words.tolist() == [len(words) for words in expected]
    assert repeats.chars.tolist() == [sum(map(len, words)) for words in expected]
    assert repeats.unique.tolist() == [len(set(words)) for words in expected]


@given(st.lists(st.one_of(st.none(), texts), max_size=5), st.integers(0, 5))
def test_batch_law(found, cut):
    assert_batch_law(measure_repetition, documents(found), min(cut, len(found)))


def test_github_sample_equals_the_slow_twin(github_sample):
    batch = pq.read_table(github_sample, columns=["content"]).slice(0, 300).combine_chunks().to_batches()[0]
    texts = [text[:20000] for text in batch.column("content").to_pylist()]
    assert measure_repetition(documents(texts)).to_pylist() == [repetition_slow(text) for text in texts]


@pytest.mark.parametrize("text", ["", "\n", "\0", "\r\n", "\x0c", "\u2028", ".", "_", "\u200b", " \t"])
def test_texts_without_words_give_zeros(text):
    zeros = dict.fromkeys(REPETITION.names, 0.0) | {"word_count": 0}
    assert repetition_of(text) == zeros


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a", ["a"]),
        ("snake_case", ["snake", "case"]),
        ("Don't", ["don", "t"]),
        ("a\0b", ["ab"]),
        ("a\x08b", ["a", "\x08", "b"]),
        ("x == 1.5", ["x", "1", "5"]),
        ("a\r\nb\x0cc\u2028d\x85e", ["a", "b", "c", "d", "e"]),
        ("🎉", ["🎉"]),
        ("a🎉…b", ["a", "🎉...", "b"]),
        ("ﬁle™", ["fileTM"]),
        ("e\u0301", ["é"]),
        ("中，文", ["中", "文"]),
        ("a\u202cb\u200bc", ["ab", "c"]),
    ],
)
def test_words(text, words):
    assert words_slow(text) == words == re.findall(r"\w+|[^\w\s]+", normalised(text))
    assert repetition_of(text)["word_count"] == len(words)


def test_overlapping_occurrences_of_the_top_ngram_count_in_full():
    facts = repetition_of("a a a a")
    assert [facts[f"top_{size}gram_fraction"] for size in (2, 3, 4)] == [1.5, 1.5, 0.0]


def test_the_first_of_equally_frequent_ngrams_is_the_top_one():
    assert repetition_of("a b, ccc ddd. a b; ccc ddd")["top_2gram_fraction"] == 4 / 16
    assert repetition_of("ccc ddd, a b. ccc ddd; a b")["top_2gram_fraction"] == 12 / 16


def test_ngrams_go_on_over_lines():
    assert repetition_of("a b\nc d\n1\n2\na\nb\nc\nd")["top_4gram_fraction"] == 8 / 10


def test_a_word_inside_several_repeated_ngrams_counts_once():
    facts = repetition_of("a b c d e f - a b c d e f z")
    assert [facts[f"dup_{size}gram_fraction"] for size in (5, 6, 7)] == [12 / 13, 12 / 13, 0.0]


@pytest.mark.parametrize("size", range(2, 11))
def test_the_longest_repeated_ngram_is_found(size):
    block = " ".join(string.ascii_letters[:10])[: 2 * size]
    facts = repetition_of(f"{block} x {block}")
    known = facts.get(f"top_{size}gram_fraction", facts.get(f"dup_{size}gram_fraction"))
    assert known == 2 * size / (2 * size + 1)


def test_words_that_differ_in_kind_only_do_not_merge():
    facts = repetition_of("é \u20ac é \u20ac")
    assert (facts["word_count"], facts["unique_word_fraction"]) == (4, 0.5)


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("ab\nab", 1.0),
        ("ab\n a b \r\nc", 2 / 3),
        ("}\n}\n},\n},\nab\nab\n\n \n", 2 / 6),
        ("中\n中\n中文\n中 文\n", 2 / 4),
        ("ab\x0cab\nab\rab", 1.0),
        ("a\u2028b\nab", 1.0),
        ("{,\n{,\n", 1.0),
        ("\n\n\n", 0.0),
    ],
)
def test_duplicate_lines(text, share):
    assert repetition_of(text)["dup_line_fraction"] == share == lines_slow(text)


def test_rows_do_not_see_each_other():
    rows = measure_repetition(documents(["a b c d e f", "a b c d e f", "é é", "é é"])).to_pylist()
    assert rows[0] == rows[1] == repetition_slow("a b c d e f")
    assert rows[2] == rows[3] == repetition_slow("é é")


def test_long_texts_equal_the_slow_twin():
    random = np.random.default_rng(0)
    many = " ".join(f"w{n}" for n in random.integers(0, 300, 20_000))
    block = "alpha beta gamma delta epsilon zeta eta theta iota kappa\n" * 2000
    for text in (many, block, many + block):
        assert repetition_of(text) == repetition_slow(text)


def test_runs_of_combining_marks_cost_no_more_than_their_length():
    text = "a" + "\u0301" * 100_000 + "\u0323" * 100_000
    assert repetition_of(text)["word_count"] >= 1
    assert unicodedata.normalize("NFKC", "\u0301" * 100) == normalised("\u0301" * 100)


def test_null_content_gives_nulls_and_keeps_the_rows_aligned():
    rows = measure_repetition(documents(["a b", None, "é", ""])).to_pylist()
    assert rows[1] == dict.fromkeys(REPETITION.names)
    assert [row["word_count"] for row in rows] == [2, None, 1, 0]
    assert measure_repetition(documents([])).schema == REPETITION
    assert measure_repetition(documents([None])).to_pylist() == [dict.fromkeys(REPETITION.names)]


def test_plain_strings_and_slices_are_measured_too():
    batch = pa.RecordBatch.from_pydict({"content": pa.array(["x" * 10, "a é a\na"], pa.string())}).slice(1)
    assert measure_repetition(batch).column("word_count").to_pylist() == [4]
    assert [part.tolist() for part in duplicate_lines(batch.column("content"))] == [[0], [2]]


def test_counts_have_names():
    repeats = as_repeats(no_repeats(3))
    assert repeats.top.shape == (3, 3)
    assert repeats.dup.shape == (6, 3)


def test_every_signal_says_what_it_is():
    assert all(field.metadata and field.metadata[b"about"] for field in REPETITION)
