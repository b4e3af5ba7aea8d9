"""Labels: which rows of a sheet a conditional formatting rule formats; two rules match when they format the same.

Execution match is the paper's metric for these rules in CodeFusion. What a condition means is Excel's; where
Excel's answer hangs on a cell's type, which the published tables do not keep, the choice is ours: text that reads as
a number, with a currency sign, commas or a percent sign, is one, and what is none never meets a condition on numbers.
"""

from __future__ import annotations

import json
import math
import re
import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from instruct.pairs.rule import Condition, Joined, Rule

Cells = Sequence[Any]

_VALUE = "Value"
_NUMBER = re.compile(
    r"(-?[$€£]?|[$€£]-)((?:[0-9]{1,15}(?:,[0-9]{3}){0,5}(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?)(%?)"
)
_ERROR = re.compile(
    r"#(?:N/A|GETTING_DATA|NAME\?|(?:NULL|DIV/0|VALUE|REF|NUM|SPILL|CONNECT|BLOCKED|UNKNOWN|FIELD|CALC)!)"
)
"""What Excel shows of the errors that its function ERROR.TYPE numbers; a text such as ``#1`` or ``#todo`` is none."""


def row_labels(rule: Rule, sheet: Sequence[Cells]) -> tuple[bool, ...] | None:
    """Which rows below the first, the header, the rule formats; None where it names a column that is not there.

    A condition without a column is on the one headed ``Value``, as the published tables of such rules have it, else on
    the last. What the source itself says is compared by `agrees`.
    Costs one pass over the column per condition.

    >>> from instruct.pairs.parser import parse_rule
    >>> row_labels(parse_rule("OR(LessThan(2), Blanks())").rule, [["Index", "Value"], [0, "1"], [1, ""], [2, "5"]])
    (True, True, False)
    """
    rows = [tuple(row) for row in sheet[1:]]
    done: list[list[bool]] = []
    todo: list[Rule | tuple[str, int]] = [rule]
    while todo:
        one = todo.pop()
        if isinstance(one, Condition):
            column = _column(one, sheet)
            if column is None:
                return None
            done.append(_met(one, [row[column] if column < len(row) else None for row in rows]))
        elif isinstance(one, Joined):
            todo += [(one.connective, len(one.parts)), *one.parts]
        else:
            done[-one[1] :] = [_joined(one[0], done[-one[1] :])]
    return tuple(done[0])


def same_labels(rule: Rule, other: Rule, sheet: Sequence[Cells]) -> bool:
    """Whether two rules format the same rows in the same way: colour scales, bars and icons are ways of their own."""
    labels = row_labels(rule, sheet)
    return labels is not None and labels == row_labels(other, sheet) and _ways(rule) == _ways(other)


def _ways(rule: Rule) -> frozenset[str]:
    found: set[str] = set()
    todo = [rule]
    while todo:
        one = todo.pop()
        if isinstance(one, Joined):
            todo += one.parts
        elif one.signature.kind == "visual":
            found.add(one.name)
    return frozenset(found)


def sheet_of(text: Any) -> list[list[Any]] | None:
    """A sheet from JSON; None where it is none: no rows, or rows that are no lists.

    >>> sheet_of('[["Value"], [3]]'), sheet_of("[3]")
    ([['Value'], [3]], None)
    """
    try:
        sheet = json.loads(text or "null")
    except (ValueError, RecursionError, TypeError):
        return None
    return (
        sheet if isinstance(sheet, list) and sheet and all(isinstance(row, list) for row in sheet) else None
    )


def agrees(rule: Rule, sheet: Sequence[Cells], labels: Sequence[int]) -> bool | None:
    """Whether the source's labels, one for each row and the header's 0 first, are ours; None where they are not whole.

    Many published rows have the header's label alone. Those that are whole were taken from workbooks, of whose cells
    the table may hold a part, so even a right rule does not always agree.

    >>> agrees(Condition("Blanks"), [["Value"], [""], ["x"]], [0, 1, 0])
    True
    """
    if len(labels) != len(sheet) or len(sheet) < 2:
        return None
    ours = row_labels(rule, sheet)
    return ours is not None and [int(label) for label in ours] == list(labels[1:])


def _column(one: Condition, sheet: Sequence[Cells]) -> int | None:
    header = list(sheet[0]) if sheet else []
    other = header.index(_VALUE) if _VALUE in header else len(header) - 1
    column = other if one.column is None else one.column
    return column if 0 <= column < len(header) else None


