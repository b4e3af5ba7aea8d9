"""Prompts and keys."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruct.models.prompt import ModelConfig, Prompt, answer_key, request_body

ASKED = ModelConfig("m", temperature=0.2, top_p=0.95, max_tokens=16, seed=5)
HI = Prompt("a", (("system", "Be brief."), ("user", "Hi")))


def test_a_key_stays_what_it_is():
    """Recordings of users depend on it: computed by hand as SHA-256 of the canonical JSON."""
    import hashlib

    text = (
        '{"max_tokens":16,"messages":[["system","Be brief."],["user","Hi"]],"model":"m","sample_ix":0,"seed":5,'
        '"stop":[],"temperature":0.2,"top_p":0.95}'
    )
    assert answer_key(HI, ASKED, 0) == hashlib.sha256(text.encode()).hexdigest()


def test_numbers_count_by_value():
    assert answer_key(HI, replace(ASKED, temperature=0), 0) == answer_key(
        HI, replace(ASKED, temperature=0.0), 0
    )


@pytest.mark.parametrize(
    "change",
    [{"model": "n"}, {"temperature": 0.3}, {"top_p": 0.9}, {"max_tokens": 17}, {"seed": 6}, {"stop": ("x",)}],
)
def test_what_changes_an_answer_changes_its_key(change):
    assert answer_key(HI, replace(ASKED, **change), 0) != answer_key(HI, ASKED, 0)


def test_the_number_of_samples_is_no_part_of_a_key():
    assert answer_key(HI, replace(ASKED, samples=9), 3) == answer_key(HI, ASKED, 3)


@given(
    st.lists(
        st.tuples(st.sampled_from(["user", "assistant"]), st.text("ab\n☃", max_size=4)),
        max_size=3,
    )
)
def test_messages_and_samples_have_keys_of_their_own(messages):
    prompt = Prompt("p", tuple(messages))
    longer = Prompt("p", (*messages, ("user", "")))
    keys = {answer_key(prompt, ASKED, 0), answer_key(prompt, ASKED, 1), answer_key(longer, ASKED, 0)}
    assert len(keys) == 3


def test_a_request_says_what_the_recipe_says_and_each_sample_its_own_seed():
    body = request_body(HI, replace(ASKED, stop=("END",)), 2)
    assert body == {
        "model": "m",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
        "temperature": 0.2,
        "top_p": 0.95,
        "max_tokens": 16,
        "seed": 7,
        "n": 1,
        "stop": ["END"],
    }
    assert "stop" not in request_body(HI, ASKED, 0)


@pytest.mark.parametrize(
    "change",
    [
        {"model": " "}, {"temperature": -0.1}, {"temperature": 2.1}, {"temperature": float("nan")}, {"top_p": 0.0},
        {"top_p": 1.1}, {"max_tokens": 0}, {"seed": -1}, {"seed": 1 << 31}, {"stop": ("a",) * 5}, {"samples": 0},
    ],
)  # fmt: skip
def test_values_that_no_endpoint_takes(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        replace(ASKED, **change)
