"""Nearness against a slow twin that compares everything with everything."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from instruct.evolve import jaccard, near_duplicates, shingles


def slow(sets, threshold):
    kept, found = [], []
    for index, one in enumerate(sets):
        near = (
            next((other for other in kept if jaccard(one, sets[other]) >= threshold), None) if one else None
        )
        found.append(near)
        if near is None:
            kept.append(index)
    return found


SETS = st.lists(st.frozensets(st.integers(0, 12), max_size=8), max_size=14)


@given(SETS, st.sampled_from([0.1, 0.3, 0.5, 2 / 3, 0.7, 0.75, 0.8, 0.9, 1.0]))
def test_as_the_slow_twin(sets, threshold):
    assert near_duplicates(sets, threshold) == slow(sets, threshold)


def slow_shingles(text, size):
    words = re.findall(r"[A-Za-z0-9_]+", text.lower())
    width = min(size, len(words))
    return {tuple(words[at : at + width]) for at in range(len(words) - width + 1)} if words else set()


@given(st.lists(st.text("ab .", max_size=30), max_size=4), st.integers(1, 4))
def test_shingles_as_the_slow_twin(texts, size):
    fast = shingles(texts, size)
    slow_sets = [slow_shingles(text, size) for text in texts]
    assert [len(one) for one in fast] == [len(one) for one in slow_sets]
    for left in range(len(texts)):
        for right in range(len(texts)):
            assert (fast[left] == fast[right]) == (slow_sets[left] == slow_sets[right])


def test_the_order_of_words_counts():
    assert len(set(shingles(["a b", "b a"], 2))) == 2
