"""The file a tracer wrote inside the sandbox, read without believing it.

The project's own code runs beside the tracer and can write what it likes into the file. So every line is checked by
itself (JSON, kinds, lengths), every literal must be the one that `tracer.literal` writes of its value, and a function's
file and name only count where the parent finds them in the source. A result that is a lie does not survive the replay.
"""

from __future__ import annotations

import ast
import json
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from instruct.tracing.tracer import CHARS, NotPlain, literal

__all__ = ["Noted", "Trace", "Traced", "agreed", "joined", "read_literal", "read_trace"]

LINE_BYTES = 1 << 20
FUNCTIONS = 50_000
_REFUSED = (ValueError, TypeError, SyntaxError, MemoryError, RecursionError, NotPlain)


@dataclass(frozen=True)
class Noted:
    """One call as it was noted.

    ``arguments``: parameter to literal, None for a default that no literal stands for. ``value``: the literal that was
    returned, None when there is none: ``raised`` names the exception, ``lost`` the kind of value that is not plain.
    """

    arguments: tuple[tuple[str, str | None], ...]
    value: str | None
    raised: str = ""
    lost: str = ""


@dataclass(frozen=True)
class Traced:
    """One function that was called: where it stands, why it is of no use ("" when it may be), its calls.

    ``looked``: calls that the tracer looked at, ``refused``: of these, how many had arguments that are not plain.
    """

    file: str
    qualname: str
    line: int
    why: str
    calls: tuple[Noted, ...] = ()
    looked: int = 0
    refused: int = 0


@dataclass(frozen=True)
class Trace:
    """All that one run noted; ``complete`` when the tracer came to its end, ``spoiled`` lines were refused."""

    functions: tuple[Traced, ...]
    complete: bool
    spoiled: int


def read_literal(text: str) -> object:
    """The value of a literal as `tracer.literal` writes it; ValueError for any other text.

    >>> read_literal("{'a': (1, -0.0)}")
    {'a': (1, -0.0)}
    >>> read_literal("__import__('os')")
    Traceback (most recent call last):
    ...
    ValueError: not a literal of a plain value
    """
    try:
        if len(text) > CHARS:
            raise ValueError
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value: object = ast.literal_eval(text)
        if literal(value) == text:
            return value
    except _REFUSED:
        pass
    raise ValueError("not a literal of a plain value")


def read_trace(data: bytes) -> Trace:
    """Read what a tracer wrote; lines that it cannot have written are counted in ``spoiled``, nothing raises.

    >>> read_trace(b'{"kind":"function","id":0,"file":"a.py","name":"f","line":1,"why":""}' + bytes([10]) + b"no")
    Trace(functions=(Traced(file='a.py', qualname='f', line=1, ...),), complete=False, spoiled=1)
    """
    found: dict[int, Traced] = {}
    calls: dict[int, dict[Noted, None]] = {}
    spoiled, complete = 0, False
    for note in _notes(data):
        try:
            kind = note["kind"]
            if kind == "end":
                complete = True
            elif kind == "function":
                _add(found, note)
            elif kind == "counts":
                number = _whole(note["id"])
                found[number] = replace(
                    found[number], looked=_whole(note["looked"]), refused=_whole(note["refused"])
                )
            else:
                calls.setdefault(_known(found, note), {}).setdefault(_call(note))
        except (KeyError, AttributeError, *_REFUSED):
            spoiled += 1
    whole = (replace(one, calls=tuple(calls.get(number, ()))) for number, one in found.items())
    return Trace(_merged(whole), complete, spoiled)


def _notes(data: bytes) -> Iterator[Mapping[str, Any]]:
    """Every line as an object; what is none is an empty one."""
    for line in data.split(b"\n"):
        if not line:
            continue
        note: Any = None
        if len(line) <= LINE_BYTES:
            try:
                note = json.loads(line)
            except _REFUSED:
                note = None
        yield note if isinstance(note, dict) else {}


def _add(found: dict[int, Traced], note: Mapping[str, Any]) -> None:
    number = _whole(note["id"])
    if number in found or len(found) >= FUNCTIONS:
        raise ValueError("a function twice, or too many")
    found[number] = Traced(
        _name(note["file"]), _name(note["name"]), _whole(note["line"]), _name(note["why"], empty=True)
    )


def _known(found: Mapping[int, Traced], note: Mapping[str, Any]) -> int:
    number = _whole(note["id"])
    if found[number].why or note["kind"] != "call":
        raise ValueError("a call of what has none")
    return number


def _call(note: Mapping[str, Any]) -> Noted:
    arguments = json.loads(note["args"])
    for name, text in arguments.items():
        if not name.isidentifier():
            raise ValueError(name)
        if text is not None:
            read_literal(text)
    value = note.get("value")
    if value is not None:
        read_literal(value)
    raised, lost = (_name(note.get(key, ""), empty=True) for key in ("raised", "lost"))
    if (value is None) != bool(raised or lost):
        raise ValueError("a call either returns or does not")
    return Noted(tuple(arguments.items()), value, raised, lost)


def _whole(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 1 << 31:
        raise ValueError("not a number")
    return value


def _name(value: Any, *, empty: bool = False) -> str:
    if type(value) is not str or len(value) > 1_000 or not (value or empty) or not value.isprintable():
        raise ValueError("not a name")
    return value


def joined(traces: Iterable[Trace], *, calls: int) -> Trace:
    """Traces of several commands as one, of each function its first distinct calls."""
    known = list(traces)
    whole = _merged(one for trace in known for one in trace.functions)
    functions = tuple(replace(one, calls=one.calls[:calls]) for one in whole)
    return Trace(functions, all(one.complete for one in known), sum(one.spoiled for one in known))


def agreed(first: Trace, again: Trace) -> Trace:
    """The first trace with only those calls that the second one noted, too."""
    known = {_key(one): set(one.calls) for one in again.functions}
    functions = tuple(
        replace(one, calls=tuple(call for call in one.calls if call in known.get(_key(one), ())))
        for one in first.functions
    )
    return Trace(functions, first.complete and again.complete, first.spoiled + again.spoiled)


def _key(one: Traced) -> tuple[str, str, int]:
    return one.file, one.qualname, one.line


def _merged(functions: Iterable[Traced]) -> tuple[Traced, ...]:
    """A module that is imported twice has two code objects of one function: their calls are put together."""
    found: dict[tuple[str, str, int], list[Traced]] = {}
    for one in functions:
        found.setdefault(_key(one), []).append(one)
    return tuple(
        replace(
            same[0],
            calls=tuple(dict.fromkeys(call for one in same for call in one.calls)),
            looked=sum(one.looked for one in same),
            refused=sum(one.refused for one in same),
        )
        for same in found.values()
    )
