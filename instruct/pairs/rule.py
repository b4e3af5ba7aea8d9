"""Rules: Excel's conditional formatting rules as CodeFusion's data spells them.

A rule is one condition, or conditions joined by AND, OR and NOT. The published files (prose-benchmarks, CodeFusion)
spell conditions in two ways, and both are read: ``TextEquals(On Hold)``, where the column is the one that the rule is
put on and text stands as it is, and ``TextEquals(c[2], 'On Hold')``, where the column is named and text is quoted.
The paper publishes no grammar: `CONDITIONS` is what the published rules hold, and their Excel counterparts marked
``ours``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Literal

Kind = Literal["number", "text", "rank", "none", "visual"]
Connective = Literal["AND", "OR", "NOT"]
CONNECTIVES: tuple[Connective, ...] = ("AND", "OR", "NOT")

_COLUMN_LIKE = re.compile(r"\s*(['\"]|c\s*\[)", re.IGNORECASE)


@dataclass(frozen=True)
class Signature:
    """What a condition takes after its column: ``least`` to ``most`` values of one kind."""

    name: str
    kind: Kind
    least: int
    most: int
    ours: bool = False


def _signatures() -> dict[str, Signature]:
    seen = [
        *(Signature(name, "number", 1, 1) for name in ("GreaterThan", "GreaterThanEqual", "LessThan")),
        *(Signature(name, "number", 1, 1) for name in ("LessThanEqual", "Equals", "NotEquals")),
        Signature("Between", "number", 2, 2),
        *(Signature(name, "text", 1, 1) for name in ("TextEquals", "TextContains", "StartsWith", "EndsWith")),
        *(Signature(name, "rank", 0, 1) for name in ("Top", "Bottom")),
        Signature("TopPercent", "rank", 1, 1),
        *(Signature(name, "none", 0, 0) for name in ("Duplicates", "Blanks", "Errors")),
        *(Signature(name, "none", 0, 0) for name in ("AboveAverage", "BelowAverage")),
        *(Signature(name, "visual", 0, 0) for name in ("ColorScale", "DataBar", "IconSet")),
    ]
    ours = [
        Signature("NotBetween", "number", 2, 2, ours=True),
        Signature("BottomPercent", "rank", 1, 1, ours=True),
        Signature("Unique", "none", 0, 0, ours=True),
    ]
    return {one.name.lower(): one for one in (*seen, *ours)}


CONDITIONS: Mapping[str, Signature] = MappingProxyType(_signatures())  # by name in lower case
ALIASES: Mapping[str, str] = MappingProxyType(
    {"duplicate": "duplicates", "textstartswith": "startswith", "textendswith": "endswith"}
)


@dataclass(frozen=True)
class Condition:
    """One condition on a column: ``column`` counts from 0, None is the column that the rule is put on."""

    name: str
    column: int | None = None
    values: tuple[Decimal | str, ...] = ()

    @property
    def signature(self) -> Signature:
        """What it may take."""
        return CONDITIONS[self.name.lower()]


@dataclass(frozen=True)
class Joined:
    """Conditions joined by AND or OR, or one behind NOT."""

    connective: Connective
    parts: tuple[Condition | Joined, ...]


Rule = Condition | Joined


def print_rule(rule: Rule) -> str:
    """A rule as text, in one way only: names as in `CONDITIONS`, a comma and a space between arguments.

    Numbers have no needless zeros. Text stands as it is where the column is not named and it reads back as itself;
    otherwise it is quoted, a quote inside doubled. ``parse_rule(print_rule(rule)).rule == rule`` wherever the
    text, in which ``9e99`` has a hundred digits, is no longer than the parser takes.

    >>> print_rule(Joined("NOT", (Condition("Top", 2, (Decimal("5.0"),)),)))
    'NOT(Top(c[2], 5))'
    """
    written: list[str] = []
    todo: list[Rule | str] = [rule]
    while todo:
        one = todo.pop()
        if isinstance(one, Joined):
            between: list[Rule | str] = []
            for part in one.parts:
                between += [part, ", "]
            todo += [")", *reversed(between[:-1]), f"{one.connective}("]
        else:
            written.append(one if isinstance(one, str) else _condition(one))
    return "".join(written)


def _condition(one: Condition) -> str:
    column = () if one.column is None else (f"c[{one.column}]",)
    values = [_value(value, bare=one.column is None and one.signature.kind == "text") for value in one.values]
    return f"{one.name}({', '.join((*column, *values))})"


def _value(value: Decimal | str, *, bare: bool) -> str:
    if isinstance(value, Decimal):
        return _number(value)
    if bare and stands_bare(value):
        return value
    doubled = value.replace("'", "''")
    return f"'{doubled}'"


def _number(value: Decimal) -> str:
    text = format(value, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def stands_bare(text: str) -> bool:
    """Whether a text can stand without quotes: not blank, no quote or column first, parentheses in pairs.

    >>> stands_bare("N/A"), stands_bare("'"), stands_bare(":)"), stands_bare("f(x)")
    (True, False, False, True)
    """
    if not text.strip() or _COLUMN_LIKE.match(text):
        return False
    depth = 0
    for mark in re.findall(r"[()]", text):
        depth += 1 if mark == "(" else -1
        if depth < 0:
            return False
    return depth == 0
