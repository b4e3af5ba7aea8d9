"""The funnel: every function that was met while the tests ran, and the step where it was lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

__all__ = ["FUNCTION", "STEPS", "function_table", "funnel"]

STEPS = ("level", "plain", "standalone", "replay", "choice")
"""The steps in order. ``level``: only functions at a module's top level, no methods, generators, closures. ``plain``:
a call has arguments and a value that literals stand for. ``standalone``: it can be taken out of its project.
``replay``: a call returns the same again. ``choice``: what the recipe asks of a problem."""


def _field(name: str, kind: pa.DataType, about: str) -> pa.Field:
    return pa.field(name, kind, metadata={"about": about})


FUNCTION = pa.schema(
    [
        _field("repo", pa.string(), "project"),
        _field("commit", pa.string(), "commit or version; null where it is not known"),
        _field("path", pa.string(), "file inside the project"),
        _field("qualname", pa.string(), "name inside the file"),
        _field("line", pa.int32(), "line of its definition"),
        _field("lost", pa.string(), "step that it does not pass: level, plain, standalone, replay, choice; null: kept"),
        _field("reason", pa.string(), "why, in one word; null: kept"),
        _field("looked", pa.int32(), "calls that the tracer looked at; it stops when it has enough"),
        _field("refused", pa.int32(), "of these, calls with an argument that is not plain"),
        _field("recorded", pa.int32(), "distinct calls with plain arguments that ended"),
        _field("plain", pa.int32(), "of these, calls that returned a plain value"),
        _field("replayed", pa.int32(), "of these, calls that returned the same in every replay; null: not replayed"),
        _field("outputs", pa.int32(), "distinct values among the replayed"),
        _field("mutated", pa.bool_(), "it changed an argument while it was replayed"),
        _field("docstring_chars", pa.int32(), "characters of its docstring"),
        _field("code_chars", pa.int32(), "characters of the standalone program"),
        _field("task_id", pa.string(), "the problem it became; null: lost"),
    ]
)  # fmt: skip


def function_table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows as a table with the schema `FUNCTION`; what is not given is null."""
    return pa.Table.from_pylist([{n: row.get(n) for n in FUNCTION.names} for row in rows], schema=FUNCTION)


def funnel(functions: pa.Table) -> dict[str, Any]:
    """How many functions were met, pass each step, and are lost there by reason.

    >>> funnel(function_table([{"lost": "plain", "reason": "value"}, {"task_id": "a"}]))["left"]
    {'traced': 2, 'level': 2, 'plain': 1, 'standalone': 1, 'replay': 1, 'choice': 1}
    """
    lost, reasons = functions["lost"].to_pylist(), functions["reason"].to_pylist()
    by_step = Counter(lost)
    left = {"traced": len(lost)}
    for step in STEPS:
        left[step] = min(left.values()) - by_step[step]
    pairs = sorted(Counter(zip(lost, reasons, strict=True)).items(), key=lambda one: (-one[1], str(one[0])))
    why = {step: {str(reason): n for (at, reason), n in pairs if at == step} for step in STEPS}
    return {"left": left, "lost": {step: found for step, found in why.items() if found}}
