"""What a program prints last, as plain data; this module's source is what runs inside the sandbox.

It imports nothing of ours, and never learns the expected value: only its type, to which the printed value is cast.
Source of the rules: codegen1/benchmark/mtpb_exec.py of github.com/salesforce/CodeGen.
"""

from __future__ import annotations

import ast
from typing import Any


def last_print(program: str, kind: str) -> dict[str, Any]:
    """Run a program; ``value`` is the first argument of its last ``print``, cast to ``kind`` as MTPB does.

    Where the last statement prints nothing, its value counts as printed. ``printed`` is false without any.

    >>> last_print("x = (1, 2)\\nx", "list")
    {'printed': True, 'value': [1, 2]}
    """
    values: list[Any] = []

    def keep(*args: Any, **_options: Any) -> None:
        values.append(args[0] if args else "")

    exec(compile(_printing(program), "answer", "exec"), {"__name__": "__main__", "print": keep})
    if not values:
        return {"printed": False, "value": None}
    return {"printed": True, "value": cast(_plain(values[-1]), kind)}


def _printing(program: str) -> ast.Module:
    tree = ast.parse(program)
    last = tree.body[-1] if tree.body else None
    value = getattr(last, "value", None)
    if isinstance(value, ast.expr) and not _prints(value):
        last.value = ast.Call(ast.Name("print", ast.Load()), [value], [])  # type: ignore[union-attr]
    return ast.fix_missing_locations(tree)


def _prints(value: ast.expr) -> bool:
    return (
        isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id.startswith("print")
    )


def _plain(value: Any) -> Any:
    """Values of NumPy as Python's own, and tuples within lists as lists."""
    for name in ("tolist", "to_list"):
        if type(value).__module__.partition(".")[0] in ("numpy", "pandas") and hasattr(value, name):
            return getattr(value, name)()
    if type(value) is list:
        return [list(item) if type(item) is tuple else _plain(item) for item in value]
    if type(value) is dict:
        return {_plain(key): _plain(item) for key, item in value.items()}
    return value


def cast(value: Any, kind: str) -> Any:
    """A value cast to the expected type where it has another; truth values are compared as texts.

    >>> cast("12", "int"), cast("True", "bool"), cast({1: 2}.keys(), "list")
    (12, 'True', [1])
    """
    if type(value).__name__ == kind or kind in ("NoneType", "dict"):
        return value
    if kind == "bool":
        return str(value)
    made: Any = {"str": str, "int": int, "float": float, "list": list}[kind]
    return made(value)
