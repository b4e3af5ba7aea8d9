"""Text statistics against Python's own str, character by character."""

from __future__ import annotations

import re
import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from columns.document import text_buffers
from columns.testing import assert_batch_law, documents
from columns.text import TextStats, line_break_bytes, text_stats
from columns.unicode_table import (
    ALNUM,
    ALPHA,
    ASSIGNED,
    CODE_POINTS,
    SPACE,
    UNICODE_VERSION,
    character_classes,
    format_table,
    interpreter_class,
)

BREAKS = ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]
NOT_BREAKS = [
    "\x1f",
    "\x84",
    "\x86",
    "\u2027",
    "\u202a",
    "\u0a28",
    "\u000e",
    "\t",
    "\x08",
    "\xa0",
    "ą",
    "\u2128",
]
TRICKY = "\ufeff\x00\ufffdé٣²Ⅷ中字🎉\u00a0\u3000ªßİK\U0010ffff \tazAZ09fgFG@[`{/:_"

tricky = st.lists(st.sampled_from([*BREAKS, *NOT_BREAKS, *TRICKY]), max_size=60).map("".join)
texts = st.one_of(st.text(max_size=60), tricky, st.text("ab \n\r", max_size=60))


def text_stats_slow(text: str) -> TextStats:
    """The slow, clear twin; only the three Unicode classes come from the frozen table."""
    classes = [int(character_classes()[ord(c)]) for c in text]
    lines = [len(line) for line in text.splitlines()]
    newline_lines = [len(line) for line in re.findall(r"[^\n]*\n|[^\n]+$", text)]
    values = TextStats(
        bytes=len(text.encode()),
        chars=len(text),
        lines=len(lines),
        line_chars=sum(lines),
        line_max=max(lines, default=0),
        newline_lines=len(newline_lines),
        newline_max=max(newline_lines, default=0),
        alnum=sum(bits & ALNUM != 0 for bits in classes),
        alpha=sum(bits & ALPHA != 0 for bits in classes),
        digits=sum(c in "0123456789" for c in text),
        hex_digits=sum(c in "0123456789abcdefABCDEF" for c in text),
        whitespace=sum(bits & SPACE != 0 for bits in classes),
        nul=text.count("\0"),
        replacement=text.count("\ufffd"),
        bom=int(text.startswith("\ufeff")),
    )
    return values


def stats_of(text: str) -> TextStats:
    return TextStats(*(int(column[0]) for column in text_stats(pa.array([text], pa.large_string()))))


def as_batch(batch: pa.RecordBatch) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(text_stats(batch.column("content"))._asdict())


@given(st.lists(texts, max_size=6))
def test_fast_equals_slow_on_arbitrary_text(found):
    fast = text_stats(pa.array(found, pa.large_string()))
    slow = [text_stats_slow(text) for text in found]
    for name, column in fast._asdict().items():
        assert column.tolist() == [getattr(stats, name) for stats in slow], name


@given(st.lists(st.one_of(st.none(), texts), max_size=6), st.integers(0, 6))
def test_batch_law(found, cut):
    assert_batch_law(as_batch, documents(found), min(cut, len(found)))


@given(st.text(max_size=20), st.sampled_from(BREAKS), st.integers(0, 20), st.integers(0, 9))
def test_line_ends_at_every_place_of_a_word(text, end, before, after):
    whole = "x" * before + end + text + end + "y" * after
    assert stats_of(whole) == text_stats_slow(whole)


@pytest.mark.parametrize("end", BREAKS)
def test_each_terminator_ends_a_line(end):
    assert stats_of(f"ab{end}c")[2:5] == (2, 3, 2)
    assert stats_of(f"ab{end}")[2:5] == (1, 2, 2)
    assert stats_of(end * 2)[2:5] == (2, 0, 0)


@pytest.mark.parametrize("other", NOT_BREAKS)
def test_look_alikes_do_not_end_a_line(other):
    assert stats_of(f"ab{other}c")[2:5] == (1, 4, 4)


@pytest.mark.parametrize(
    ("text", "lines", "line_chars", "line_max", "newline_lines", "newline_max"),
    [
        ("", 0, 0, 0, 0, 0),
        ("\n", 1, 0, 0, 1, 1),
        ("a", 1, 1, 1, 1, 1),
        ("a\nbcd", 2, 4, 3, 2, 3),
        ("a\nbcd\n", 2, 4, 3, 2, 4),
        ("a\r\nb", 2, 2, 1, 2, 3),
        ("a\n\rb", 3, 2, 1, 2, 2),
        ("a\r\r\nb", 3, 2, 1, 2, 4),
        ("a\rb\x0bc", 3, 3, 1, 1, 5),
        ("é\u2028中文\n", 2, 3, 2, 1, 5),
        ("\ufeffa\n", 1, 2, 2, 1, 3),
    ],
)
def test_both_line_definitions(text, lines, line_chars, line_max, newline_lines, newline_max):
    assert stats_of(text)[2:7] == (lines, line_chars, line_max, newline_lines, newline_max)


