"""The candidate's side: load a program, then answer calls of its functions with plain data."""

from __future__ import annotations

import builtins
import sys
import types

from . import frames, plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_TOO_DEEP = (SyntaxError, ValueError, RecursionError, OverflowError)
_BASES: tuple[type, ...] = (dict, list, tuple, set, frozenset, str, bytes, int, float)


def run(job: dict[str, object], link: int) -> None:
    """Load ``job["code"]``, say over ``link`` what it defines, and answer calls until the link is closed."""
    module = types.ModuleType("candidate")
    sys.modules["candidate"] = module
    problem = load(str(job["code"]), module)
    frames.send(link, plain.encode((*problem, *_names(module))))
    limit = int(str(job["limit"]))
    while not problem[0]:
        try:
            request = frames.receive(link)
        except frames.Closed:
            return
        frames.send(link, _answer(module, request, limit))


def load(code: str, module: types.ModuleType) -> tuple[str, str]:
    """Run the program in ``module``; ("", "") or what went wrong and one line about it."""
    try:
        compiled = compile(code, "<program>", "exec", dont_inherit=True)
    except _TOO_DEEP as error:
        return "syntax", described(error)
    except MemoryError:
        return "memory", "MemoryError"
    try:
        exec(compiled, module.__dict__)
    except MemoryError:
        return "memory", "MemoryError"
    except BaseException as error:
        return "exception", described(error)
    return "", ""


def described(error: BaseException) -> str:
    """An exception in one short line; its own methods may fail or lie."""
    try:
        text = str(error)
    except BaseException:
        text = "?"
    line = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return str.encode(" ".join(line.split())[:200], "utf-8", "replace").decode()


def _names(module: types.ModuleType) -> tuple[list[str], list[str]]:
    """Names of the program's own functions, and of its own classes; at most 500 of each."""
    functions, classes = [], []
    for name, value in list(module.__dict__.items()):
        if type(name) is str and not name.startswith("__"):
            kind = type(value)
            if kind is type or isinstance(value, type):
                classes.append(name)
            elif kind is not types.ModuleType and callable(value):
                functions.append(name)
    return functions[:500], classes[:500]


def _answer(module: types.ModuleType, request: bytes, limit: int) -> bytes:
    name, args, kwargs = plain.decode(request)
    function = module.__dict__.get(name)
    if function is None:
        return plain.encode(("name_error", f"the program defines no {name}", None, b"N"))
    before = plain.encode((args, kwargs))
    try:
        value = function(*args, **kwargs)
    except MemoryError:
        return plain.encode(("memory", "MemoryError", None, b"N"))
    except BaseException as error:
        return plain.encode(("exception", described(error), _builtin(error), b"N"))
    return _returned(value, (args, kwargs), before, limit)


def _returned(value: object, arguments: object, before: bytes, limit: int) -> bytes:
    try:
        answer = _encoded(value, limit)
    except Exception as error:
        return plain.encode(("not_plain", f"the value is {error}"[:200], None, b"N"))
    try:
        after = plain.encode(arguments, limit=1 << 22)
    except plain.NotPlain:
        after = before
    return plain.encode(("", "", None if after == before else after, answer))


def _encoded(value: object, limit: int) -> bytes:
    try:
        return plain.encode(value, limit=limit)
    except plain.NotPlain:
        return plain.encode(plained(value), limit=limit)


def _builtin(error: BaseException) -> str:
    """The name of the nearest built-in class of an exception, for ``except`` clauses in tests."""
    for kind in type(error).__mro__:
        if getattr(builtins, kind.__name__, None) is kind:
            return kind.__name__
    return "Exception"


def plained(value: Any, depth: int = plain.DEPTH) -> Any:
    """A value with subclasses of the plain types (Counter, namedtuple, IntEnum) as their plain content.

    Python compares these by content, so ``==`` in a test says the same; an overridden ``__eq__`` is lost on the way.
    """
    kind = type(value)
    if kind in _SCALARS or depth == 0:
        return value
    if kind is bytearray:
        return bytes(value)
    base = next((each for each in _BASES if isinstance(value, each) and issubclass(kind, each)), None)
    if base is None:
        return value
    if base is dict:
        return {plained(key, depth - 1): plained(item, depth - 1) for key, item in dict.items(value)}
    if base in _ITERATED:
        return base([plained(item, depth - 1) for item in _ITERATED[base](value)])
    return _EXACT[base](value)


_SCALARS = frozenset((type(None), bool, int, float, complex, str, bytes))
_ITERATED: dict[type, Callable[..., Any]] = {
    list: list.__iter__, tuple: tuple.__iter__, set: set.__iter__, frozenset: frozenset.__iter__,
}  # fmt: skip
_EXACT: dict[type, Callable[..., Any]] = {
    str: str.__str__,
    bytes: lambda value: bytes.__getitem__(value, slice(None)),
    int: int.__int__,
    float: float.__float__,
}
