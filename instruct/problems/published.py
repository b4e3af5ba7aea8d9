"""Published suites as problems: HumanEval, MBPP, and any suite of HumanEval's layout.

What is read are the tasks of `contamination.suite`; the files stay where their owners publish them.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from columns.errors import InputError
from contamination.fieldmap import known_maps
from contamination.formats import open_files
from contamination.suite import SUITES, Suite, Task, load_suite, read_suite
from instruct.problems.checking import parsed, split_check
from instruct.problems.docstring import docstring
from instruct.problems.problem import SUITE, problem_table

_MBPP_TESTS = "{test_setup_code|}{test_imports|}\n{test_list}"
CASE = "published_case"


def load_problems(suite: str, path: Path | None = None) -> pa.Table:
    """The tasks of a suite as `PROBLEM` rows, in the suite's order.

    ``suite`` is a known one (`contamination.SUITES`), or any name, for a file of HumanEval's layout. Tests that are a
    flat list of assertions are taken apart. MBPP's challenge tests are left out, as its paper's evaluation does.
    Raises `InputError` where there is no such file, where it is not a suite, and where a task is not Python.

    >>> table = load_problems("humaneval")
    >>> table.num_rows, table["n_tests"][0].as_py()
    (164, 7)
    """
    loaded = _loaded(suite, path)
    for task in loaded.tasks:
        if task.language != "python":
            raise InputError(f"{suite}: task {task.id} is {task.language}", hint="only Python can be run")
    return problem_table(_row(suite, task) for task in loaded.tasks)


def _loaded(suite: str, path: Path | None) -> Suite:
    if path is None:
        return load_suite(suite)
    maps = known_maps()
    known = maps[suite] if suite in SUITES else replace(maps["humaneval"], versions={})
    if suite == "mbpp":
        known = replace(known, tests=_MBPP_TESTS)
    return read_suite(suite, known, open_files(path))


def _row(suite: str, task: Task) -> dict[str, Any]:
    about = {"task_id": task.id, "source": SUITE, "repo": suite, "tests_from": "published"}
    return about | (_checked(task) if task.entry_point else _asserted(task))


def _checked(task: Task) -> dict[str, Any]:
    """A task of HumanEval's layout; the judge gets the prompt's helpers, the candidate is called from there."""
    checks = split_check(task.tests, task.entry_point)
    whole = task.solutions[0] if task.solutions else ""
    return {
        "prompt": task.prompt,
        "entry_point": task.entry_point,
        "canonical_solution": whole.removeprefix(task.prompt),
        "setup": f"{_alone(task.prompt)}\n\n{checks.setup}",
        "tests": list(checks.tests),
    }


def _alone(prompt: str) -> str:
    """The prompt as a program: one that ends in a signature gets a body. Empty where it is no code."""
    choices = (prompt, f"{prompt}\n    pass\n")
    return next((code for code in choices if parsed(code) is not None), "")


def _asserted(task: Task) -> dict[str, Any]:
    """A task with a question, a whole program and assertions, as MBPP's."""
    code = task.solutions[0] if task.solutions else ""
    answer, tests = parsed(code), parsed(task.tests)
    made = {
        "prompt": docstring(task.prompt),
        "canonical_solution": code,
        "solutions": list(task.solutions[1:]),
    }
    if answer is None or tests is None:
        return made | {"problem": "its solution or tests are not Python", "dropped": "malformed"}
    defined = {node.name for node in answer.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    called = [name for name in _called(tests) if name in defined]
    return made | _tests(task.tests, answer, tests, called, defined)


def _tests(
    source: str, answer: ast.Module, tests: ast.Module, called: Sequence[str], defined: set[str]
) -> dict[str, Any]:
    before = [node for node in tests.body if not isinstance(node, ast.Assert)]
    asserts = [node for node in tests.body if isinstance(node, ast.Assert)]
    used = set(_names(tests)) & defined
    if len(used) > 1 or set(_names(ast.Module(before, []))) & defined or any(map(_gives_type, asserts)):
        return _within(before, asserts)
    prepared = [ast.unparse(node) for node in [*_imports(answer, tests), *before]]
    return {
        "entry_point": called[0] if called else "",
        "setup": "\n".join(prepared),
        "tests": [ast.get_source_segment(source, node) or "" for node in asserts],
    }


def _within(before: Sequence[ast.stmt], asserts: Sequence[ast.Assert]) -> dict[str, Any]:
    """Tests whose values are the answer's own objects: the left sides are evaluated beside the answer.

    Only what they come to, plain data, goes to the judge, which compares it.
    """
    lines = [ast.unparse(node) for node in before]
    lefts, tests = [], []
    for at, node in enumerate(asserts):
        left, rest = _sides(node.test)
        lefts.append(ast.unparse(left))
        tests.append(f"assert {CASE}({at}){rest}")
    made = ", ".join(f"lambda: {left}" for left in lefts)
    harness = "\n".join([*lines, f"def {CASE}(number):", f"    return [{made}][number]()", ""])
    return {"entry_point": CASE, "harness": harness, "tests": tests}


def _sides(test: ast.expr) -> tuple[ast.expr, str]:
    """What is called, and the comparison as text; an assertion that compares nothing has none."""
    if not isinstance(test, ast.Compare) or len(test.ops) != 1:
        return test, ""
    other = ast.Compare(ast.Name("_", ast.Load()), test.ops, test.comparators)
    return test.left, ast.unparse(other).removeprefix("_")


def _gives_type(tree: ast.AST) -> bool:
    """Whether a type is an argument (MBPP 533 asks to remove all that is an ``int``)."""
    given = [arg for node in ast.walk(tree) if isinstance(node, ast.Call) for arg in node.args]
    return any(isinstance(arg, ast.Name) and isinstance(getattr(builtins, arg.id, 0), type) for arg in given)


def _called(tree: ast.AST) -> Iterator[str]:
    """Names that are called, outermost first."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not hasattr(builtins, node.id):
            yield node.id


def _imports(answer: ast.Module, tests: ast.Module) -> Iterable[ast.stmt]:
    """Imports of the solution that the tests rely on (MBPP 596 measures with ``sys``)."""
    used = set(_names(tests))
    for node in answer.body:
        if isinstance(node, ast.Import) and any((one.asname or one.name) in used for one in node.names):
            yield node


def by_task(table: pa.Table) -> Mapping[str, dict[str, Any]]:
    """Rows by their ``task_id``, in the table's order.

    >>> by_task(load_problems("humaneval"))["HumanEval/53"]["entry_point"]
    'add'
    """
    return {row["task_id"]: row for row in table.to_pylist()}
