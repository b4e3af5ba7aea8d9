"""Parser: text to a rule (`instruct.pairs.rule`), with the place and the reason where it is none.

Written by hand and not with a parser library: whether an argument is a number or a text is said by the name before it,
and a text without quotes ends at the parenthesis that matches, which no regular token can say. It keeps its own
stack, so that nesting costs no recursion, and it is bounded: `MOST_CHARS` and `MOST_DEPTH`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal

from instruct.pairs.rule import (
    ALIASES,
    CONDITIONS,
    CONNECTIVES,
    Condition,
    Connective,
    Joined,
    Rule,
    Signature,
)

MOST_CHARS = 8192
MOST_DEPTH = 64

_SPACE = re.compile(r"\s*")
_NAME = re.compile(r"[A-Za-z]+")
_COLUMN = re.compile(r"c\s*\[\s*([0-9]{1,6})\s*\]", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?")
_QUOTED = re.compile(r"'((?:[^']|'')*)'|\"((?:[^\"]|\"\")*)\"")
_PARENTHESIS = re.compile(r"[()]")
_HINTS = "expected a rule such as GreaterThan(3)"


@dataclass(frozen=True)
class Reading:
    """What a text was read as: a rule, or none with the position (in characters) and the problem there.

    ``spans`` are the places (start, end) of names and columns, in order, as far as they were read.
    """

    rule: Rule | None
    spans: tuple[tuple[int, int], ...] = ()
    position: int = 0
    problem: str = ""


@dataclass
class _Open:
    """A connective whose closing parenthesis has not been read."""

    connective: Connective
    parts: list[Rule] = field(default_factory=list)


class _Fault(Exception):
    def __init__(self, position: int, problem: str) -> None:
        super().__init__(problem)
        self.position = position
        self.problem = problem


def parse_rule(text: str) -> Reading:
    """Read one rule; never raises. Names are read in any letter case.

    >>> parse_rule("NOT(TextContains(c[1], 'n/a'))").rule
    Joined(connective='NOT', parts=(Condition(name='TextContains', column=1, values=('n/a',)),))
    >>> reading = parse_rule("AND(GreaterThan(x))")
    >>> reading.position, reading.problem
    (16, 'expected a number')
    """
    reader = _Reader(text)
    try:
        rule = reader.rule()
    except _Fault as fault:
        return Reading(None, tuple(reader.spans), fault.position, fault.problem)
    return Reading(rule, tuple(reader.spans))


class _Reader:
    """A place in a text, and what stands there."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.spans: list[tuple[int, int]] = []

    def rule(self) -> Rule:
        """The whole text as one rule."""
        if len(self.text) > MOST_CHARS:
            raise _Fault(MOST_CHARS, f"more than {MOST_CHARS} characters")
        opened: list[_Open] = []
        while True:
            name, start = self._name()
            if name.upper() in CONNECTIVES:
                if len(opened) == MOST_DEPTH:
                    raise _Fault(start, f"more than {MOST_DEPTH} levels")
                opened.append(_Open(_connective(name)))
                continue
            done = self._close(opened, self._condition(_signature(name, start)))
            if done is not None:
                return done

    def _close(self, opened: list[_Open], part: Rule) -> Rule | None:
        """Put a part into the innermost connective; the rule where that ends the text, None where more is to come."""
        while opened:
            innermost = opened[-1]
            innermost.parts.append(part)
            if self._take(","):
                if innermost.connective == "NOT":
                    raise _Fault(self.at - 1, "NOT takes one condition")
                return None
            self._expect(")", "expected ',' or ')'")
            opened.pop()
            part = Joined(innermost.connective, tuple(innermost.parts))
        self._skip()
        if self.at < len(self.text):
            raise _Fault(self.at, "expected the end of the rule")
        return part

    def _name(self) -> tuple[str, int]:
        self._skip()
        found = _NAME.match(self.text, self.at)
        if not found:
            raise _Fault(self.at, _HINTS)
        self.spans.append(found.span())
        self.at = found.end()
        self._expect("(", "expected '('")
        return found[0], found.start()

    def _condition(self, signature: Signature) -> Condition:
        column = self._column()
        values: list[Decimal | str] = []
        more = self._take(",") if column is not None else not self._ahead(")")
        while more:
            if len(values) == signature.most:
                raise _Fault(self.at, f"{signature.name} takes {_takes(signature)}")
            is_text = signature.kind == "text"
            values.append(self._text(named=column is not None) if is_text else self._number())
            more = self._take(",")
        if len(values) < signature.least:
            raise _Fault(self.at, f"{signature.name} takes {_takes(signature)}")
        if signature.kind == "rank" and any(not isinstance(v, Decimal) or v <= 0 for v in values):
            raise _Fault(self.at, f"{signature.name} takes a number above 0")
        self._expect(")", "expected ')'")
        return Condition(signature.name, column, tuple(values))

    def _column(self) -> int | None:
        before = _SPACE.match(self.text, self.at)
        start = before.end() if before else self.at
        found = _COLUMN.match(self.text, start)
        after = _SPACE.match(self.text, found.end()) if found else None
        if not found or not after or self.text[after.end() : after.end() + 1] not in (",", ")"):
            return None
        self.spans.append(found.span())
        self.at = found.end()
        return int(found[1])

    def _number(self) -> Decimal | str:
        self._skip()
        found = _NUMBER.match(self.text, self.at)
        if found:
            self.at = found.end()
            return Decimal(found[0])
        quoted = self._quoted()
        if quoted is None:
            raise _Fault(self.at, "expected a number")
        return quoted

    def _text(self, *, named: bool) -> str:
        start = self.at
        self._skip()
        quoted = self._quoted()
        if quoted is not None:
            return quoted
        self.at = self.at if named else start
        return self._bare()

    def _quoted(self) -> str | None:
        """A quoted text that an argument's end follows; None where there is none."""
        found = _QUOTED.match(self.text, self.at)
        after = _SPACE.match(self.text, found.end()) if found else None
        if not found or not after or self.text[after.end() : after.end() + 1] not in (",", ")"):
            return None
        self.at = found.end()
        return found[1].replace("''", "'") if found[1] is not None else found[2].replace('""', '"')

    def _bare(self) -> str:
        """A text as it stands, up to the parenthesis that closes the condition."""
        depth = 0
        for found in _PARENTHESIS.finditer(self.text, self.at):
            depth += 1 if found[0] == "(" else -1
            if depth < 0:
                text = self.text[self.at : found.start()]
                if not text:
                    raise _Fault(self.at, "expected a text")
                self.at = found.start()
                return text
        raise _Fault(len(self.text), "expected ')'")

    def _skip(self) -> None:
        found = _SPACE.match(self.text, self.at)
        self.at = found.end() if found else self.at

    def _ahead(self, mark: str) -> bool:
        found = _SPACE.match(self.text, self.at)
        return self.text.startswith(mark, found.end() if found else self.at)

    def _take(self, mark: str) -> bool:
        if not self._ahead(mark):
            return False
        self._skip()
        self.at += 1
        return True

    def _expect(self, mark: str, problem: str) -> None:
        if not self._take(mark):
            self._skip()
            raise _Fault(self.at, problem)


def _connective(name: str) -> Connective:
    return next(one for one in CONNECTIVES if one == name.upper())


def _signature(name: str, start: int) -> Signature:
    low = name.lower()
    found = CONDITIONS.get(ALIASES.get(low, low))
    if found is None:
        raise _Fault(start, f"no condition {name[:40]!r}")
    return found


def _takes(signature: Signature) -> str:
    least, most = signature.least, signature.most
    if most == 0:
        return "no value"
    count = f"{most}" if least == most else f"{least} to {most}"
    return f"{count} value{'s' if most > 1 else ''}"
