"""From what was traced to problems: the funnel, one row for every function that was met."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pyarrow as pa

from columns.hashing import doc_id
from instruct.problems import CI, REPR, problem_table
from instruct.tracing.calls import Call, call_of
from instruct.tracing.functions import function_table
from instruct.tracing.modules import Modules, first_line
from instruct.tracing.records import Noted, Traced
from instruct.tracing.replay import Caller, Replayed, Work, replay
from instruct.tracing.standalone import Standalone, standalone

__all__ = ["ProblemConfig", "Project", "make_problems"]


@dataclass(frozen=True)
class ProblemConfig:
    """What is asked of a problem. The paper gives none of these numbers; they are ours.

    Attributes:
        min_tests: fewest calls that replay.
        min_outputs: fewest distinct values among them; 1 lets a function through that always returned the same.
        max_tests: most calls that become assertions, the first ones.
        min_docstring: fewest characters of the docstring, which is all that a problem says of its task.
        max_chars: longest program, imports and helpers and docstring together.
        runs: how often each call is replayed.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    min_tests: int = 1
    min_outputs: int = 1
    max_tests: int = 50
    min_docstring: int = 1
    max_chars: int = 8_000
    runs: int = 3


@dataclass(frozen=True)
class Project:
    """What a project is called in its rows: name, and commit or version where it is known."""

    repo: str
    commit: str | None = None


@dataclass
class _Row:
    """One function on its way through the steps."""

    traced: Traced
    lost: str = ""
    reason: str = ""
    alone: Standalone | None = None
    calls: tuple[Call, ...] = ()
    replayed: Replayed | None = None
    more: dict[str, Any] = field(default_factory=dict)

    def lose(self, step: str, reason: str) -> None:
        self.lost, self.reason = step, reason


def make_problems(
    traced: Sequence[Traced], modules: Modules, sandbox: Caller, config: ProblemConfig, project: Project
) -> tuple[pa.Table, pa.Table]:
    """Functions that were traced as ``(functions, problems)``: tables of `FUNCTION` and `instruct.problems.PROBLEM`.

    Rows are sorted by path, line and name, whatever the order of the trace. One sandboxed job per function and run.
    """
    rows = [_Row(one) for one in sorted(traced, key=lambda one: (one.file, one.line, one.qualname))]
    for row in rows:
        _choose_calls(row, modules, config)
    ready = [row for row in rows if not row.lost]
    works = [Work(row.alone.code, row.alone.entry_point, row.calls) for row in ready if row.alone]
    for row, found in zip(ready, replay(sandbox, works, runs=config.runs), strict=True):
        row.replayed = found
        _judge(row, config)
    kept = [row for row in rows if not row.lost]
    functions = function_table(_function(row, project) for row in rows)
    return functions, problem_table(_problem(row, project, config) for row in kept)


def _choose_calls(row: _Row, modules: Modules, config: ProblemConfig) -> None:
    """The steps that need nothing to be run: level, plain, standalone."""
    traced = row.traced
    if traced.why:
        row.lose("level", traced.why)
        return
    if "." in traced.qualname or not traced.qualname.isidentifier():
        row.lose("level", "method")
        return
    if reason := _not_plain(traced):
        row.lose("plain", reason)
        return
    if not _stands(traced, modules):
        row.lose("standalone", "source")
        return
    row.alone = standalone(modules, traced.file, traced.qualname, chars=config.max_chars)
    if row.alone.reason or row.alone.node is None:
        row.lose("standalone", row.alone.reason)
        return
    node = row.alone.node
    found = (call_of(node, noted) for noted in traced.calls)
    row.calls = tuple({call.text: call for call in found if call is not None}.values())
    if not row.calls:
        row.lose("plain", "signature")


def _stands(traced: Traced, modules: Modules) -> bool:
    """Whether a function stands where the trace says, so that a forged trace has no second row for it."""
    found = [one.node for one in modules.module(traced.file).binding(traced.qualname)]
    return any(isinstance(node, ast.FunctionDef) and first_line(node) == traced.line for node in found)


def _not_plain(traced: Traced) -> str:
    """Why no call of a function can be a test; "" where one can."""
    noted = traced.calls
    if not noted:
        return "arguments" if traced.refused else "not_ended"
    if not any(one.arguments for one in noted):
        return "no_input"
    if all(one.value is None for one in noted):
        return "value" if any(one.lost for one in noted) else "raised"
    if not any(_tells(one) for one in noted):
        return "no_output"
    return ""


def _tells(noted: Noted) -> bool:
    return noted.value not in (None, "None")


def _judge(row: _Row, config: ProblemConfig) -> None:
    """The steps after the replay."""
    assert row.replayed is not None
    assert row.alone is not None
    kept = row.replayed.kept
    outputs = {call.returned for call in kept}
    row.more = {"replayed": len(kept), "outputs": len(outputs), "mutated": row.replayed.mutated}
    if not kept:
        row.lose("replay", row.replayed.reason)
    elif outputs == {"None"}:
        row.lose("replay", "no_output")
    elif len(kept) < config.min_tests:
        row.lose("choice", "min_tests")
    elif len(outputs) < config.min_outputs:
        row.lose("choice", "min_outputs")
    elif len(row.alone.docstring) < config.min_docstring:
        row.lose("choice", "no_docstring" if not row.alone.docstring else "min_docstring")


def _task_id(row: _Row, project: Project) -> str:
    digest = doc_id(project.repo, project.commit, f"{row.traced.file}:{row.traced.qualname}", None)
    return f"ci/{digest[:8].hex()}"


def _module(path: str) -> str:
    name = path.removeprefix("src/").removesuffix(".py").removesuffix("/__init__")
    return name.replace("/", ".")


def _problem(row: _Row, project: Project, config: ProblemConfig) -> dict[str, Any]:
    alone, found = row.alone, row.replayed
    assert alone is not None
    assert found is not None
    tests = [call.test for call in found.kept[: config.max_tests]]
    return {
        "task_id": _task_id(row, project),
        "source": CI,
        "repo": project.repo,
        "commit": project.commit,
        "path": row.traced.file,
        "qualname": f"{_module(row.traced.file)}.{row.traced.qualname}",
        "prompt": alone.prompt,
        "entry_point": alone.entry_point,
        "canonical_solution": alone.body,
        "tests": tests,
        "io_format": REPR,
        "tests_from": "traced",
        "n_tests": len(tests),
        "verify_runs": config.runs,
    }


def _function(row: _Row, project: Project) -> dict[str, Any]:
    traced, alone = row.traced, row.alone
    taken = alone is not None and not alone.reason
    return {
        "repo": project.repo,
        "commit": project.commit,
        "path": traced.file,
        "qualname": traced.qualname,
        "line": traced.line,
        "lost": row.lost or None,
        "reason": row.reason or None,
        "looked": traced.looked,
        "refused": traced.refused,
        "recorded": len(traced.calls),
        "plain": _count(one.value is not None for one in traced.calls),
        "docstring_chars": len(alone.docstring) if alone and taken else None,
        "code_chars": len(alone.code) if alone and taken else None,
        "task_id": None if row.lost else _task_id(row, project),
        **row.more,
    }


def _count(found: Iterable[bool]) -> int:
    return sum(found)
