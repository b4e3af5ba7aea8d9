"""Trees: tree-sitter's nodes of short Python and Bash code as plain data, from a process that may die.

Snippets are untrusted and grammars are C, so a process of its own parses (`instruct.pairs.treeworker`): when a text
kills it, or takes too long, that text has no tree and the next one gets a new process. A death counts only when it
happens again in a fresh process, so what a text gives depends on the text alone.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field

import orjson

from columns.errors import EnvironmentProblem
from instruct.pairs import treeworker
from instruct.pairs.treeworker import ERROR, GRAMMARS, HEAD, MISSING, NAMED, READY, SIZE

MOST_BYTES = 4096
SECONDS = 20.0

_TRIES = 2
_START_SECONDS = 120.0
_BOOT = "import runpy, sys; sys.path[:] = {path!r}; runpy.run_path({worker!r}, run_name='__main__')"


@dataclass(slots=True)
class Node:
    """One node: its type, its place in the text's UTF-8 bytes, and its children in order."""

    type: str
    start_byte: int
    end_byte: int
    is_named: bool = True
    is_error: bool = False
    is_missing: bool = False
    children: list[Node] = field(default_factory=list)


class _Died(Exception):
    """The process ended, or had to be ended, while a text was parsed."""


def tree_of(data: bytes, lang: str) -> Node | None:
    """The root of a text's tree; None for one over `MOST_BYTES`, and for one that kills the parser. Never raises.

    >>> tree_of(b"x = 1", "python").children[0].type
    'expression_statement'
    """
    if len(data) > MOST_BYTES:
        return None
    for _ in range(_TRIES):
        try:
            return _built(_process().ask(GRAMMARS.index(lang), data))
        except _Died:
            _LOCAL.process = None
    return None


def nodes(root: Node) -> Iterator[tuple[Node, str]]:
    """All nodes in the order of their starts, a parent before its children, each with the type of its parent.

    >>> [node.type for node, _ in nodes(tree_of(b"x", "python"))]
    ['module', 'expression_statement', 'identifier']
    """
    todo = [(root, "")]
    while todo:
        node, parent = todo.pop()
        yield node, parent
        todo += [(child, node.type) for child in reversed(node.children)]


def has_error(root: Node) -> bool:
    """Whether some of the text could not be parsed.

    >>> has_error(tree_of(b"f(", "python"))
    True
    """
    return any(node.is_error or node.is_missing for node, _ in nodes(root))


def _built(rows: list[list[int | str]]) -> Node:
    made: list[Node] = []
    for kind, parent, start, end, flags in rows:
        named, error, missing = (bool(int(flags) & one) for one in (NAMED, ERROR, MISSING))
        node = Node(str(kind), int(start), int(end), named, error, missing)
        if int(parent) >= 0:
            made[int(parent)].children.append(node)
        made.append(node)
    return made[0]


class _Parser:
    """One running process and its two pipes."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _BOOT.format(path=sys.path, worker=treeworker.__file__)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0,
        )  # fmt: skip
        self.close = weakref.finalize(self, _end, self._process)
        assert self._process.stdout is not None
        try:
            self._read(self._process.stdout.fileno(), len(READY), _START_SECONDS)
        except OSError:
            self.close()
            raise EnvironmentProblem(
                "the parser of snippets does not start", hint="is the installation whole? pip check"
            ) from None

    def ask(self, grammar: int, data: bytes) -> list[list[int | str]]:
        """The nodes of a text; `_Died` where there is no whole answer in time."""
        sink, source = self._process.stdin, self._process.stdout
        assert sink is not None
        assert source is not None
        try:
            sink.write(HEAD.pack(grammar, len(data)) + data)
            (size,) = SIZE.unpack(self._read(source.fileno(), SIZE.size, SECONDS))
            found: list[list[int | str]] = orjson.loads(self._read(source.fileno(), size, SECONDS))
        except (OSError, orjson.JSONDecodeError) as error:
            self.close()
            raise _Died from error
        return found

    def _read(self, descriptor: int, size: int, seconds: float) -> bytes:
        parts: list[bytes] = []
        while size:
            ready, _, _ = select.select([descriptor], [], [], seconds)
            part = os.read(descriptor, min(size, 1 << 20)) if ready else b""
            if not part:
                raise OSError("no answer")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


class _Local(threading.local):
    process: _Parser | None = None


_LOCAL = _Local()


def _process() -> _Parser:
    """This thread's process; after a fork a new one, since the old one's pipes are shared with the parent."""
    if _LOCAL.process is None:
        _LOCAL.process = _Parser()
    return _LOCAL.process


def _forget() -> None:
    if _LOCAL.process is not None:
        _LOCAL.process.close.detach()
        _LOCAL.process = None


os.register_at_fork(after_in_child=_forget)
