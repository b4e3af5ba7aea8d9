"""Python: whether the interpreter's own parser accepts a text. Runs in the parser process.

The answer depends on the interpreter (3.12 accepts f-strings that 3.11 does not), which is why its version is part of
`syntax.syntax_identity`. A text is valid when CPython's parser accepts it, as `ast.parse` would say. Building the
Python objects of the tree is half of what `ast.parse` costs, so the symbol table is built instead, in C; only
when that refuses does `ast.parse` decide, for the table also refuses what is no matter of syntax (``return`` outside
a function passes, ``nonlocal`` at the top does not).
"""

from __future__ import annotations

import ast
import symtable
import warnings

RECURSION = 1000
_REFUSED = (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError)


def is_valid(text: str) -> bool:
    """Whether the text is Python, whole; a leading byte order mark is not part of it.

    NUL characters, nesting beyond the parser's own limits and a failed decode of escapes make it invalid.

    >>> is_valid("x = 1"), is_valid("print 1"), is_valid("a\\0b"), is_valid("nonlocal x")
    (True, False, False, True)
    """
    source = text.removeprefix("\ufeff")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _accepts(source) or _parses(source)


def _accepts(source: str) -> bool:
    try:
        symtable.symtable(source, "<file>", "exec")
    except _REFUSED:
        return False
    return True


def _parses(source: str) -> bool:
    try:
        ast.parse(source)
    except _REFUSED:
        return False
    return True
