"""Codex-D: problems turned round, so that a model learns to write the docstring of a solution.

Source: Codex, arXiv 2107.03374, section 5: signature, reference solution, then the docstring, with loss on the
docstring only.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from instruct.problems import parsed

NO_FUNCTION, NO_DOCSTRING = "no_function", "no_docstring"

DESCRIBED = pa.schema(
    [
        pa.field("task_id", pa.string(), metadata={"about": "the problem"}),
        pa.field("input", pa.large_string(), metadata={"about": "imports, signature and solution: no loss"}),
        pa.field("target", pa.large_string(), metadata={"about": "the docstring with its quotes: loss"}),
        pa.field("dropped", pa.string(), metadata={"about": "why there is none; null: there is"}),
    ]
)


def described(problems: pa.Table) -> tuple[pa.Table, Counter[str]]:
    """A `DESCRIBED` row for every kept problem; programs have no signature and are dropped.

    Counts rows per rule and ``described``.

    >>> from instruct.problems import problem_table
    >>> prompt, answer = 'def f(x):\\n    "Twice."\\n', "    return 2 * x\\n"
    >>> row = {"task_id": "a", "entry_point": "f", "prompt": prompt, "canonical_solution": answer}
    >>> table, _ = described(problem_table([row]))
    >>> table["input"][0].as_py(), table["target"][0].as_py()
    ('def f(x):\\n    return 2 * x\\n', '    "Twice."\\n')
    """
    names = ["task_id", "entry_point", "prompt", "canonical_solution", "dropped"]
    kept = [row for row in problems.select(names).to_pylist() if row["dropped"] is None]
    rows = [{"task_id": row["task_id"]} | _turned(row) for row in kept]
    counts = Counter(row.get("dropped") or "described" for row in rows)
    return pa.Table.from_pylist(rows, schema=DESCRIBED), counts


def _turned(row: Mapping[str, Any]) -> dict[str, Any]:
    prompt: str = row["prompt"]
    tree = parsed(prompt) or parsed(f"{prompt}\n    pass\n")
    found = [
        node
        for node in (tree.body if tree else ())
        if isinstance(node, ast.FunctionDef) and node.name == row["entry_point"]
    ]
    if not found:
        return {"dropped": NO_FUNCTION}
    first = found[-1].body[0]
    lines = prompt.split("\n")
    if ast.get_docstring(found[-1]) is None or not _alone(first, lines):
        return {"dropped": NO_DOCSTRING}
    head, text = lines[: first.lineno - 1], lines[first.lineno - 1 : first.end_lineno]
    rest = lines[first.end_lineno :]
    body = "\n".join(rest).lstrip("\n") if any(line.strip() for line in rest) else ""
    solution = body + row["canonical_solution"].rstrip() + "\n"
    return {"input": "\n".join([*head, ""]) + solution, "target": "\n".join([*text, ""])}


def _alone(node: ast.stmt, lines: Sequence[str]) -> bool:
    """Whether a statement's lines hold nothing else but a comment behind it; columns count bytes of UTF-8."""
    last = node.end_lineno or node.lineno
    after = lines[last - 1].encode()[node.end_col_offset :].strip()
    return not lines[node.lineno - 1][: node.col_offset].strip() and after[:1] in (b"", b"#")