def test_golden_counts():
    stats = stats_of("\ufeffdef f(x):\r\n\treturn 0x1F + ٣ # é\0\ufffd\n")
    assert stats == TextStats(
        bytes=41,
        chars=35,
        lines=2,
        line_chars=32,
        line_max=22,
        newline_lines=2,
        newline_max=23,
        alnum=17,
        alpha=14,
        digits=2,
        hex_digits=8,
        whitespace=10,
        nul=1,
        replacement=1,
        bom=1,
    )


def test_bom_only_at_the_start_and_only_whole():
    assert [stats_of(text).bom for text in ("\ufeff", "\ufeffa", "a\ufeff", "", "ï»¿")] == [1, 1, 0, 0, 0]


def test_invalid_utf8_that_was_replaced_counts_as_replacement_characters():
    text = b"ok \xff\xfe\xc3 \x80end\n".decode("utf-8", errors="replace")
    assert stats_of(text) == text_stats_slow(text)
    assert stats_of(text).replacement == 4


def test_long_runs_do_not_overflow_the_small_counters():
    for unit in ("a", "7", "\0", " ", "é", "\n"):
        text = unit * 140_000
        assert stats_of(text) == text_stats_slow(text)


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=4))
def test_bytes_that_are_not_utf8_never_raise_nor_leak_into_the_next_row(found):
    together = text_stats(pa.array(found, pa.large_binary()))
    alone = [text_stats(pa.array([raw], pa.large_binary())) for raw in found]
    for name, column in together._asdict().items():
        assert column.tolist() == [int(getattr(stats, name)[0]) for stats in alone], name


def test_null_counts_as_empty_and_small_strings_are_taken():
    assert text_stats(pa.array([None, "a"])).bytes.tolist() == [0, 1]
    assert all(len(column) == 0 for column in text_stats(pa.array([], pa.large_string())))


def test_all_statistics_are_int64():
    assert {column.dtype for column in text_stats(pa.array(["a"]))} == {np.dtype(np.int64)}


@given(texts)
def test_line_break_bytes_splits_like_splitlines(text):
    data, offsets = text_buffers(pa.array([text], pa.large_string()))
    lines, start, at, end = [], 0, 0, int(offsets[1])
    while at < end:
        length = line_break_bytes(data, at, end)
        if length:
            lines.append(bytes(data[start:at]).decode())
            start = at + length
        at += max(length, 1)
    lines += [bytes(data[start:end]).decode()] if start < end else []
    assert lines == text.splitlines()


def test_the_frozen_table_differs_from_the_interpreter_only_where_one_knows_no_character():
    theirs = np.fromiter(map(interpreter_class, range(CODE_POINTS)), np.uint8, CODE_POINTS)
    differ = character_classes() != theirs
    in_both = (character_classes() & ASSIGNED != 0) & (theirs & ASSIGNED != 0)
    assert not (differ & in_both).any()
    if unicodedata.unidata_version == UNICODE_VERSION:
        assert not differ.any()


@pytest.mark.skipif(
    unicodedata.unidata_version != UNICODE_VERSION, reason="needs a Python with Unicode 15.1.0"
)
def test_the_table_file_is_what_its_command_writes():
    from columns import unicode_table

    assert format_table() == unicode_table._FILE.read_text(encoding="ascii")


def test_the_table_is_small_read_only_and_says_its_version():
    from columns import unicode_table

    assert unicode_table._FILE.stat().st_size < 20_000
    assert not character_classes().flags.writeable
    assert character_classes().shape == (CODE_POINTS,)


def test_a_table_of_another_unicode_version_is_refused(tmp_path, monkeypatch):
    from columns import unicode_table

    other = tmp_path / "table.csv"
    other.write_text("unicode,99.0.0\n0,8\n")
    monkeypatch.setattr(unicode_table, "_FILE", other)
    with pytest.raises(ValueError, match=r"expected Unicode 15\.1\.0, got 'unicode,99\.0\.0'"):
        character_classes.__wrapped__()
