"""Expressions: SPDX licence expressions in canonical spelling, their identifiers and what the permissive list says.

Grammar and identifiers are those of the package license-expression (SPDX specification 2.3, annex D).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from license_expression import (  # type: ignore[import-untyped]
    ExpressionError,
    LicenseWithExceptionSymbol,
    get_spdx_licensing,
)

MAX_CHARS = 300
_MAX_LICENSES = 12
_PERMISSIVE = Path(__file__).with_name("permissive.csv")
_OWN = re.compile(r"(?:DocumentRef-[A-Za-z0-9.-]+:)?LicenseRef-[A-Za-z0-9.-]+")
_GNU = re.compile(r"((?:A|L)?GPL-\d\.\d|GFDL-\d\.\d)(?:-only|-or-later|\+)?")


@lru_cache(4096)
def canonical(expression: str) -> str | None:
    """The canonical spelling of an SPDX expression: known case, sorted, no repetition; None when it is not valid.

    Deprecated GNU identifiers become what SPDX says they mean: ``GPL-2.0`` is ``GPL-2.0-only``.

    >>> canonical("mit or (apache-2.0 OR MIT)"), canonical("GPL-2.0+ with Classpath-exception-2.0")
    ('Apache-2.0 OR MIT', 'GPL-2.0-or-later WITH Classpath-exception-2.0')
    >>> canonical("MIT/X11"), canonical("MIT AND"), canonical("LicenseRef-Mine")
    (None, None, 'LicenseRef-Mine')
    """
    if not 0 < len(expression) <= MAX_CHARS:
        return None
    parsed = _parsed(expression)
    return None if parsed is None else str(parsed.render())


def _parsed(expression: str) -> Any:
    licensing = _licensing()
    try:
        found = licensing.parse(expression, validate=False, strict=True)
        if found is None or not _known(found):
            return None
        return found.simplify() if len(list(found.get_literals())) <= _MAX_LICENSES else found
    except (ExpressionError, RecursionError, TypeError, ValueError, AttributeError):
        return None


@cache
def _licensing() -> Any:
    return get_spdx_licensing()


def _known(parsed: Any) -> bool:
    licensing = _licensing()
    unknown = licensing.unknown_license_keys(parsed)
    if not all(_OWN.fullmatch(key) for key in unknown):
        return False
    return not any(_misplaced(symbol) for symbol in parsed.get_literals())


def _misplaced(symbol: Any) -> bool:
    """An exception that stands alone, or a licence after WITH."""
    if isinstance(symbol, LicenseWithExceptionSymbol):
        return bool(symbol.license_symbol.is_exception or not symbol.exception_symbol.is_exception)
    return bool(symbol.is_exception)


def all_of(licenses: Iterable[str]) -> str | None:
    """The licences joined by AND; GNU identifiers without ``-only``/``-or-later`` stay as they are.

    >>> all_of(["MIT", "GPL-3.0", "MIT"]), all_of([])
    ('GPL-3.0 AND MIT', None)
    """
    return _joined(licenses, " AND ")


def any_of(licenses: Iterable[str]) -> str | None:
    """The licences joined by OR.

    >>> any_of(["MIT", "Apache-2.0"])
    'Apache-2.0 OR MIT'
    """
    return _joined(licenses, " OR ")


def _joined(licenses: Iterable[str], word: str) -> str | None:
    distinct = sorted(set(licenses))
    if len(distinct) < 2:
        return distinct[0] if distinct else None
    return word.join(f"({name})" if re.search(r" (?:AND|OR) ", name) else name for name in distinct)


@lru_cache(4096)
def identifiers(expression: str) -> frozenset[str]:
    """The identifiers in an expression, each without its exception and GNU ``-only``/``-or-later``.

    >>> sorted(identifiers("GPL-2.0-or-later WITH Classpath-exception-2.0 OR MIT"))
    ['GPL-2.0', 'MIT']
    """
    words = re.sub(r" WITH \S+|[()]", " ", expression)
    names = [name for name in words.split() if name not in {"AND", "OR"}]
    return frozenset(_family(name) for name in names)


def _family(name: str) -> str:
    match = _GNU.fullmatch(name)
    return match[1] if match else name


def agree(one: str, other: str) -> bool:
    """Whether two statements can both be true: the licences of one are among those of the other.

    >>> agree("MIT", "Apache-2.0 OR MIT"), agree("GPL-3.0", "GPL-3.0-or-later"), agree("MIT", "ISC")
    (True, True, False)
    """
    first, second = identifiers(one), identifiers(other)
    return first <= second or second <= first


@cache
def blue_oak() -> Mapping[str, str]:
    """SPDX identifier -> rating on the Blue Oak Council's list, version 15 (``permissive.csv`` names its source).

    >>> blue_oak()["MIT"], "GPL-3.0-only" in blue_oak()
    ('Silver', False)
    """
    with _PERMISSIVE.open(encoding="utf-8", newline="") as source:
        rows = csv.DictReader(line for line in source if not line.startswith("#"))
        return {row["id"]: row["rating"] for row in rows}


@lru_cache(4096)
def is_permissive(expression: str, permissive: frozenset[str]) -> bool | None:
    """Whether an expression allows use under permissive terms alone: one side of OR, every side of AND.

    None when it hangs on a licence that has no SPDX identifier (``LicenseRef-…``). An exception after WITH only adds
    permissions, so the licence before it decides.

    >>> allowed = frozenset({"MIT", "Apache-2.0"})
    >>> is_permissive("GPL-3.0 OR MIT", allowed), is_permissive("GPL-3.0 AND MIT", allowed)
    (True, False)
    >>> is_permissive("LicenseRef-x AND MIT", allowed)
    """
    parsed = _licensing().parse(expression, validate=False, simple=False)
    return _allowed(parsed, permissive)


def _allowed(node: Any, permissive: frozenset[str]) -> bool | None:
    if isinstance(node, LicenseWithExceptionSymbol):
        node = node.license_symbol
    if not getattr(node, "args", ()):
        name = str(node.key)
        return True if name in permissive else None if _OWN.fullmatch(name) else False
    sides = [_allowed(side, permissive) for side in node.args]
    decisive = node.operator.strip() == "OR"
    if decisive in sides:
        return decisive
    return None if None in sides else not decisive
