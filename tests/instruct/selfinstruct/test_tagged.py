"""Tagged answers: tests and solutions, with tags, without, half, and hostile."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruct.selfinstruct import (
    between,
    llama_chat,
    messages_for_solution,
    messages_for_tests,
    parse_solution,
    parse_tests,
)

CASES = "# Test case 1:\nassert add(1, 2) == 3\n# Test case 2:\nassert add(0, 0) == 0\n"


def test_prompts_are_in_the_published_layout():
    """Five tests, a numbered comment above each, one example; solutions with one test and one example."""
    text = llama_chat(messages_for_tests("Add {x}."))
    assert text.startswith("[INST] ")
    assert text.endswith("[/TESTS] [INST] Task: Add {x}. [/INST]")
    assert "Write 5 tests" in text
    example = parse_tests(text[text.index("[/INST]") :])
    assert (example.entry_point, len(example.tests), example.problem) == ("second_largest", 5, "")
    assert [f"# Test case {n}:" in text for n in range(1, 6)] == [True] * 5
    solution = llama_chat(messages_for_solution("Add {x}.", "assert add(1) == 2"))
    assert solution.endswith("[/PYTHON] [INST] Task: Add {x}.\nTest: assert add(1) == 2 [/INST]")
    shown = parse_solution(solution[solution.index("[/INST]") :], "second_largest")
    assert shown.problem == ""
    room = {}
    exec(shown.code, room)
    for test in example.tests:
        exec(test, room)


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("a[T]b[/T]c", "b"),
        ("[T]\nb\n[/T]", "b"),
        ("[T]b", "b"),
        ("b[/T]", None),
        ("", None),
        ("[T]a[/T][T]b[/T]", "a"),
        ("[T][/T]", ""),
    ],
)
def test_between(text, inside):
    assert between(text, "T") == inside


@pytest.mark.parametrize(
    "text", [f"[TESTS]\n{CASES}[/TESTS]", f"Sure! [TESTS]\n{CASES}", f"```python\n{CASES}```", CASES]
)
def test_where_tests_stand(text):
    found = parse_tests(text)
    assert (found.entry_point, found.tests, found.problem) == (
        "add",
        ("assert add(1, 2) == 3", "assert add(0, 0) == 0"),
        "",
    )


def test_imports_and_foreign_names():
    good = "import math\nassert math.isclose(root(4), 2.0)\nassert sorted(root(9)) == [3]\n"
    text = f"[TESTS]\n{good}assert root(x) == 1\nassert other(1) == 2\nassert True\n[/TESTS]"
    found = parse_tests(text)
    assert (found.entry_point, found.setup) == ("root", "import math")
    assert found.tests == ("assert math.isclose(root(4), 2.0)", "assert sorted(root(9)) == [3]")


def test_a_broken_case_loses_itself_alone():
    found = parse_tests(
        "[TESTS]\n# Test case 1:\nassert add(1, == 3\n# Test case 2:\nassert add(0, 0) == 0\n[/TESTS]"
    )
    assert found.tests == ("assert add(0, 0) == 0",)


def test_limits():
    many = "[TESTS]\n" + "\n".join(f"assert f({n}) == {n}" for n in range(9)) + "\n[/TESTS]"
    assert len(parse_tests(many).tests) == 5
    assert parse_tests(many, most=9, least=10).problem == "no_tests"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no_answer"), ("No tests.", "no_code"), ("[TESTS]\n[/TESTS]", "no_code"),
        ("[TESTS]\nassert f(\n[/TESTS]", "syntax"),
        ("[TESTS]\nassert 1 == 1\n[/TESTS]", "no_tests"), ("[TESTS]\nassert len([1]) == 1\n[/TESTS]", "no_tests"),
        ("[TESTS]\nassert f(0x" + "f" * 20_000 + ") == 1\n[/TESTS]", "syntax"),
    ],
    ids=range(7),
)  # fmt: skip
def test_answers_without_tests(text, problem):
    assert parse_tests(text).problem == problem


@given(st.text(st.sampled_from("[TESTS]/# asert f(1)=\n"), max_size=50))
def test_no_text_raises(text):
    for test in parse_tests(f"[TESTS]{text}").tests:
        assert isinstance(ast.parse(test).body[0], ast.Assert)
    assert parse_solution(text, "f").problem is not None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[PYTHON]\ndef f(x):\n    return x\n[/PYTHON]", ""), ("Yes: [PYTHON]\ndef f(x):\n    return x", ""),
        ("[PYTHON]\n```python\ndef f(x):\n    return x\n```\n[/PYTHON]", ""), ("```\ndef f(x): return x\n```", ""),
        ("def f(x): return x", ""), ("[PYTHON]\ndef g(x): return x\n[/PYTHON]", "entry_point"),
        ("[PYTHON]\ndef f(x: return\n[/PYTHON]", "syntax"), ("[PYTHON][/PYTHON]", "no_answer"), ("No.", "no_code"),
    ],
)  # fmt: skip
def test_solutions(text, problem):
    assert parse_solution(text, "f").problem == problem
