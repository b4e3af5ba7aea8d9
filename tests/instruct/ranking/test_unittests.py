"""Unit tests written by a model: what is taken, and what is not believed."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruct.models import Answer
from instruct.ranking import TESTED, parse_unit_tests, unit_test_prompt, unit_test_prompts, with_tests

GOOD = """Here you are:
```python
import math
from collections import Counter as C

def area(r: float, n: int = 2) -> float:
    pass

assert area(0) == 0
assert math.isclose(area(1), math.pi)
assert area( 0 )  ==  0  # once more
assert C(area(1)) == C(), "message"
assert True
assert other(1) == 2
```
"""


def test_a_good_answer():
    found = parse_unit_tests(GOOD, 5)
    assert found.signature == "def area(r: float, n: int=2) -> float:"
    assert (found.entry_point, found.problem) == ("area", "")
    assert found.setup == "import math\nfrom collections import Counter as C"
    assert found.tests == (
        "assert area(0) == 0", "assert math.isclose(area(1), math.pi)", "assert C(area(1)) == C(), 'message'",
    )  # fmt: skip


def test_at_most_so_many():
    assert len(parse_unit_tests(GOOD, 2).tests) == 2


def test_too_few_are_none():
    assert parse_unit_tests(GOOD, 5, least=4).problem == "no_tests"
    assert parse_unit_tests("```\ndef f(x): pass\n```", 5).problem == "no_tests"


def test_assertions_inside_test_functions():
    text = "def f(x): pass\n\ndef test_f():\n    y = 3\n    assert f(1) == 2\n    assert f(y) == 4\n"
    assert parse_unit_tests(text, 5).tests == ("assert f(1) == 2",)


def test_names_that_an_assertion_binds_itself():
    text = "def f(x): pass\nassert [f(x) for x in (1, 2)] == list(map(lambda y: y + 1, [1, 2]))\nassert f(z) == 1"
    assert len(parse_unit_tests(text, 5).tests) == 1


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no_answer"), ("No.", "no_code"), ("```js\nx\n```", "not_python"), ("```\nassert f(1) ==\n```", "syntax"),
        ("```\nassert f(1) == 1\n```", "no_function"), ("def f(x): pass\nassert f", "no_tests"),
        ("def f(x): pass\nassert f(0x" + "f" * 20_000 + ")", "syntax"),
    ],
    ids=range(7),
)  # fmt: skip
def test_answers_without_tests(text, problem):
    assert parse_unit_tests(text, 5).problem == problem


@pytest.mark.parametrize("depth", [300, 3_000, 30_000])
def test_answers_that_are_nested_deeper_than_the_parser_goes(depth):
    """How deep that is differs from version to version; none of them stops the run."""
    text = "def f(x): pass\nassert f(" + "-" * depth + "1)"
    assert parse_unit_tests(text, 5).problem in ("", "no_tests", "syntax")


@given(st.text(st.sampled_from("def f(x):pas\nert=1 []"), max_size=50))
def test_no_text_raises_and_tests_parse(text):
    for test in parse_unit_tests("def f(x): pass\n" + text, 3).tests:
        assert isinstance(ast.parse(test).body[0], ast.Assert)


def test_the_prompt():
    text = unit_test_prompt("Add {two} numbers.", 7)
    assert "exactly 7 lines" in text
    assert "Add {two} numbers." in text
    assert [
        (one.id, one.messages[0][1])
        for one in unit_test_prompts([{"id": "a", "instruction": "Add {two} numbers."}], 7)
    ] == [("a", text)]


def test_the_first_usable_answer_counts():
    tasks = [
        {"id": "a", "instruction": "A"},
        {"id": "b", "instruction": "B"},
        {"id": "c", "instruction": "C"},
    ]
    answers = [
        Answer("a", 0, "nothing", "", "m", 0, 0),
        Answer("a", 1, GOOD, "", "m", 0, 0),
        Answer("b", 0, "", "failed", "m", 0, 0),
        Answer("b", 1, "```\ndef f(): pass\n```", "", "m", 0, 0),
    ]
    table, counts = with_tests(tasks, answers, 5, 1)
    assert table.schema == TESTED
    assert table["dropped"].to_pylist() == [None, "tests_no_answer", "tests_no_answer"]
    assert table["text"].to_pylist() == [GOOD, "", ""]
    assert table["tests"].to_pylist()[0][0] == "assert area(0) == 0"
    assert counts == {"kept": 1, "dropped tests_no_answer": 2, "tests": 3}
    table, _ = with_tests([tasks[1]], answers[3:], 5, 1)
    assert table["dropped"].to_pylist() == ["no_tests"]
