"""The problem: one task with its prompt, a solution and tests, as one row.

Rows are never removed: what a rule refuses says so in ``dropped``, and later steps leave it alone. Facts that a step
has not measured yet are null.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

REPR, STDIN = "repr", "stdin"
CONTEST, CI, PACKAGE, SUITE = "contest", "ci", "package", "suite"
FORMATS, SOURCES = (REPR, STDIN), (CONTEST, CI, PACKAGE, SUITE)

_TEXTS = pa.list_(pa.field("item", pa.large_string()))
_CASE = pa.struct(
    [
        pa.field("stdin", pa.large_string()),
        pa.field("stdout", pa.large_string()),
        pa.field("shown", pa.bool_()),
    ]
)


def _field(name: str, kind: pa.DataType, about: str) -> pa.Field:
    return pa.field(name, kind, metadata={"about": about})


PROBLEM = pa.schema(
    [
        _field("task_id", pa.string(), "identity, unique in a set"),
        _field("source", pa.string(), "contest, ci (traced in a project's tests), package or suite"),
        _field("repo", pa.string(), "project, package or contest site"),
        _field("commit", pa.string(), "commit or version the code was read at"),
        _field("path", pa.string(), "file inside the project, or of the dump"),
        _field("qualname", pa.string(), "module.function that was traced; Solution.method of a contest"),
        _field("prompt", pa.large_string(), "imports, signature and docstring; a program's is its docstring"),
        _field("entry_point", pa.string(), "the function that the tests call; '' for a program"),
        _field("canonical_solution", pa.large_string(), "what follows the prompt; '' where none is known"),
        _field("solutions", _TEXTS, "further answers that are said to be right, as canonical_solution"),
        _field("wrong", _TEXTS, "answers that are said to be wrong, as canonical_solution"),
        _field("setup", pa.large_string(), "Python that the tests need, run once before them"),
        _field(
            "harness",
            pa.large_string(),
            "Python put after an answer, where tests need more than its function",
        ),
        _field("tests", _TEXTS, "io_format repr: blocks of statements, each passed or failed alone"),
        _field(
            "cases",
            pa.list_(_CASE),
            "io_format stdin: what a program reads and prints; shown: in the statement",
        ),
        _field("io_format", pa.string(), "repr: literals in assertions; stdin: a program's input and output"),
        _field("tests_from", pa.string(), "traced, statement, wrong_solutions (chosen by them) or published"),
        _field("n_tests", pa.int32(), "tests or cases"),
        _field("verify_runs", pa.int32(), "runs of the solution that passed every test; null: not run"),
        _field("n_samples", pa.int32(), "samples of a model that were run; null: none yet"),
        _field("n_pass", pa.int32(), "samples that passed every test"),
        _field("prompt_len", pa.int32(), "tokens of the prompt, on which there is no loss"),
        _field("duplicate_of", pa.string(), "task_id of the kept one with the same code"),
        _field("leaks", pa.list_(pa.string()), "benchmark tasks found in it, as suite/task"),
        _field("dropped", pa.string(), "the first rule that refuses it; null: kept"),
        _field("problem", pa.string(), "what is wrong with it, in a few words; null: nothing"),
    ]
)

_EMPTY: Mapping[str, Any] = {
    "prompt": "", "entry_point": "", "canonical_solution": "", "solutions": [], "wrong": [], "setup": "", "harness": "",
    "tests": [], "cases": [], "io_format": REPR,
}  # fmt: skip


def problem_table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows as a table with the schema `PROBLEM`; texts and lists that are not given are empty, facts are null.

    ``n_tests`` is counted where it is not given. Raises `KeyError` for a column that there is not.

    >>> problem_table([{"task_id": "a/1", "source": "ci", "tests": ["assert f(1) == 2"]}])["n_tests"].to_pylist()
    [1]
    """
    whole = [_whole(row) for row in rows]
    return pa.Table.from_pylist(whole, schema=PROBLEM)


def _whole(row: Mapping[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(row) - set(PROBLEM.names))
    if unknown:
        raise KeyError(f"not problem columns: {unknown}; known: {PROBLEM.names}")
    made = {name: row.get(name, _EMPTY.get(name)) for name in PROBLEM.names}
    if made["n_tests"] is None:
        made["n_tests"] = len(made["cases"] if made["io_format"] == STDIN else made["tests"])
    return made
