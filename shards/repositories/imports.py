"""Imports: what a file names as imported, read from its lines.

Lines are matched, not parsed: an import inside a string may be taken for one, which changes the order of files and
nothing else. At most `MOST` are read of a file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

MOST = 1000

_PYTHON = re.compile(
    r"^[ \t]*(?:from[ \t]+(\.*[\w.]*)[ \t]+import[ \t]*(?:\(([^)]{0,4000})|([^\n#(]*))|import[ \t]+([\w., \t]+))",
    re.M,
)
_SCRIPT = re.compile(
    r"""(?:\bfrom|\bimport|\brequire\(|\bimport\()[ \t]*["'](\.{1,2}/[^"'\n]*|\.{1,2})["']"""
)
_JAVA = re.compile(r"^[ \t]*import[ \t]+(?:static[ \t]+)?([\w.]+(?:\.\*)?)[ \t]*;", re.M)
_GO_ONE = re.compile(r'^import[ \t]+(?:[\w.]+[ \t]+)?"([^"\n]+)"', re.M)
_GO_MANY = re.compile(r"^import[ \t]*\(([^)]{0,40000})", re.M)
_GO_QUOTED = re.compile(r'"([^"\n]+)"')
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*["<]([^">\n]+)[">]', re.M)
_NAME = re.compile(r"\w+")


def imports_of(language: str | None, text: str) -> list[str]:
    """What a text imports, sorted: modules, classes, packages or paths, as its language writes them.

    Python's ``from .a import b`` gives both ``.a`` and ``.a.b``, since b may be a module. Languages that are not in
    `READ` import nothing.

    >>> imports_of("python", "from .a import b\\nimport os.path as p, c\\n")
    ['.a', '.a.b', 'c', 'os.path']
    >>> imports_of("c", '#include "x/y.h"\\n')
    ['x/y.h']
    """
    reader = READ.get(language or "")
    return sorted(set(islice(reader(text), MOST))) if reader else []


def _python(text: str) -> Iterator[str]:
    for found in _PYTHON.finditer(text):
        package, inside, names, modules = found.groups()
        if modules is not None:
            yield from (part.split()[0] for part in modules.split(",") if part.split())
            continue
        if not package:
            continue
        yield package
        dot = "" if package.endswith(".") else "."
        heads = (_NAME.match(part.strip()) for part in (inside or names or "").split(","))
        yield from (f"{package}{dot}{head[0]}" for head in heads if head)


def _script(text: str) -> Iterator[str]:
    return (found[1] for found in _SCRIPT.finditer(text))


def _java(text: str) -> Iterator[str]:
    return (found[1] for found in _JAVA.finditer(text))


def _go(text: str) -> Iterator[str]:
    yield from (found[1] for found in _GO_ONE.finditer(text))
    for block in _GO_MANY.finditer(text):
        yield from _GO_QUOTED.findall(block[1])


def _include(text: str) -> Iterator[str]:
    return (found[1] for found in _INCLUDE.finditer(text))


READ = {
    "python": _python, "javascript": _script, "typescript": _script, "java": _java, "go": _go, "c": _include,
    "c++": _include,
}  # fmt: skip
