"""Slow twins of metrics, marks, divisions and places, written from their definitions."""

from __future__ import annotations

import ast
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instruct.pairs import (
    BASH,
    EXCEL,
    PYTHON,
    validity,
)

PIECES = st.lists(
    st.sampled_from(
        [
            "x = 1",
            "'\u2028'",
            "#\x0c",
            "é",
            "\n",
            "\r",
            "\r\n",
            "\x1c",
            "\x85",
            "# \x0b",
            " ",
            "(",
            ")",
            "if",
            ":",
        ]
    ),
    max_size=12,
)


def syntax_error(code):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(code)
        except SyntaxError as error:
            return error
    return None


@settings(max_examples=60)
@given(PIECES.map("".join))
def test_the_place_of_an_error_is_in_the_line_that_python_counts(code):
    found, error = validity(code, PYTHON), syntax_error(code)
    assert found.valid == (error is None and bool(code.strip()))
    if error is not None and found.position >= 0 and code.strip():
        before = code.encode()[: found.position].decode().replace("\r\n", "\n").replace("\r", "\n")
        line = code.replace("\r\n", "\r").replace("\n", "\r").split("\r")[error.lineno - 1]
        assert before.count("\n") == error.lineno - 1
        assert len(before.rpartition("\n")[2]) == min(error.offset - 1, len(line) + 1)


@pytest.mark.parametrize("mark", ["\x0c", "\x0b", "\x1c", "\x85", "\u2028", "\u2029"])
def test_marks_that_end_no_line_of_python_move_no_error(mark):
    code = f"x = '{mark}é'\n# {mark}\r\ny = '{mark}'\ry + (\n"
    assert validity(code, PYTHON).position == code.encode().index(b"(")
    assert not validity(f"x = '{mark}'\n(", BASH).valid
    assert not validity(f"Blanks({mark}1)", EXCEL).valid
