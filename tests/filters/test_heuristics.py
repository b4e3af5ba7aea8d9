"""CodeParrot's heuristics against a plain Python twin."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from columns.testing import assert_batch_law, documents
from filters.signals.heuristics import HEURISTICS, measure_heuristics

KEYWORDS = ("def ", "class ", "for ", "while ")
PIECES = [
    *("\n", "\r\n", "\r", "\x0c", "\x1c", "\x85", "\u2028", " ", "=", "==", "\0", "🎉", "é"),
    *("\u0130", "\u212a", "\ufb01", "conf\u0130g", "te\u017ft"),
    *("config", "CONFIG", "Conf", "ig", "test", "Test", "tes", "testest", "latest"),
    *("unit tests", "Unit Tests", "unit\ntests", "test file", "TEST FILE"),
    *("configuration file", "configuration", "whi", "le ", "de", "f ", "s ", "r "),
    *("def ", "def", "DEF ", "class ", "class\t", "for ", "For\n", "while "),
    *("\n" * times for times in (18, 19, 20, 21, 39, 40, 41)),
]
texts = st.one_of(st.text(max_size=40), st.lists(st.sampled_from(PIECES), max_size=25).map("".join))


def heuristics_slow(text: str) -> dict[str, object]:
    """The slow, clear twin of `measure_heuristics` for one text."""
    head = [line.lower() for line in text.splitlines()[:5]]
    said = any(word in line for line in head for word in ("unit tests", "test file", "configuration file"))
    lower = [line.lower() for line in text.splitlines()]
    most = int(0.05 * text.count("\n"))
    named = any(sum(line.count(word) for line in lower) > most for word in ("config", "test"))
    return {
        "config_or_test": said or named,
        "no_keyword": not any(word in line for line in lower for word in KEYWORDS),
        "equals_count": text.count("="),
    }


def heuristics_of(text: str) -> dict[str, object]:
    return measure_heuristics(documents([text])).to_pylist()[0]


@settings(max_examples=400)
@given(st.lists(texts, max_size=5))
def test_fast_equals_slow_on_arbitrary_text(found):
    assert measure_heuristics(documents(found)).to_pylist() == [heuristics_slow(text) for text in found]


@given(st.lists(st.one_of(st.none(), texts), max_size=5), st.integers(0, 5))
def test_batch_law(found, cut):
    assert_batch_law(measure_heuristics, documents(found), min(cut, len(found)))


def test_github_sample_equals_the_slow_twin(github_sample):
    batch = pq.read_table(github_sample, columns=["content"]).slice(0, 1000).combine_chunks().to_batches()[0]
    expected = [heuristics_slow(text) for text in batch.column("content").to_pylist()]
    assert measure_heuristics(batch).to_pylist() == expected


@pytest.mark.parametrize("text", ["", "a", "\n", "\0", "🎉", "\r\n", "\x0c", "\u2028"])
def test_texts_without_any_word(text):
    assert heuristics_of(text) == {"config_or_test": False, "no_keyword": True, "equals_count": 0}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("test", True),
        ("test" + "\n" * 19, True),
        ("test" + "\n" * 20, False),
        ("testest" + "\n" * 20, False),
        ("TESTtest" + "\n" * 20, True),
        ("config test" + "\n" * 20, False),
        ("latest\nattest" + "\n" * 20, True),
        ("Config" * 3 + "\n" * 59, True),
        ("Config" * 3 + "\n" * 60, False),
        ("config" + "\r" * 40, True),
        ("conf\nig", False),
        ("conf\u0130g te\u017ft", False),
        ("\n" * 4 + "# Unit Tests" + "\n" * 60, True),
        ("\n" * 5 + "# Unit Tests" + "\n" * 60, False),
        ("\x0c\u2028\x85\r" + "# Configuration File" + "\n" * 60, True),
        ("\x0c\u2028\x85\r\r\n" + "# Configuration File" + "\n" * 60, False),
    ],
)
def test_config_or_test(text, expected):
    assert heuristics_of(text)["config_or_test"] is expected is heuristics_slow(text)["config_or_test"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def f", False),
        ("DEF f", False),
        ("for", True),
        ("for ", False),
        ("or ", True),
        ("therefor x", False),
        ("for\tx", True),
        ("for\u00a0x", True),
        ("class A", False),
        ("lass A", True),
        ("while x", False),
        ("hile x", True),
        ("whi\nle x", True),
    ],
)
def test_no_keyword(text, expected):
    assert heuristics_of(text)["no_keyword"] is expected is heuristics_slow(text)["no_keyword"]


def test_words_never_reach_into_the_next_row():
    rows = measure_heuristics(documents(["con", "fig", "te", "st", "for", " ", "fo", "r "])).to_pylist()
    assert {row["config_or_test"] for row in rows} == {False}
    assert {row["no_keyword"] for row in rows} == {True}


def test_counters_hold_more_than_a_block():
    text = "=" * 70_000 + "\n" * 70_001 + "config" * 3500
    assert heuristics_of(text) == heuristics_slow(text)
    assert heuristics_of(text + "config")["config_or_test"] is True


def test_null_content_gives_nulls_and_keeps_the_rows_aligned():
    rows = measure_heuristics(documents(["=", None, ""])).to_pylist()
    assert rows[1] == dict.fromkeys(HEURISTICS.names)
    assert [row["equals_count"] for row in rows] == [1, None, 0]
    assert measure_heuristics(documents([])).schema == HEURISTICS


def test_plain_strings_and_slices_are_measured_too():
    batch = pa.RecordBatch.from_pydict({"content": pa.array(["x" * 10, "a = é"], pa.string())}).slice(1)
    assert measure_heuristics(batch).column("equals_count").to_pylist() == [1]


def test_every_signal_says_what_it_is():
    assert all(field.metadata and field.metadata[b"about"] for field in HEURISTICS)
