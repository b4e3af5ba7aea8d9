"""Engines: the ids of every engine are tiktoken's, for real code, any Unicode and every trap we know of."""

from __future__ import annotations

import importlib.util
import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shards import TokenizerConfig, make_tokenizer
from shards.tokenizers.bpe import Ranks, train_ranks
from shards.tokenizers.encoders import (
    PROBE,
    GigatokenEncoder,
    TiktokenEncoder,
    column_of,
    rank_encoder,
    same_ids,
)
from shards.tokenizers.rare import rare_characters, rows_with_rare
from shards.tokenizers.runs import CODEGEN_RUNS, Cutter

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("gigatoken") is None, reason="the optional accelerator is not installed"
)

SPECIALS = (
    "<|endoftext|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|endofprompt|>", "<s>", "</s>", "<unk>",
    "<pad>", "<mask>", "[PAD]", "[CLS]", "[INST]", "<PRE>", " <MID>", "<fim_prefix>", "<|im_start|>",
)  # fmt: skip
RUNS = [" " * count for count in (2, 3, 8, 30, 31, 32, 33, 62, 63, 64)] + [
    "\t" * count for count in (2, 8, 9, 10, 19)
]
PIECES = st.one_of(
    st.text(max_size=8),
    st.sampled_from([*SPECIALS, *RUNS, "\r\n", "\x00", "\n\n ", " \t ", "'S", "1234567", "\u088f"]),
)


@pytest.fixture(scope="module")
def ranks(library_texts) -> Ranks:
    """Ranks with a hole, as p50k has one: the id of end of text in the middle."""
    dense = train_ranks(library_texts[:10], 1500, "r50k")
    return {token: rank + (rank >= 1000) for token, rank in dense.items()}


@pytest.fixture(scope="module", params=["r50k", "cl100k", "r50k and CodeGen's runs"])
def engines(request, ranks):
    pattern, _, added = request.param.partition(" ")
    runs = {text: number - 48000 for text, number in CODEGEN_RUNS.items()} if added else {}
    made = {token: rank for token, rank in ranks.items() if not (added and rank > 2200)}
    named = {"<|endoftext|>": 1000}
    start = max(made.values()) + 1
    runs = {text: start + number for number, text in enumerate(runs)}
    return TiktokenEncoder(made, pattern, named, runs), GigatokenEncoder(made, pattern, named, runs)


def test_real_code_has_the_same_ids(engines, library_texts):
    assert same_ids(*engines, [*library_texts[:60], *PROBE])


@settings(max_examples=80, deadline=None)
@given(st.lists(st.lists(PIECES, max_size=12).map("".join), max_size=5))
@example(["", "", "x"])
def test_any_unicode_has_the_same_ids(engines, batch):
    batch = [text.encode("utf-8", "ignore").decode() for text in batch]
    assert same_ids(*engines, batch)


def test_every_character_has_the_same_ids(engines):
    """All of Unicode: each as a letter might stand, a digit, a space, at a start and at an end."""
    codes = [code for code in range(0x80, 0x3FFFF) if not 0xD800 <= code < 0xE000]
    texts = [
        "".join(f"a{chr(c)}1 {chr(c)}{chr(c)} '{chr(c)}b\n {chr(c)}A{chr(c)}'s " for c in codes[at : at + 64])
        for at in range(0, len(codes), 64)
    ]
    assert same_ids(*engines, texts)


@pytest.mark.parametrize("text", SPECIALS)
def test_text_that_spells_a_special_token_is_ordinary_text(engines, text):
    spelled = column_of([text, f"x = '{text}'\n{text}{text}"])
    for engine in engines:
        ids, counts = engine.encode(spelled)
        assert 1000 not in ids
        assert engine.decode(ids[: counts[0]].tolist()) == text
    assert same_ids(*engines, spelled.to_pylist())


@pytest.mark.parametrize("character", [" ", "\t", "\n", "a", "=", "\x00", "é", "中", "\u00a0", "1"])
def test_a_long_run_of_one_character_has_the_same_ids(engines, character):
    assert same_ids(*engines, [character * 100_001, f"x{character * 40_000}y"])


def test_random_bytes_of_utf8_have_the_same_ids(engines):
    drawn = random.Random(7)
    text = "".join(chr(drawn.choice([drawn.randrange(0x80), drawn.randrange(0xD800)])) for _ in range(20_000))
    assert same_ids(*engines, [text])


# Arrow


def test_slices_nulls_and_narrow_strings_are_read_where_they_lie(engines):
    values = ["before", "x = 1\n", None, "", "é" * 3, "after"]
    wide, narrow = pa.array(values, pa.large_string()), pa.array(values, pa.string())
    expected = [text or "" for text in values]
    for engine in engines:
        ids, counts = engine.encode(column_of(expected))
        begins = np.concatenate([[0], np.cumsum(counts)])
        for start, length in ((0, 6), (1, 3), (2, 1), (3, 0), (4, 2)):
            for column in (wide.slice(start, length), narrow.slice(start, length)):
                found, found_counts = engine.encode(column_of(column))
                assert np.array_equal(found, ids[begins[start] : begins[start + length]])
                assert np.array_equal(found_counts, counts[start : start + length])


