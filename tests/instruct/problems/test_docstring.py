"""Statements as docstrings: any text gives code that compiles and says what it said."""

import ast
import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instruct.problems import docstring

HARD = st.lists(
    st.sampled_from(
        ['"', '"""', "'", "'''", "\\", "\\n", "\\N{x}", "\\x", "\\u1", "\r", "\f", "\0", "é", "𝒳", "a", " "]
    )
)


def shown(text, indent="    "):
    """What the docstring says as it stands: from 3.13 on the compiler takes its indent away."""
    code, space = f"def f():\n{docstring(text, indent)}{indent}return 1\n", {}
    exec(compile(code, "made", "exec"), space)
    assert space["f"]() == 1
    literal = ast.parse(code).body[0].body[0].value.value
    assert inspect.cleandoc(space["f"].__doc__) == inspect.cleandoc(literal)
    return literal


@given(HARD.map("".join), st.sampled_from(["    ", "\t", " "]))
def test_any_mixture_of_quotes_and_escapes_comes_back(text, indent):
    assert inspect.cleandoc(shown(text, indent).replace(indent, "")) == inspect.cleandoc(
        text.strip().replace(indent, "")
    )


@given(HARD.map("".join))
def test_at_top_level_it_is_the_text(text):
    assert ast.literal_eval(docstring(text).strip()) == f"\n{text.strip()}\n"


@given(HARD.map("".join))
def test_it_stands_on_lines_of_its_own(text):
    made = docstring(text, "  ")
    assert made.startswith('  """\n')
    assert made.endswith('\n  """\n')


@pytest.mark.parametrize("text", ['"""', 'x"', "x\\", '\\"""', '""""', "\\\\", 'end """'])
def test_ends_that_could_close_it(text):
    assert shown(text).strip() == text


def test_a_text_of_many_lines_keeps_them():
    assert shown("a\n\n  b\nc").split("\n") == ["", "    a", "", "      b", "    c", "    "]