def _joined(connective: str, parts: list[list[bool]]) -> list[bool]:
    if connective == "NOT":
        return [not met for met in parts[0]]
    every = all if connective == "AND" else any
    return [every(row) for row in zip(*parts, strict=True)]


def _met(one: Condition, cells: list[Any]) -> list[bool]:
    kind = one.signature.kind
    if kind == "visual":
        return [number_of(cell) is not None for cell in cells]
    if kind == "rank":
        return _ranked(one, [number_of(cell) for cell in cells])
    if kind == "none":
        return _WHOLE[one.name](cells)
    if kind == "text":
        wanted = str(one.values[0]).casefold()
        return [bool(_TEXTS[one.name](_text(cell), wanted)) for cell in cells]
    return [_compared(one, cell) for cell in cells]


_TEXTS: dict[str, Callable[[str, str], bool]] = {
    "TextEquals": str.__eq__,
    "TextContains": str.__contains__,
    "StartsWith": str.startswith,
    "EndsWith": str.endswith,
}
_ORDER: dict[str, Callable[[float, float], bool]] = {
    "GreaterThan": float.__gt__,
    "GreaterThanEqual": float.__ge__,
    "LessThan": float.__lt__,
    "LessThanEqual": float.__le__,
    "Equals": float.__eq__,
    "NotEquals": float.__ne__,
}


def _compared(one: Condition, cell: Any) -> bool:
    limits = [number_of(value) for value in one.values]
    number = number_of(cell)
    if None in limits:
        same = _text(cell) == str(one.values[0]).casefold()
        return {"Equals": same, "NotEquals": not same}.get(one.name, False)
    if number is None:
        return False
    first = limits[0] or 0.0
    if one.name in _ORDER:
        return _ORDER[one.name](number, first)
    last = limits[1] or 0.0
    within = min(first, last) <= number <= max(first, last)
    return within if one.name == "Between" else not within


def _ranked(one: Condition, numbers: list[float | None]) -> list[bool]:
    """The n highest or lowest, or that share of them, and what equals the last of them."""
    there = sorted((number for number in numbers if number is not None), reverse=one.name.startswith("Top"))
    if not there:
        return [False] * len(numbers)
    asked = float(one.values[0]) if one.values else 1.0
    share = asked / 100 * len(there) if one.name.endswith("Percent") else asked
    limit = there[min(max(int(min(share, len(there))), 1), len(there)) - 1]
    top = one.name.startswith("Top")
    return [number is not None and (number >= limit if top else number <= limit) for number in numbers]


def _counted(cells: list[Any], *, repeated: bool) -> list[bool]:
    texts = [_text(cell) for cell in cells]
    times = Counter(texts)
    return [bool(text.strip()) and (times[text] > 1) is repeated for text in texts]


def _averaged(cells: list[Any], *, above: bool) -> list[bool]:
    numbers = [number_of(cell) for cell in cells]
    there = [number for number in numbers if number is not None]
    mean = statistics.mean(there) if there else 0.0
    return [number is not None and (number > mean if above else number < mean) for number in numbers]


_WHOLE: dict[str, Callable[[list[Any]], list[bool]]] = {
    "Duplicates": lambda cells: _counted(cells, repeated=True),
    "Unique": lambda cells: _counted(cells, repeated=False),
    "Blanks": lambda cells: [not _text(cell).strip() for cell in cells],
    "Errors": lambda cells: [_ERROR.fullmatch(_text(cell).upper().strip()) is not None for cell in cells],
    "AboveAverage": lambda cells: _averaged(cells, above=True),
    "BelowAverage": lambda cells: _averaged(cells, above=False),
}


def number_of(cell: Any) -> float | None:
    """A cell as a number; None where it is none, true and false included.

    >>> [number_of(cell) for cell in ("$1,200.50", "12%", 7, "n/a", True, "")]
    [1200.5, 0.12, 7.0, None, None, None]
    """
    if isinstance(cell, str):
        found = _NUMBER.fullmatch(cell.strip())
        if not found:
            return None
        number = float(found[2].replace(",", "")) * (-1 if "-" in found[1] else 1)
        number = number / 100 if found[3] else number
    elif isinstance(cell, int | float | Decimal) and not isinstance(cell, bool):
        try:
            number = float(cell)
        except OverflowError:
            return None
    else:
        return None
    return number if math.isfinite(number) else None


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    return str(cell).casefold()
