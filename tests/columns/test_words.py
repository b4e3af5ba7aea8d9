"""Words: the same runs a regular expression finds, hashed by a clear twin, at any offset and length."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from columns.words import WORD_BYTES, Words, word_hashes

ALL = (1 << 64) - 1
RUNS = re.compile(rb"[A-Za-z0-9_]+")
TEXT = st.text(st.sampled_from("abzAZ09_ \n.+-é漢@[`{/:^"), max_size=200)
LONG = st.builds(
    lambda gap, size, rest: " " * gap + "w" * size + rest,
    st.integers(0, 130), st.integers(0, 300), st.sampled_from(["", " ", "é", " x", "\n_"]),
)  # fmt: skip


def column(texts: list[str | None]) -> pa.Array:
    return pa.array(texts, pa.large_string())


def hash_slow(word: bytes) -> int:
    """The hash of one word, written for reading."""
    value = len(word) * 0x9E3779B97F4A7C15 & ALL
    *chunks, tail = [word[at : at + 8] for at in range(0, len(word), 8)]
    for chunk in chunks:
        value = (value ^ int.from_bytes(chunk, "little")) * 0xD6E8FEB86659FD93 & ALL
        value ^= value >> 32
    value ^= int.from_bytes(tail, "little")
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        value = (value ^ value >> 33) * factor & ALL
    return value ^ value >> 33


def words_slow(texts: list[str | None]) -> Words:
    rows = [[hash_slow(word) for word in RUNS.findall((text or "").encode())] for text in texts]
    starts = np.cumsum([0, *map(len, rows)])
    return Words(np.array([h for row in rows for h in row], np.uint64), starts.astype(np.int64))


def assert_same(left: Words, right: Words) -> None:
    assert left.starts.tolist() == right.starts.tolist()
    assert left.hashes.tolist() == right.hashes.tolist()


@given(st.lists(st.none() | TEXT | LONG, max_size=8))
def test_equals_its_slow_twin(texts):
    assert_same(word_hashes(column(texts)), words_slow(texts))


@given(st.lists(st.none() | TEXT | LONG, min_size=1, max_size=8), st.data())
def test_batch_law(texts, data):
    cut = data.draw(st.integers(0, len(texts)))
    whole, left, right = (
        word_hashes(a) for a in (column(texts), column(texts).slice(0, cut), column(texts).slice(cut))
    )
    assert whole.hashes.tolist() == [*left.hashes.tolist(), *right.hashes.tolist()]
    assert whole.starts.tolist() == [*left.starts.tolist(), *(right.starts[1:] + left.starts[-1]).tolist()]


@pytest.mark.parametrize("size", [1, 7, 8, 9, 63, 64, 65, 127, 128, 4095, 4096, 4097, 8192, 9000])
@pytest.mark.parametrize("before", [0, 1, 63, 64, 4090])
def test_words_at_every_block_edge(size, before):
    text = " " * before + "x" * size
    for rest in ("", " ", " y"):
        assert_same(word_hashes(column([text + rest, "next"])), words_slow([text + rest, "next"]))


def test_a_long_file_of_many_blocks():
    text = " ".join("ab_9" * (i % 17) + str(i) for i in range(5000))
    assert_same(word_hashes(column([text])), words_slow([text]))


def test_a_word_never_runs_into_the_next_row():
    assert word_hashes(column(["ab", "cd"])).starts.tolist() == [0, 1, 2]


def test_word_bytes_are_the_ascii_letters_digits_and_underscore():
    assert bytes(np.flatnonzero(WORD_BYTES).tolist()) == b"".join(sorted(RUNS.findall(bytes(range(256)))))


@pytest.mark.parametrize("byte", range(256))
def test_every_byte_separates_or_joins_as_the_expression_says(byte):
    text = b"a" + bytes([byte]) + b"b" + b" " * 80
    assert len(word_hashes(pa.array([text], pa.large_binary())).hashes) == len(RUNS.findall(text))


def test_words_that_differ_only_by_zero_bytes_or_length_differ():
    texts = ["a", "aa", "a" * 8, "a" * 9, "a" * 16, "a" * 17, "A", "_", "0", "00"]
    assert len(set(word_hashes(column([" ".join(texts)])).hashes.tolist())) == len(texts)


def test_golden():
    assert [hex(h) for h in word_hashes(column(["def incremental_update"])).hashes] == GOLDEN


def test_nothing_gives_nothing():
    for texts in ([], [None], [""], [None, "", "é — ."]):
        words = word_hashes(column(texts))
        assert words.hashes.tolist() == []
        assert words.starts.tolist() == [0] * (len(texts) + 1)


@pytest.mark.parametrize("kind", [pa.string(), pa.binary(), pa.large_binary()])
def test_every_text_type(kind):
    texts = ["a b", None, "é_1"]
    assert_same(word_hashes(column(texts).cast(kind)), words_slow(texts))


def test_real_code(github_sample):
    import pyarrow.parquet as pq

    content = (
        pq.read_table(github_sample, columns=["content"]).column("content").combine_chunks().slice(0, 60)
    )
    assert_same(word_hashes(content), words_slow(content.to_pylist()))


GOLDEN = ["0xea8d3eb74a291586", "0xc6f40c5461054f2b"]
