"""Every limit of cleaning from both sides, and nearness at exactly its threshold."""

from __future__ import annotations

from fractions import Fraction

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instruct.evolve import (
    EVOLVED,
    FORBIDDEN,
    METHODS,
    CleaningConfig,
    chosen_method,
    clean,
    is_refusal,
    jaccard,
    near_duplicates,
    normalised,
    shingles,
)


def none_leak(texts):
    return [[] for _ in texts]


def rows(*texts, leaks=none_leak, **config):
    made = [{"id": f"t{n}", "round": 1, "instruction": text} for n, text in enumerate(texts)]
    table, _ = clean(pa.Table.from_pylist(made, EVOLVED), CleaningConfig(**config), tokens=len, leaks=leaks)
    return table.to_pylist()


def dropped(*texts, **config):
    return [row["dropped"] for row in rows(*texts, **config)]


@given(st.integers(1, 30), st.integers(1, 30))
def test_of_two_sets_the_one_at_the_threshold_is_near(shared, more):
    """The threshold is the similarity itself, whatever floats make of it times a size."""
    whole, part = frozenset(range(shared + more)), frozenset(range(shared))
    threshold = shared / (shared + more)
    assert jaccard(whole, part) == threshold
    assert near_duplicates([whole, part], threshold) == [None, 0]
    assert near_duplicates([part, whole], threshold) == [None, 0]
    assert near_duplicates([whole, part], threshold + 1e-9) == [None, None]


def test_a_product_of_floats_that_is_a_little_high_loses_nothing():
    assert 0.56 * 25 > Fraction(56, 100) * 25
    assert near_duplicates([frozenset(range(25)), frozenset(range(14))], 0.56) == [None, 0]


def test_a_dropped_text_draws_no_other_with_it():
    """A chain: the second is near the first, the third near the second alone."""
    chain = [frozenset(range(0, 10)), frozenset(range(2, 12)), frozenset(range(4, 14))]
    assert near_duplicates(chain, 0.6) == [None, 0, None]


def test_the_first_kept_one_is_named():
    one = frozenset(range(10))
    assert near_duplicates([one, one, one], 0.9) == [None, 0, 0]
    assert near_duplicates([frozenset(), frozenset()], 0.1) == [None, None]


@pytest.mark.parametrize("limit", [1, 4, 9])
def test_words_at_the_limit(limit):
    texts = [" ".join(f"w{n}" for n in range(count)) for count in (limit - 1, limit, limit + 1)]
    assert dropped(*texts, rules=("too_short",), min_words=limit) == ["too_short", None, None]


@pytest.mark.parametrize("limit", [1, 30])
def test_tokens_at_the_limit(limit):
    texts = ["x" * count for count in (limit - 1, limit, limit + 1)]
    assert dropped(*texts, rules=("too_long",), max_tokens=limit) == [None, None, "too_long"]


@pytest.mark.parametrize("words", [1, 79, 80])
def test_refusals_at_eighty_words(words):
    assert is_refusal(" ".join(["sorry", *["x"] * (words - 1)])) is (words < 80)


@pytest.mark.parametrize("text", ["I am unable to do it", "I'm not able to", "As an AI", "SORRY"])
def test_phrases_of_refusals(text):
    assert is_refusal(text)
    assert not is_refusal(text.replace("sorry", "story").replace("SORRY", "STORY").replace("a", "e"))


@pytest.mark.parametrize("word", FORBIDDEN)
def test_every_forbidden_text_is_found_in_any_case(word):
    assert dropped(f"Do it now {word.upper()} please", rules=("forbidden",)) == ["forbidden"]
    spaced = " ".join(word)
    assert dropped(f"Do it now {spaced} please", rules=("forbidden",)) == [None]


@pytest.mark.parametrize(
    "language", ["javascript", "Java", "PHP", "kotlin", "SQL", "c++", "C#", "in rust", "using R"]
)
def test_python_beside_another_language_saves_a_task(language):
    assert dropped(f"Do it {language} today", rules=("not_python",)) == ["not_python"]
    assert dropped(f"Do it {language} today, or in PYTHON", rules=("not_python",)) == [None]


@pytest.mark.parametrize(
    "text", ["Javas crypt", "rusty go swiftly", "abc++ is", "dc# minor", "in gold", "with rows"]
)
def test_parts_of_words_are_no_languages(text):
    assert dropped(text, rules=("not_python",)) == [None]


def test_the_rules_of_one_text_break_in_their_order():
    text = "sorry given task in Java"
    order = ["too_short", "forbidden", "refusal", "not_python", "too_long"]
    for at, rule in enumerate(order):
        assert dropped(text, rules=tuple(order[at:][::-1]), min_words=9, max_tokens=3) == [rule]


def test_equal_before_near_and_leaks_last():
    text = "Write a function that adds up the even numbers of a list"
    seen = []

    def leaks(texts):
        seen.extend(texts)
        return [["s/1"] for _ in texts]

    found = rows(text, text.upper(), f"{text} now", leaks=leaks, near_words=1)
    assert [row["dropped"] for row in found] == ["leak", "duplicate", "near_duplicate"]
    assert [row["duplicate_of"] for row in found] == [None, "t0", "t0"]
    assert seen == [text]


@settings(max_examples=40)
@given(st.text(max_size=20), st.text(max_size=20))
def test_texts_are_equal_when_their_words_are(one, other):
    both = dropped(one, other, rules=("duplicate",))
    assert both == [None, "duplicate" if normalised(one) == normalised(other) else None]


@pytest.mark.parametrize(("one", "other"), [("ﬁne", "fine"), ("STRASSE", "straße"), ("x² + 1", "x2 1")])
def test_forms_of_letters_are_one(one, other):
    assert normalised(one) == normalised(other)


@pytest.mark.parametrize("size", [1, 3, 5])
def test_a_text_of_fewer_words_is_one_shingle(size):
    found = shingles([" ".join("abcdef"[:count]) for count in range(7)], size)
    assert [len(one) for one in found] == [0] + [max(1, count - size + 1) for count in range(1, 7)]


@given(st.text(max_size=8), st.integers(1, 20), st.integers(0, 3))
def test_a_method_is_drawn_from_those_that_are_asked_for(name, round_, seed):
    assert chosen_method(name, round_, ("rarer",), seed) == "rarer"
    drawn = chosen_method(name, round_, tuple(METHODS), seed)
    assert drawn in METHODS
    assert drawn == chosen_method(name, round_, tuple(METHODS), seed)
