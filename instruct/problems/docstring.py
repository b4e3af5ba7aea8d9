"""Statements as docstrings."""

from __future__ import annotations

import textwrap

_ESCAPES = str.maketrans({"\\": "\\\\", "\0": "\\x00", "\r": "\\r", "\f": "\\x0c"})


def docstring(text: str, indent: str = "") -> str:
    """A text as a docstring with its line end; what would end or change it is escaped.

    The value of the literal is the text without space around it, each line indented.

    >>> print(docstring('Say "hi".', "    "), end="")
        \"\"\"
        Say "hi".
        \"\"\"
    """
    inner = text.strip().translate(_ESCAPES).replace('"""', '\\"\\"\\"')
    return textwrap.indent(f'"""\n{inner}\n"""\n', indent)
