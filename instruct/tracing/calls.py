"""A noted call as one that can be made again: values for a replay, text for an assertion."""

from __future__ import annotations

import ast
import keyword
import unicodedata
from dataclasses import dataclass

from instruct.tracing.records import Noted, read_literal
from instruct.tracing.tracer import NotPlain, literal

__all__ = ["Call", "call_of"]


@dataclass(frozen=True)
class Call:
    """Arguments as values, the same as text (``1, key='a'``), and the literal that the call returned."""

    args: tuple[object, ...]
    kwargs: tuple[tuple[str, object], ...]
    text: str
    returned: str

    @property
    def test(self) -> str:
        """The call as an assertion.

        >>> Call((1,), (), "1", "2").test
        'assert candidate(1) == 2'
        """
        return f"assert candidate({self.text}) == {self.returned}"


def call_of(node: ast.FunctionDef, noted: Noted) -> Call | None:
    """The call of a function with this signature; None where the note does not fit it, or holds no value.

    What equals a parameter's default is left out, and so is a default that no literal stands for (a marker object):
    what follows it is then given by name.

    >>> node = ast.parse("def f(a, b=1, *, c=None): ...").body[0]
    >>> call_of(node, Noted((("a", "[2]"), ("b", "1"), ("c", "'x'")), "3")).test
    "assert candidate([2], c='x') == 3"
    """
    if noted.value is None or any(text is None for name, text in noted.arguments if name in _rest(node)):
        return None
    try:
        return _made(node, dict(noted.arguments), noted.value)
    except (ValueError, NotPlain):
        return None


def _rest(node: ast.FunctionDef) -> set[str]:
    return {one.arg for one in (node.args.vararg, node.args.kwarg) if one is not None}


def _made(node: ast.FunctionDef, given: dict[str, str | None], value: str) -> Call:
    spec = node.args
    plain = [*spec.posonlyargs, *spec.args]
    names = {one.arg for one in [*plain, *spec.kwonlyargs]} | _rest(node)
    if names != given.keys():
        raise ValueError("other parameters")
    star = read_literal(given[spec.vararg.arg] or "") if spec.vararg else ()
    more = read_literal(given[spec.kwarg.arg] or "") if spec.kwarg else {}
    if type(star) is not tuple or type(more) is not dict or not _keywords(more, names):
        raise ValueError("not what stars hold")
    defaults = _defaults(spec)
    first, named = _placed(spec, given, defaults, positional=bool(star))
    named += [
        (one.arg, text) for one in spec.kwonlyargs if (text := _given(one.arg, given, defaults)) is not None
    ]
    first += [literal(one) for one in star]
    named += [(str(name), literal(one)) for name, one in more.items()]
    text = ", ".join([*first, *(f"{name}={one}" for name, one in named)])
    return Call(tuple(map(read_literal, first)), tuple((n, read_literal(t)) for n, t in named), text, value)


def _placed(
    spec: ast.arguments, given: dict[str, str | None], defaults: dict[str, str], *, positional: bool
) -> tuple[list[str], list[tuple[str, str]]]:
    """Positional arguments, and those that must be given by name since one before them is left out."""
    first: list[str] = []
    named: list[tuple[str, str]] = []
    gap = False
    for one in [*spec.posonlyargs, *spec.args]:
        fixed = positional or one in spec.posonlyargs
        text = given[one.arg] if fixed else _given(one.arg, given, defaults)
        if text is None:
            gap = True
        elif not gap:
            first.append(text)
        elif fixed:
            raise ValueError("a place is left out")
        else:
            named.append((one.arg, text))
    if gap and positional:
        raise ValueError("a place is left out")
    return first, named


def _given(name: str, given: dict[str, str | None], defaults: dict[str, str]) -> str | None:
    """An argument's literal; None where it need not be given."""
    text = given[name]
    return None if text is None or defaults.get(name) == text else text


def _defaults(spec: ast.arguments) -> dict[str, str]:
    """Defaults that are constants, as literals. A list or dict may be changed between calls, so it is none."""
    plain = [*spec.posonlyargs, *spec.args]
    pairs = [
        *zip(plain[len(plain) - len(spec.defaults) :], spec.defaults, strict=True),
        *zip(spec.kwonlyargs, spec.kw_defaults, strict=True),
    ]
    found: dict[str, str] = {}
    for parameter, default in pairs:
        if isinstance(default, ast.Constant):
            try:
                found[parameter.arg] = literal(default.value)
            except NotPlain:
                continue
    return found


def _keywords(more: dict[object, object], names: set[str]) -> bool:
    return all(type(name) is str and _writable(name) and name not in names for name in more)


def _writable(name: str) -> bool:
    """Whether source code can give an argument this very name: the parser puts identifiers in their normal form."""
    if not name.isidentifier() or keyword.iskeyword(name) or name == "__debug__":
        return False
    return unicodedata.is_normalized("NFKC", name)
