"""Redaction: exact elsewhere, idempotent, and it refuses spans of other texts."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from columns.errors import InputError
from privacy import DEFAULT_KINDS, KINDS, SPANS, PrivacyConfig, find_spans, planted, redact
from privacy.splice import Span, apart, joined, origin, splice
from tests.privacy.test_spans import PLANTS, batches, strings

some_kinds = st.lists(st.sampled_from(DEFAULT_KINDS), unique=True).map(tuple)


def redacted_slow(text: str, spans: list[dict[str, object]]) -> str:
    """The slow, clear twin: from the last span to the first, one replacement at a time."""
    raw = text.encode()
    for span in reversed(spans):
        raw = raw[: span["start"]] + KINDS[span["kind"]].placeholder.encode() + raw[span["end"] :]
    return raw.decode()


@given(batches)
def test_fast_equals_slow(found):
    content = strings(*found)
    spans = find_spans(content)
    rows = spans.to_pylist()
    expected = [
        None if text is None else redacted_slow(text, [span for span in rows if span["row"] == row])
        for row, text in enumerate(found)
    ]
    result = redact(content, spans)
    result.validate(full=True)
    assert result.type == pa.large_string()
    assert result.to_pylist() == expected


@given(batches)
@settings(max_examples=300)
def test_redacting_twice_finds_nothing(found):
    content = strings(*found)
    once = redact(content, find_spans(content))
    again = find_spans(once)
    assert again.num_rows == 0
    assert redact(once, again).equals(once)


@given(batches, some_kinds)
def test_redacting_some_kinds_leaves_none_of_them(found, kinds):
    config = PrivacyConfig(redact=kinds)
    content = strings(*found)
    once = redact(content, find_spans(content, config), config)
    assert not {*find_spans(once, config).column("kind").to_pylist()} & {*kinds}


@given(st.lists(st.integers(0, len(PLANTS) - 1), min_size=2, max_size=6))
def test_plants_without_anything_between_leave_nothing(chosen):
    glued = "".join(PLANTS[n].text.encode()[PLANTS[n].start : PLANTS[n].end].decode() for n in chosen)
    once = redact(strings(glued), find_spans(strings(glued)))
    assert find_spans(once).num_rows == 0


@given(batches, st.integers(0, 5), st.integers(0, 5))
def test_slices_are_redacted_like_copies(found, start, length):
    whole = strings(*found).slice(start, length)
    copy = strings(*whole.to_pylist())
    assert redact(whole, find_spans(whole)).equals(redact(copy, find_spans(copy)))


def test_every_plant_becomes_its_placeholder_and_nothing_else_changes():
    content = strings(*(plant.text for plant in PLANTS))
    for plant, text in zip(PLANTS, redact(content, find_spans(content)).to_pylist(), strict=True):
        raw = plant.text.encode()
        placeholder = KINDS[plant.kind].placeholder
        assert text == raw[: plant.start].decode() + placeholder + raw[plant.end :].decode()


def test_golden_text_with_two_kinds_of_which_one_is_redacted():
    content = strings("é ada@lovelace.org at 93.184.216.34", None, "", "x")
    config = PrivacyConfig(redact=("email",))
    spans = find_spans(content, config)
    assert redact(content, spans, config).to_pylist() == ["é <EMAIL> at 93.184.216.34", None, "", "x"]
    assert redact(content, spans).to_pylist()[0] == "é <EMAIL> at <IP_ADDRESS>"
    assert redact(strings(), find_spans(strings())).to_pylist() == []


def test_spans_of_other_texts_are_refused():
    spans = find_spans(strings("x", "by ada@lovelace.org"))
    with pytest.raises(InputError, match="expected rows below 1, got 1"):
        redact(strings("x"), spans)
    with pytest.raises(InputError, match="inside the 1 bytes of row 1"):
        redact(strings("x", "y"), spans)
    twice = pa.RecordBatch.from_pylist([*spans.to_pylist(), *spans.to_pylist()], SPANS)
    with pytest.raises(InputError, match="apart"):
        redact(strings("x", "by ada@lovelace.org"), twice)


def test_plants_are_the_same_every_time_and_differ_by_seed():
    assert planted(1, 2) == planted(1, 2)
    assert {plant.text for plant in planted(1, 1)}.isdisjoint(plant.text for plant in planted(2, 1))


def test_placeholders_are_typed_and_never_found():
    assert {kind.placeholder for kind in KINDS.values()} == {
        *("<EMAIL>", "<IP_ADDRESS>", "<KEY>", "<PASSWORD>", "<PRIVATE_KEY>"),
    }
    lines = [f'password = "{kind.placeholder}"\ntoken: {kind.placeholder}\n' for kind in KINDS.values()]
    assert find_spans(strings(*lines)).num_rows == 0


spans_apart = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9)), max_size=6).map(
    lambda found: apart(Span(start, start + length, "email") for start, length in found)
)


@given(spans_apart)
def test_places_behind_a_splice_are_mapped_back(gone):
    text = bytes(range(100, 180))
    spliced = splice(memoryview(text), gone)
    for at, byte in enumerate(spliced):
        if byte >= 100 and not any(start <= at < start + 7 for start in placeholders_at(spliced)):
            place = origin(Span(at, at + 1, "email"), gone)
            assert text[place.start] == byte
            assert place.end == place.start + 1


@given(spans_apart)
def test_what_cuts_a_placeholder_takes_all_it_stands_for(gone):
    spliced = splice(memoryview(bytes(range(100, 180))), gone)
    for old, at in zip(gone, placeholders_at(spliced), strict=True):
        assert origin(Span(at + 2, at + 4, "email"), gone)[:2] == old[:2]
        assert origin(Span(at, at + 7, "email"), gone)[:2] == old[:2]


def placeholders_at(spliced: bytes) -> list[int]:
    return [at for at in range(len(spliced)) if spliced.startswith(b"<EMAIL>", at)]


def test_a_new_span_replaces_the_old_ones_it_touches():
    old = [Span(0, 4, "email"), Span(5, 8, "email"), Span(9, 12, "email")]
    assert joined(old, [Span(3, 6, "password")]) == [Span(3, 6, "password"), Span(9, 12, "email")]
