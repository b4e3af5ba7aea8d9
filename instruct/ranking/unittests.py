"""Unit tests that a model writes for a task: a signature and assertions, read from its answer."""

from __future__ import annotations

import ast
import builtins
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pyarrow as pa

from instruct.models import Answer, Prompt
from instruct.problems import parsed
from instruct.ranking.extraction import extract

TESTED = pa.schema(
    [
        pa.field("id", pa.string(), metadata={"about": "the task"}),
        pa.field("instruction", pa.large_string(), metadata={"about": "the task's text"}),
        pa.field(
            "signature",
            pa.string(),
            metadata={"about": "the line of the function's head, '' where none came"},
        ),
        pa.field("entry_point", pa.string(), metadata={"about": "the function's name"}),
        pa.field("setup", pa.large_string(), metadata={"about": "imports that the tests need"}),
        pa.field(
            "tests",
            pa.list_(pa.large_string()),
            metadata={"about": "assertions, each passed or failed alone"},
        ),
        pa.field("text", pa.large_string(), metadata={"about": "the answer that they were read from"}),
        pa.field("model", pa.string(), metadata={"about": "the model that wrote them"}),
        pa.field("dropped", pa.string(), metadata={"about": "why the task cannot be tested; null: it can"}),
    ]
)

_PROMPT = """Write unit tests for the programming task below. Do not solve it.

Answer with one block of Python: first the head of the function that solves the task, with `pass` as its body, then \
exactly {count} lines that begin with `assert` and call it. Use literal values only, and cover usual and edge cases.

Task:
{instruction}
"""


@dataclass(frozen=True)
class UnitTestConfig:
    """How many tests are asked for, and how few are enough."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    count: int = 5
    least: int = 2

    def __post_init__(self) -> None:
        if not 1 <= self.least <= self.count <= 100:
            raise ValueError(
                f"count, least: expected 1 to 100, least at most count, got {self.count}, {self.least}"
            )


@dataclass(frozen=True)
class UnitTests:
    """What an answer holds: the function's head and assertions that call it; ``problem`` says why there are none."""

    signature: str = ""
    entry_point: str = ""
    setup: str = ""
    tests: tuple[str, ...] = ()
    problem: str = ""


def unit_test_prompt(instruction: str, count: int) -> str:
    """What a model is asked, to get tests for a task. PanGu-Coder2 says that tests were run, not where they are from.

    >>> "exactly 5 lines" in unit_test_prompt("Add.", 5)
    True
    """
    return _PROMPT.format(instruction=instruction, count=count)


def parse_unit_tests(text: str, most: int, least: int = 1) -> UnitTests:
    """The head and the assertions in an answer: distinct ones that call the function, at most ``most``.

    ``problem`` is that of `extract` where there is no code, ``no_tests`` where fewer than ``least`` assertions are
    usable.

    >>> parse_unit_tests("```python\\ndef f(x): pass\\nassert f(1) == 2\\nassert f(1)==2\\nassert True\\n```", 5).tests
    ('assert f(1) == 2',)
    """
    found = extract(text)
    tree = parsed(found.code)
    if found.problem or tree is None:
        return UnitTests(problem=found.problem or "syntax")
    try:
        return _read(tree, most, least)
    except (RecursionError, ValueError):
        return UnitTests(problem="syntax")


def _read(tree: ast.Module, most: int, least: int) -> UnitTests:
    """Tests of a parsed answer; raises for what is nested too deeply, and for numbers too long to be written again."""
    head = next(node for node in tree.body if isinstance(node, ast.FunctionDef))
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    known = {head.name, *dir(builtins), *(_bound(alias) for node in imports for alias in node.names)}
    usable = (node for node in _asserts(tree.body) if calls(node, head.name) and unbound(node) <= known)
    tests = tuple(dict.fromkeys(ast.unparse(node) for node in usable))[:most]
    signature = f"def {head.name}({ast.unparse(head.args)}){_returns(head)}:"
    problem = "no_tests" if len(tests) < least else ""
    return UnitTests(signature, head.name, "\n".join(map(ast.unparse, imports)), tests, problem)


def unbound(node: ast.AST) -> set[str]:
    """The names that a piece of code reads and does not bind itself.

    >>> sorted(unbound(ast.parse("assert f([x for x in y])")))
    ['f', 'y']
    """
    names = [inner for inner in ast.walk(node) if isinstance(inner, ast.Name)]
    own = {inner.arg for inner in ast.walk(node) if isinstance(inner, ast.arg)}
    stored = {name.id for name in names if not isinstance(name.ctx, ast.Load)}
    return {name.id for name in names if isinstance(name.ctx, ast.Load)} - stored - own


def _bound(alias: ast.alias) -> str:
    return alias.asname or alias.name.partition(".")[0]


def _returns(head: ast.FunctionDef) -> str:
    return f" -> {ast.unparse(head.returns)}" if head.returns is not None else ""


def _asserts(body: Sequence[ast.stmt]) -> Iterator[ast.Assert]:
    """Assertions at the top level, and in functions without parameters such as ``def test_f():``."""
    for node in body:
        if isinstance(node, ast.Assert):
            yield node
        elif isinstance(node, ast.FunctionDef) and not node.args.args:
            yield from (inner for inner in node.body if isinstance(inner, ast.Assert))


def calls(node: ast.AST, name: str) -> bool:
    """Whether a function is called by its name somewhere in a piece of code.

    >>> calls(ast.parse("assert f(1)"), "f"), calls(ast.parse("assert f"), "f")
    (True, False)
    """
    return any(
        isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name) and inner.func.id == name
        for inner in ast.walk(node)
    )


def unit_test_prompts(tasks: Iterable[dict[str, Any]], count: int) -> list[Prompt]:
    """Prompts for the tests of tasks, rows with ``id`` and ``instruction``."""
    return [Prompt(row["id"], (("user", unit_test_prompt(row["instruction"], count)),)) for row in tasks]


def with_tests(
    tasks: Sequence[dict[str, Any]], answers: Iterable[Answer], most: int, least: int
) -> tuple[pa.Table, Counter[str]]:
    """Tasks with the tests of their first usable answer, as `TESTED` rows. Counts: rows per reason, and tests."""
    by_task: dict[str, list[Answer]] = {}
    for answer in answers:
        by_task.setdefault(answer.prompt_id, []).append(answer)
    rows = [_row(task, by_task.get(task["id"], []), most, least) for task in tasks]
    counts = Counter(f"dropped {row['dropped']}" if row["dropped"] else "kept" for row in rows)
    counts["tests"] = sum(len(row["tests"]) for row in rows)
    return pa.Table.from_pylist(rows, schema=TESTED), counts


def _row(task: dict[str, Any], answers: Sequence[Answer], most: int, least: int) -> dict[str, Any]:
    read = [(answer, parse_unit_tests(answer.text, most, least)) for answer in answers]
    fallback = (Answer(task["id"], 0, "", "no_answer", "", 0, 0), UnitTests(problem="no_answer"))
    answer, found = next((pair for pair in read if not pair[1].problem), read[0] if read else fallback)
    return {
        "id": task["id"],
        "instruction": task["instruction"],
        "signature": found.signature,
        "entry_point": found.entry_point,
        "setup": found.setup,
        "tests": list(found.tests),
        "text": answer.text,
        "model": answer.model,
        "dropped": f"tests_{found.problem}"
        if found.problem and found.problem != "no_tests"
        else found.problem or None,
    }
