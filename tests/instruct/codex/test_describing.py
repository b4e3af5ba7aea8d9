"""Codex-D: any docstring comes behind any solution, and nothing is lost or given away."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruct.codex import DESCRIBED, described
from instruct.problems import docstring, problem_table

BODY = "    return [x]\n"


def turned(prompt, entry="f", solution=BODY):
    row = {"task_id": "a", "entry_point": entry, "prompt": prompt, "canonical_solution": solution}
    table, _ = described(problem_table([row]))
    return table.to_pylist()[0]


@given(st.text(max_size=40))
def test_any_docstring_is_the_target_and_the_rest_still_runs(text):
    clean = text.encode("utf-8", "replace").decode()
    own = docstring(clean, "    ")
    row = turned(f"import math\n\n\ndef f(x):\n{own}")
    assert row["dropped"] is None
    assert row["target"] == own
    assert row["input"] == f"import math\n\n\ndef f(x):\n{BODY}"
    space = {}
    exec(row["input"], space)
    assert space["f"](1) == [1]
    assert space["f"].__doc__ is None


@given(st.text("ab\"'\\\n é", max_size=30))
def test_put_together_again_it_is_the_problem(text):
    prompt = f"def f(x):\n{docstring(text, '    ')}"
    row = turned(prompt)
    head, body = row["input"].removesuffix(BODY), BODY
    assert head + row["target"] + body == prompt + BODY


def test_code_between_docstring_and_solution_belongs_to_the_solution():
    row = turned('def f(x):\n    """One."""\n\n    x = x + 1\n')
    assert (row["input"], row["target"]) == ("def f(x):\n    x = x + 1\n    return [x]\n", '    """One."""\n')


def test_helpers_and_their_docstrings_stay_before_it():
    row = turned('def g():\n    """Help."""\n    return 1\n\n\ndef f(x):\n    """One."""\n')
    assert row["input"] == 'def g():\n    """Help."""\n    return 1\n\n\ndef f(x):\n    return [x]\n'


def test_of_two_definitions_the_last_counts():
    row = turned('def f():\n    """Old."""\n\n\ndef f(x):\n    """New."""\n')
    assert row["target"] == '    """New."""\n'


def test_a_signature_over_several_lines():
    row = turned('def f(\n    x,\n):\n    """One."""\n')
    assert (row["input"], row["target"]) == (f"def f(\n    x,\n):\n{BODY}", '    """One."""\n')


@pytest.mark.parametrize(
    ("prompt", "rule"),
    [
        ('def f(\n    x): "One."\n', "no_docstring"),
        ('def f(é=(\n    1)): "One."\n', "no_docstring"),
        ('def f(x):\n    "Ä."; y = 1\n', "no_docstring"),
        ('def f(x):\n    """Ä\n    """; y = 1\n', "no_docstring"),
        ('def f(x):\n    f"One."\n', "no_docstring"),
        ("def f(x):\n    1\n", "no_docstring"),
        ('async def f(x):\n    "One."\n', "no_function"),
        ('class A:\n    def f(self):\n        "One."\n', "no_function"),
        ("", "no_function"),
    ],
)
def test_what_has_no_docstring_of_its_own_lines(prompt, rule):
    row = turned(prompt)
    assert (row["dropped"], row["input"], row["target"]) == (rule, None, None)


def test_a_comment_behind_the_docstring_is_no_code():
    assert turned('def f(x):\n    """Ä."""  # noqa\n')["target"] == '    """Ä."""  # noqa\n'


def test_every_column_says_what_it_is_and_no_rows_are_no_rows():
    assert all(field.metadata[b"about"] for field in DESCRIBED)
    table, counts = described(problem_table([]))
    assert (table.num_rows, table.schema, counts) == (0, DESCRIBED, {})


def test_a_solution_s_end_is_one_line_end():
    assert (
        turned('def f(x):\n    "One."\n', solution="    return 1\n\n\n")["input"]
        == "def f(x):\n    return 1\n"
    )
    assert ast.parse(turned('def f(x):\n    "One."\n', solution="    return 1")["input"])