def test_bytes_under_a_null_are_no_text(engines):
    full = pa.array(["hidden", "seen"], pa.large_string())
    bitmap = pa.py_buffer(bytes([0b10]))
    hidden = pa.Array.from_buffers(pa.large_string(), 2, [bitmap, *full.buffers()[1:]])
    for engine in engines:
        assert engine.encode(column_of(hidden))[1].tolist()[0] == 0


def test_chunks_are_joined():
    found = column_of(pa.chunked_array([["a"], ["b", None]], pa.string()))
    assert (found.type, found.to_pylist()) == (pa.large_string(), ["a", "b", ""])


@pytest.mark.parametrize("broken", [b"\xff", b"a\xc3", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80"])
def test_bytes_that_are_not_utf8_are_refused_by_name(broken):
    offsets = pa.py_buffer(np.array([0, len(broken)], np.int64))
    column = pa.Array.from_buffers(pa.large_string(), 1, [None, offsets, pa.py_buffer(broken)])
    with pytest.raises(ValueError, match="expected UTF-8"):
        column_of(column)


def test_a_lone_surrogate_never_becomes_a_column():
    with pytest.raises(UnicodeEncodeError):
        column_of(["\ud800"])


# which engine


def test_text_of_a_later_unicode_goes_to_the_reference(engines, monkeypatch):
    reference, fast = engines
    sent: list[list[str]] = []
    whole = fast._quickly
    monkeypatch.setattr(fast, "_quickly", lambda column: (sent.append(column.to_pylist()), whole(column))[1])
    texts = ["plain", "a\u088fb", "", "é中😀", "\U000323b0"]
    assert same_ids(fast, reference, texts)
    assert sent == [["plain", "", "é中😀"]]


def test_rare_characters_are_those_that_no_version_before_assigned():
    rare = rare_characters()
    assert not rare[[ord(letter) for letter in "aé中😀\ufffd\ue000"]].any()
    assert rare[[0x88F, 0x378, 0x323B0, 0x10FFFE]].all()


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=6), max_size=6))
def test_rows_with_rare_characters_are_found(texts):
    rare = rare_characters()
    expected = [any(rare[ord(letter)] for letter in text) for text in texts]
    assert rows_with_rare(pa.array(texts, pa.large_string())).tolist() == expected


def test_the_accelerator_is_chosen_over_a_hole_in_the_ranks(ranks):
    assert type(rank_encoder(ranks, "r50k", {"<|endoftext|>": 1000})) is GigatokenEncoder
    two = {token: rank + (rank >= 1200) for token, rank in ranks.items()}
    assert type(rank_encoder(two, "r50k", {})) is TiktokenEncoder


def test_the_accelerators_memory_is_given_back(ranks, library_texts, monkeypatch):
    monkeypatch.setattr("shards.tokenizers.encoders.FORGET_BYTES", 100_000)
    fast, reference = GigatokenEncoder(ranks, "r50k", {}), TiktokenEncoder(ranks, "r50k", {})
    built = []
    build = fast._build
    monkeypatch.setattr(fast, "_build", lambda: (built.append(1), build())[1])
    for text in library_texts[:12]:
        assert same_ids(fast, reference, [text])
    assert 1 <= len(built) < 12


# runs cut out before BPE

SPACES, TABS = b" " * 25, b"\t" * 9


def slow_cut(text: str) -> list[str]:
    """The longest run at each place, by trying every length."""
    found, plain = [], ""
    while text:
        run = next((run for run in sorted(CODEGEN_RUNS, key=len, reverse=True) if text.startswith(run)), None)
        if run is None:
            plain, text = plain + text[0], text[1:]
            continue
        found += [plain, run] if plain else [run]
        plain, text = "", text[len(run) :]
    return [*found, plain] if plain else found


@given(st.lists(st.sampled_from([*RUNS, " ", "\t", "x", "\n", "def "]), max_size=8).map("".join))
def test_runs_are_cut_longest_first_from_the_left(text):
    pieces = list(Cutter(CODEGEN_RUNS)(text))
    assert [piece for piece, _ in pieces] == slow_cut(text)
    assert all(CODEGEN_RUNS.get(piece) == token for piece, token in pieces)


def test_codegen_counts_four_spaces_where_codex_counts_three():
    assert [piece for piece, _ in Cutter(CODEGEN_RUNS)("    def")] == ["    ", "def"]


@pytest.mark.parametrize(
    ("runs", "expected"), [("none", set()), ("spaces", {SPACES}), ("tabs", {SPACES, TABS})]
)
def test_runs_of_white_space_are_an_option_of_training(runs, expected):
    tokenizer = make_tokenizer(TokenizerConfig(vocab_size=400, runs=runs), ["x = 1\n"] * 3)
    for run in (SPACES, TABS):
        ids, _ = tokenizer.encode_batch(pa.array([run.decode()], pa.large_string()))
        assert (len(ids) == 1) == (run in expected)
