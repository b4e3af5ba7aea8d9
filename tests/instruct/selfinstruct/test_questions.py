"""Questions: the prompt, the parser, exact duplicates."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruct.models import Answer
from instruct.selfinstruct import (
    QUESTION,
    QuestionConfig,
    llama_chat,
    parse_questions,
    question_prompts,
    questions,
)


def none_leak(texts):
    return [[] for _ in texts]


def asked(*texts, level="easy", leaks=none_leak):
    answers = [Answer(level, ix, text, "" if text else "failed", "m", 0, 0) for ix, text in enumerate(texts)]
    table, counts = questions(answers, QuestionConfig(), leaks)
    assert table.schema == QUESTION
    return table.to_pylist(), counts


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1. Add a list of numbers.", [(1, "Add a list of numbers.")]),
        ("Sure, here:\n\n1. A\n2. B\n", [(1, "A"), (2, "B")]),
        ("1) A\n\n2) B", [(1, "A"), (2, "B")]),
        ("1: A\n2: B", [(1, "A"), (2, "B")]),
        ("1 - A\n2- B", [(1, "A"), (2, "B")]),
        ("**1.** A\n**2.** B", [(1, "A"), (2, "B")]),
        ("Question 1: A\nQ2. B", [(1, "A"), (2, "B")]),
        ("  9. A\n  10. B", [(9, "A"), (10, "B")]),
        (
            "1. A with\n   more lines\n\n   and an example: f(1) = 2\n2. B",
            [(1, "A with more lines and an example: f(1) = 2"), (2, "B")],
        ),
        ("1. A\r\n2. B\r\n", [(1, "A"), (2, "B")]),
        ("1. Round 3.5 to 4. Then stop.", [(1, "Round 3.5 to 4. Then stop.")]),
        ("1.\n2. B", [(2, "B")]),
        ("No questions today.", []),
        ("", []),
        ("12345. A", []),
    ],
)
def test_numbered_items(text, found):
    assert parse_questions(text) == found


@given(st.lists(st.text("abc .", min_size=3, max_size=20).map(str.strip).filter(bool), max_size=9))
def test_what_is_numbered_comes_back(items):
    text = "Here:\n" + "\n".join(f"{n}. {item}" for n, item in enumerate(items, 1))
    assert parse_questions(text) == [(n, " ".join(item.split())) for n, item in enumerate(items, 1)]


@given(st.text("1.)*Q \n:-a", max_size=60))
def test_no_text_raises(text):
    assert all(question and question == " ".join(question.split()) for _, question in parse_questions(text))


def test_a_question_has_an_end():
    assert len(parse_questions("1. " + "x" * 1_000_000)[0][1]) == 4000


def test_exact_duplicates_and_no_others_are_dropped():
    rows, counts = asked(
        "1. Add two whole numbers.\n2. Sort a list of words.",
        "1. Sort a list of  words.\n2. sort a list of words.",
    )
    assert [row["dropped"] for row in rows] == [None, None, "duplicate", None]
    assert len({row["id"] for row in rows}) == 4
    assert rows[2]["id"] == f"{rows[1]['id']}-2"
    assert [(row["call"], row["number"]) for row in rows] == [(0, 1), (0, 2), (1, 1), (1, 2)]
    assert counts == {"kept": 3, "dropped duplicate": 1}


def test_short_ones_leaks_and_empty_calls_are_counted():
    rows, counts = asked(
        "1. Too short.",
        "",
        "Nothing here.",
        "1. Is this one a leak?",
        leaks=lambda texts: [["s/1"] if "leak" in text else [] for text in texts],
    )
    assert [row["dropped"] for row in rows] == ["too_short", "leak"]
    assert rows[1]["leaks"] == ["s/1"]
    assert counts == {
        "dropped too_short": 1,
        "dropped leak": 1,
        "calls failed": 1,
        "calls without a question": 1,
    }


def test_the_prompt_is_one_per_level_in_the_published_tags():
    prompts = question_prompts(QuestionConfig(wanted=100))
    assert [prompt.id for prompt in prompts] == ["easy", "medium"]
    for prompt in prompts:
        text = llama_chat(prompt.messages)
        assert text.startswith("[INST] ")
        assert text.endswith("[/INST]")
        for part in ("50 ", prompt.id, "standalone Python function", "standard library"):
            assert part in text


@pytest.mark.parametrize(
    ("config", "calls"),
    [({}, 620), ({"wanted": 1}, 1), ({"wanted": 101}, 2), ({"wanted": 100, "levels": ("easy",)}, 2)],
)
def test_calls_are_enough(config, calls):
    """62,000 questions by 50 in a call of two levels: Code Llama, section 2.5."""
    assert QuestionConfig(**config).calls == calls


@pytest.mark.parametrize("config", [{"wanted": 0}, {"per_call": 0}, {"per_call": 501}, {"levels": ()}])
def test_configurations_that_mean_nothing(config):
    with pytest.raises(ValueError, match="expected"):
        QuestionConfig(**config)
