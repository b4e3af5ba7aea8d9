"""What a model is asked, and what of its answer counts."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruct.codex import completion, question, stops_of
from instruct.evaluation import PUBLISHED_STOPS
from instruct.problems import REPR, STDIN

TEXT = st.text(max_size=60)
CODE = st.text("abc =()\n", max_size=40)


@given(TEXT, TEXT)
def test_a_question_has_the_whole_prompt_behind_our_words(task, prompt):
    asked = question({"task_id": task, "prompt": prompt})
    ((role, text),) = asked.messages
    assert (asked.id, role) == (task, "user")
    assert text.endswith(f"\n\n{prompt}")
    assert text.startswith("Continue this Python code.")


def test_functions_end_at_the_published_stops_and_programs_nowhere():
    assert (stops_of(REPR), stops_of(STDIN)) == (PUBLISHED_STOPS, ())


@given(CODE, st.sampled_from(["", "python", "Python", "py", "PYTHON3", " python "]), TEXT)
def test_the_first_block_is_what_counts_whatever_follows(code, tag, after):
    assert completion(f"Here.\n```{tag}\n{code}\n```\n{after}", PUBLISHED_STOPS) == f"{code}\n"


@given(CODE)
def test_without_a_block_only_the_end_is_cut(text):
    kept = completion(text, PUBLISHED_STOPS)
    assert text.startswith(kept)
    assert not any(stop in kept for stop in PUBLISHED_STOPS)
    assert completion(text, ()) == text


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        ("```javascript\nlet x\n```", "```javascript\nlet x\n```"),
        ("x = '```python'", "x = '```python'"),
        ("  ```python\n  x\n  ```", "  ```python\n  x\n  ```"),
        ("```python\nx = '''\n```", "x = '''\n"),
        ("```python\n```", ""),
        ("```python\ndef f():\n    return 1\n\nprint(f())\n```", "def f():\n    return 1\n\nprint(f())\n"),
    ],
)
def test_what_is_a_block(answer, kept):
    assert completion(answer, PUBLISHED_STOPS) == kept


def test_a_block_that_holds_the_function_anew_runs_behind_the_prompt():
    prompt = 'from __future__ import annotations\n\n\ndef f(x: Nowhere):\n    """Twice."""\n'
    answer = f"```python\n{prompt}    return 2 * x\n```"
    code = prompt + completion(answer, PUBLISHED_STOPS)
    space = {}
    exec(compile(ast.parse(code), "answer", "exec"), space)
    assert space["f"](2) == 4
