"""``check(candidate)`` of HumanEval's layout: single tests put together into one, and one taken apart.

Source: Codex, arXiv 2107.03374, section 2.2; the layout as in openai/human-eval.
"""

from __future__ import annotations

import ast
import textwrap
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from instruct.problems.problem import STDIN

CHECK, CANDIDATE = "check", "candidate"
_PREPARES = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.Pass)


@dataclass(frozen=True)
class Checks:
    """Tests that pass or fail alone, and what must run once before them.

    ``split`` is false where the body of ``check`` is more than a flat list of assertions: then all of it is one test.
    """

    setup: str
    tests: tuple[str, ...]
    split: bool


def check_of(problem: Mapping[str, Any]) -> str:
    """The source of ``check(candidate)`` for a problem's tests or cases.

    >>> print(check_of({"entry_point": "f", "tests": ["assert f(1) == 2"]}))
    def check(candidate):
        f = candidate
        assert f(1) == 2
    <BLANKLINE>
    """
    if problem.get("io_format") == STDIN:
        pairs = [(case["stdin"], case["stdout"]) for case in problem.get("cases") or ()]
        body = [f"assert {CANDIDATE}({given!r}).split() == {wanted!r}.split()" for given, wanted in pairs]
    else:
        name = problem.get("entry_point") or CANDIDATE
        named = [] if name == CANDIDATE else [f"{name} = {CANDIDATE}"]
        body = named + [_indentable(block) for block in problem.get("tests") or ()]
    setup = (problem.get("setup") or "").rstrip()
    inner = "".join(textwrap.indent(block.rstrip(), "    ") + "\n" for block in body or ["pass"])
    return f"{setup}\n\n\n{_head()}{inner}" if setup else f"{_head()}{inner}"


def _head() -> str:
    return f"def {CHECK}({CANDIDATE}):\n"


def _indentable(block: str) -> str:
    """A block that can be indented: one with a text over several lines is written anew."""
    tree = parsed(block)
    if tree is None or not any(_over_lines(node) for node in ast.walk(tree)):
        return block
    return ast.unparse(tree)


def _over_lines(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant | ast.JoinedStr) and node.end_lineno != node.lineno


def humaneval_row(problem: Mapping[str, Any]) -> dict[str, Any]:
    """A problem in HumanEval's layout: task_id, prompt, entry_point, canonical_solution and test.

    ``test`` defines ``check(candidate)``. Of a program, ``candidate`` is a function from what it reads to what it
    prints, and the row says ``io_format: stdin``. Source of the layout: Codex, arXiv 2107.03374, section 2.2.

    >>> print(humaneval_row({"task_id": "a", "prompt": "def f(x):\\n", "entry_point": "f",
    ...     "canonical_solution": "    return x\\n", "tests": ["assert f(1) == 1"], "io_format": "repr"})["test"])
    def check(candidate):
        f = candidate
        assert f(1) == 1
    <BLANKLINE>
    """
    kept = ("task_id", "prompt", "entry_point", "canonical_solution")
    row = {name: problem.get(name) or "" for name in kept} | {"test": check_of(problem)}
    return row | ({"io_format": STDIN} if problem.get("io_format") == STDIN else {})


def parsed(code: str) -> ast.Module | None:
    """The syntax tree of a program; None where it is none. Warnings of the parser are not shown.

    >>> parsed("def f(:") is None
    True
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def split_check(test: str, entry_point: str) -> Checks:
    """Take ``check(candidate)`` apart where its body is a flat list of assertions; else it is one test.

    Imports and assignments that do not name the candidate join the setup. An assertion that does not name it goes
    with the next that does, so that ``assert True`` is no test that anything passes.

    >>> split_check("def check(candidate):\\n    x = 2\\n    assert candidate(1) == x\\n", "f").tests
    ('assert candidate(1) == x',)
    """
    tree = parsed(test)
    function = _check_in(tree) if tree is not None else None
    flat = _flat(function.body) if function is not None else None
    if function is None or flat is None:
        return Checks(test, (f"{CHECK}({entry_point})",), split=False)
    prepares, asserts = flat
    before = [_text(test, node) for node in prepares]
    return Checks("\n".join([test.rstrip(), *before]) + "\n", tuple(_joined(test, asserts)), split=True)


def _check_in(tree: ast.Module) -> ast.FunctionDef | None:
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == CHECK]
    return found[0] if len(found) == 1 and [arg.arg for arg in found[0].args.args] == [CANDIDATE] else None


def _flat(body: Sequence[ast.stmt]) -> tuple[list[ast.stmt], list[ast.stmt]] | None:
    """Statements that prepare, and assertions of which at least one names the candidate; None where it is not so flat.

    What prepares must stand before all assertions that could read it, and no name may be assigned twice.
    """
    prepares: list[ast.stmt] = [node for node in body if isinstance(node, _PREPARES)]
    asserts: list[ast.stmt] = [node for node in body if isinstance(node, ast.Assert)]
    texts = [node for node in body if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)]
    names = [name for node in prepares for name in _assigned(node)]
    flat = len(prepares) + len(asserts) + len(texts) == len(body) and len(set(names)) == len(names)
    if (
        not flat
        or any(_names_candidate(node) for node in prepares)
        or not any(map(_names_candidate, asserts))
    ):
        return None
    return prepares, asserts


def _assigned(node: ast.stmt) -> Iterator[str]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
            yield inner.id


def _names_candidate(node: ast.AST) -> bool:
    return any(isinstance(inner, ast.Name) and inner.id == CANDIDATE for inner in ast.walk(node))


def _joined(test: str, asserts: Sequence[ast.stmt]) -> Iterator[str]:
    waiting: list[str] = []
    made: list[str] = []
    for node in asserts:
        waiting.append(_text(test, node))
        if _names_candidate(node):
            made.append("\n".join(waiting))
            waiting = []
    made[-1] = "\n".join([made[-1], *waiting])
    yield from made


def _text(source: str, node: ast.stmt) -> str:
    return ast.get_source_segment(source, node) or ast.unparse(node)
