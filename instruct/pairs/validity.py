"""Validity: whether code parses in its language, and if not where it stops and why.

Python by the interpreter's own parser, Bash by tree-sitter (a tree without error nodes), rules by their parser.
Python's answer depends on the interpreter, and snippets of Python 2 are not valid in any that runs this.
"""

from __future__ import annotations

import ast
import re
import warnings
from typing import NamedTuple

from instruct.pairs.pair import EXCEL, PYTHON
from instruct.pairs.parser import parse_rule
from instruct.pairs.trees import MOST_BYTES, nodes, tree_of

_LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")
"""A line as Python counts them: a form feed or U+2028 ends none."""


class Validity(NamedTuple):
    """Whether a text is valid; if not a message and where: in bytes, of rules in characters; -1: not known."""

    valid: bool
    position: int = -1
    problem: str = ""


def validity(code: str, lang: str) -> Validity:
    """Judge one snippet; never raises. What is blank, or over 4,096 bytes (a rule: 8,192 characters), is not valid.

    >>> validity("ls | wc -l", "bash").valid, validity("f(", "python").problem
    (True, "'(' was never closed")
    """
    if not code.strip():
        return Validity(False, 0, "blank")
    if lang == EXCEL:
        reading = parse_rule(code)
        return Validity(True) if reading.rule else Validity(False, reading.position, reading.problem)
    data = code.encode("utf-8", "surrogatepass")
    if len(data) > MOST_BYTES:
        return Validity(False, MOST_BYTES, f"more than {MOST_BYTES} bytes")
    return _python(code) if lang == PYTHON else _bash(data, lang)


def _python(code: str) -> Validity:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(code)
        except SyntaxError as error:
            return Validity(False, _byte(code, error), error.msg)
        except (ValueError, RecursionError, MemoryError, OverflowError) as error:
            return Validity(False, -1, str(error) or type(error).__name__)
    return Validity(True)


def _byte(code: str, error: SyntaxError) -> int:
    lines = _LINE.findall(code)
    if not error.lineno or not error.offset or not 0 < error.lineno <= len(lines):
        return -1
    before = "".join(lines[: error.lineno - 1]) + lines[error.lineno - 1][: max(error.offset - 1, 0)]
    return len(before.encode("utf-8", "surrogatepass"))


def _bash(data: bytes, lang: str) -> Validity:
    tree = tree_of(data, lang)
    if tree is None:
        return Validity(False, -1, "kills the parser")
    wrong = next((node for node, _ in nodes(tree) if node.is_error or node.is_missing), None)
    if wrong is None:
        return Validity(True)
    problem = f"expected {wrong.type}" if wrong.is_missing else "not a command"
    return Validity(False, wrong.start_byte, problem)
