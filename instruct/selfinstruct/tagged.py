"""Tagged answers: tests between ``[TESTS]`` and ``[/TESTS]``, solutions between ``[PYTHON]`` and ``[/PYTHON]``.

The tags, ``# Test case n:`` above each assertion, five tests and one example are Code Llama's (arXiv 2308.12950,
appendix on self-instruct prompts); the words and the examples are ours. Prompts are turns: the server puts its
model's tags around them, for Llama ``[INST] … [/INST]`` as published (`instruct.selfinstruct.llama_chat` shows them).
"""

from __future__ import annotations

import ast
import builtins
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from instruct.problems import parsed
from instruct.ranking.extraction import Extracted, extract
from instruct.ranking.unittests import unbound

Messages = tuple[tuple[str, str], ...]
TESTS, PYTHON = "TESTS", "PYTHON"

_EXAMPLE_TASK = (
    "Write a Python function that returns the second largest of a list's distinct numbers, or None."
)
_EXAMPLE_TESTS = """# Test case 1:
assert second_largest([3, 1, 2]) == 2
# Test case 2:
assert second_largest([5, 5, 4]) == 4
# Test case 3:
assert second_largest([7]) is None
# Test case 4:
assert second_largest([]) is None
# Test case 5:
assert second_largest([-1, -2, -3]) == -2"""
_EXAMPLE_SOLUTION = """def second_largest(numbers):
    distinct = sorted(set(numbers))
    return distinct[-2] if len(distinct) > 1 else None"""

_TESTS_PROMPT = """You are an experienced Python programmer who writes unit tests. Write {count} tests for each task, \
each a comment `# Test case n:` and an assertion below it, all of them between [TESTS] and [/TESTS].

Task: {task}"""

_SOLUTION_PROMPT = """You are an experienced Python programmer. Write one function that solves the task and passes the \
test. Put it between [PYTHON] and [/PYTHON].

Task: {task}
Test: {test}"""

_CASE = re.compile(r"^[ \t]*#[ \t]*Test case[ \t]*\d*[ \t]*:?[^\n]*\n?", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True)
class TaskTests:
    """Tests of an answer, the function that they call, and the imports among them; or why there are none."""

    entry_point: str = ""
    setup: str = ""
    tests: tuple[str, ...] = ()
    problem: str = ""


def messages_for_tests(question: str, count: int = 5) -> Messages:
    """What a model is asked, to get tests for a question: one example, then the question.

    >>> messages_for_tests("Add.")[-1]
    ('user', 'Task: Add.')
    """
    return (
        ("user", _TESTS_PROMPT.format(count=count, task=_EXAMPLE_TASK)),
        ("assistant", f"[TESTS]\n{_EXAMPLE_TESTS}\n[/TESTS]"),
        ("user", f"Task: {question}"),
    )


def messages_for_solution(question: str, test: str) -> Messages:
    """What a model is asked, to get a solution: one example, then the question with one of its tests.

    >>> messages_for_solution("Add.", "assert add(1, 2) == 3")[-1]
    ('user', 'Task: Add.\\nTest: assert add(1, 2) == 3')
    """
    return (
        ("user", _SOLUTION_PROMPT.format(task=_EXAMPLE_TASK, test=_EXAMPLE_TESTS.splitlines()[1])),
        ("assistant", f"[PYTHON]\n{_EXAMPLE_SOLUTION}\n[/PYTHON]"),
        ("user", f"Task: {question}\nTest: {test}"),
    )


def between(text: str, tag: str) -> str | None:
    """What stands between a tag and its end, or the end of the text; None where the tag is not.

    >>> between("So: [TESTS]\\nassert f()\\n[/TESTS] Done.", "TESTS")
    'assert f()'
    """
    _, found, rest = text.partition(f"[{tag}]")
    return rest.partition(f"[/{tag}]")[0].strip("\n") if found else None


def parse_tests(text: str, most: int = 5, least: int = 1) -> TaskTests:
    """The assertions of an answer that call one function, the one that most of them call; at most ``most``.

    Where the tags are missing, a block of code or the text itself is read. An assertion that reads other names than
    that function's, builtins and imports is left out. ``problem``: no_answer, no_code, syntax, no_tests.

    >>> parse_tests("[TESTS]\\n# Test case 1:\\nassert add(1, 2) == 3\\n[/TESTS]").entry_point
    'add'
    """
    if not text.strip():
        return TaskTests(problem="no_answer")
    inside = between(text, TESTS)
    code = inside if inside is not None else extract(text).code
    tree = _parsed_cases(code)
    if tree is None or not code.strip():
        return TaskTests(problem="syntax" if code.strip() else "no_code")
    try:
        return _read(tree, most, least)
    except (RecursionError, ValueError):
        return TaskTests(problem="syntax")


def _parsed_cases(code: str) -> ast.Module | None:
    """The program, or those of its test cases that parse where it does not."""
    tree = parsed(code)
    if tree is not None or not _CASE.search(code):
        return tree
    cases = [case for case in map(parsed, _CASE.split(code)[1:]) if case is not None]
    return ast.Module([node for case in cases for node in case.body], []) if cases else None


def _read(tree: ast.Module, most: int, least: int) -> TaskTests:
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    known = {*dir(builtins), *(_bound(alias) for node in imports for alias in node.names)}
    asserts = [node for node in tree.body if isinstance(node, ast.Assert)]
    name = _most_called(asserts, known)
    usable = [node for node in asserts if name and name in unbound(node) and unbound(node) <= {*known, name}]
    tests = tuple(dict.fromkeys(ast.unparse(node) for node in usable))[:most]
    setup = "\n".join(map(ast.unparse, imports))
    return TaskTests(name, setup, tests, "no_tests" if len(tests) < least else "")


def _most_called(asserts: Sequence[ast.Assert], known: set[str]) -> str:
    """The function that most assertions call, each counted once; of several the first by name."""
    called = Counter(name for node in asserts for name in _called(node) - known)
    return min(called, key=lambda name: (-called[name], name), default="")


def _called(node: ast.Assert) -> set[str]:
    """Names that an assertion calls and does not bind itself."""
    calls = (inner.func for inner in ast.walk(node) if isinstance(inner, ast.Call))
    return {call.id for call in calls if isinstance(call, ast.Name)} & unbound(node)


def _bound(alias: ast.alias) -> str:
    return alias.asname or alias.name.partition(".")[0]


def parse_solution(text: str, entry_point: str) -> Extracted:
    """The program in an answer: between the tags where they are, else wherever `extract` finds one.

    >>> parse_solution("[PYTHON]\\ndef f(x):\\n    return x\\n[/PYTHON]", "f").code
    'def f(x):\\n    return x'
    """
    inside = between(text, PYTHON)
    return extract(text if inside is None else inside, entry_point)
