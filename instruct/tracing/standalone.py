"""From a function in a module to a program of its own that holds just what the function needs.

The function's source, and from its module whatever statement binds a name that it reads, transitively: imports of the
standard library, constants, functions, classes. Names imported from the project's own modules are followed there.
Nothing is run; what does not work is found out by the replay. What cannot be taken out has a reason (`REASONS`).
"""

from __future__ import annotations

import ast
import builtins
import sys
import warnings
from dataclasses import dataclass

from instruct.tracing.modules import Module, Modules, Statement, first_line

__all__ = ["REASONS", "Standalone", "standalone"]

REASONS = {
    "source": "its file cannot be read or parsed, or holds no function of this name at its top level",
    "redefined": "its name is bound again in its module",
    "imports_beyond_stdlib": "it needs a package that is not in the standard library",
    "imports_project": "it needs a module of its project as a whole, or one imported inside a block",
    "name_conflict": "two modules that it needs bind the same name",
    "unresolved": "a name that it reads is bound by no statement that can be taken along",
    "star_import": "a name that it reads can only come from an import of *",
    "global_state": "it, or what it needs, assigns to names of its module",
    "module_state": "it reads where its module lies",
    "empty": "it has no body",
    "too_long": "the program is longer than the recipe allows",
}
_BUILTINS = frozenset(dir(builtins))
_HERE = frozenset({"__file__", "__spec__", "__package__", "__path__", "__loader__"})
_NAME = "__name__"


@dataclass(frozen=True)
class Standalone:
    """A function as a program in HumanEval's layout: ``prompt + body``; or the ``reason`` why there is none.

    ``prompt``: imports and helpers, signature, docstring. ``node``: the function, for its parameters.
    """

    entry_point: str
    prompt: str = ""
    body: str = ""
    docstring: str = ""
    reason: str = ""
    node: ast.FunctionDef | None = None

    @property
    def code(self) -> str:
        """The whole program."""
        return self.prompt + self.body


class _Lost(Exception):
    """Why a function cannot stand alone."""


def standalone(modules: Modules, path: str, name: str, *, chars: int = 8_000) -> Standalone:
    """Take one top-level function out of its project.

    ``path`` is the file's, relative to the tree; ``chars`` the longest program. Never raises for content.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _taken(modules, modules.module(path), name, chars)
    except _Lost as lost:
        return Standalone(name, reason=str(lost))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Standalone(name, reason="source")


def _taken(modules: Modules, module: Module, name: str, chars: int) -> Standalone:
    found = module.binding(name)
    if module.problem or not found or not isinstance(found[0].node, ast.FunctionDef):
        raise _Lost("source")
    if len(found) > 1:
        raise _Lost("redefined")
    closure = _Closure(modules)
    closure.follow(module, found[0])
    prompt, body, docstring = _split(module, found[0])
    header = closure.header(found[0], module.path)
    made = Standalone(name, f"{header}\n\n{prompt}" if header else prompt, body, docstring, "", found[0].node)
    if len(made.code) > chars:
        raise _Lost("too_long")
    compile(made.code, "<problem>", "exec", dont_inherit=True)
    return made


class _Closure:
    """The statements that a function needs, module by module."""

    def __init__(self, modules: Modules) -> None:
        self.modules = modules
        self.taken: dict[str, dict[int, Statement]] = {}
        self.uses: dict[str, dict[str, None]] = {}
        self.bound: dict[str, tuple[str, str]] = {}
        self.asked: dict[tuple[str, str], bool] = {}
        self.future = False

    def follow(self, module: Module, statement: Statement) -> None:
        """Take a statement and all that it needs."""
        waiting = [(module, statement)]
        while waiting:
            where, one = waiting.pop()
            if not self._take(where, one):
                continue
            for name in sorted(one.needs(future=where.future)):
                waiting += self._bindings(where, name)

    def _take(self, module: Module, statement: Statement) -> bool:
        """Add a statement; False when it is there already."""
        held = self.taken.setdefault(module.path, {})
        place = module.places[statement]
        if place in held:
            return False
        _check(statement)
        self.future = self.future or module.future
        for name in statement.binds:
            imported = isinstance(statement.node, ast.Import | ast.ImportFrom)
            source = ("", statement.text) if imported else (module.path, "")
            if self.bound.setdefault(name, source) != source:
                raise _Lost("name_conflict")
        held[place] = statement
        return True

    def _bindings(self, module: Module, name: str) -> list[tuple[Module, Statement]]:
        """The statements that bind a name that is read in a module; none where they were asked for before."""
        if name in _HERE:
            raise _Lost("module_state")
        place = (module.path, name)
        if place in self.asked:
            if not self.asked[place]:
                raise _Lost("unresolved")
            return []
        self.asked[place] = False
        bindings = module.binding(name)
        if not bindings and name not in _BUILTINS and name != _NAME:
            raise _Lost("star_import" if module.star else "unresolved")
        found: list[tuple[Module, Statement]] = []
        for one in bindings:
            found += self._imported(module, one, name) if _is_import(one) else [(module, one)]
        self.asked[place] = True
        return found

    def _imported(self, module: Module, statement: Statement, name: str) -> list[tuple[Module, Statement]]:
        """An import itself, or what it means where it names this project."""
        node = statement.node
        if isinstance(node, ast.ImportFrom) and (node.level or not _standard(node.module or "")):
            path = self.modules.named(module.path, node)
            if path is None:
                raise _Lost("imports_project" if node.level else "imports_beyond_stdlib")
            there, wanted = self.modules.module(path), node.names[0]
            if wanted.asname not in (None, wanted.name) or not there.binding(wanted.name):
                raise _Lost("imports_project")
            self.uses.setdefault(module.path, {}).setdefault(path)
            return self._bindings(there, wanted.name)
        if isinstance(node, ast.Import) and not _standard(node.names[0].name):
            own = self.modules.named(module.path, ast.ImportFrom(node.names[0].name, [], 0))
            raise _Lost("imports_project" if own else "imports_beyond_stdlib")
        return [(module, statement)]

    def _needed_first(self, start: str) -> list[str]:
        """The modules from which something is taken, each after those that it uses."""
        done: list[str] = []
        waiting, met = [start], set[str]()
        while waiting:
            path = waiting[-1]
            fresh = [one for one in self.uses.get(path, ()) if one not in met]
            met.add(path)
            if fresh:
                waiting.append(fresh[0])
            else:
                done.append(waiting.pop())
        return done

    def header(self, target: Statement, start: str) -> str:
        """What goes before the function: imports first, then each module's statements, needed modules before."""
        imports: dict[str, None] = {}
        rest: list[str] = []
        for path in self._needed_first(start):
            for one in (found for _, found in sorted(self.taken.get(path, {}).items())):
                if _is_import(one):
                    imports.setdefault(one.text)
                elif one is not target:
                    rest.append(one.text)
        first = ["from __future__ import annotations"] if self.future else []
        return "\n\n".join(["\n".join([*first, *imports]), *rest] if first or imports else rest)


def _is_import(statement: Statement) -> bool:
    return isinstance(statement.node, ast.Import | ast.ImportFrom)


def _standard(name: str) -> bool:
    return name.partition(".")[0] in sys.stdlib_module_names


def _check(statement: Statement) -> None:
    """Lose what hides an import in a block, or assigns to its module's names."""
    if _is_import(statement):
        return
    for node in ast.walk(statement.node):
        if isinstance(node, ast.Global):
            raise _Lost("global_state")
        names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            if node.level:
                raise _Lost("imports_project")
            names = [node.module or ""]
        if not all(_standard(name) for name in names):
            raise _Lost("imports_beyond_stdlib")


def _split(module: Module, statement: Statement) -> tuple[str, str, str]:
    """The function in two: signature with docstring, and body; and the docstring's text."""
    node = statement.node
    assert isinstance(node, ast.FunctionDef)
    lines, start = module.lines, first_line(node)
    documented = ast.get_docstring(node, clean=True) is not None
    body = node.body[1:] if documented else node.body
    if not body:
        raise _Lost("empty")
    last = (node.body[0].end_lineno or 0) if documented else first_line(body[0]) - 1
    if first_line(body[0]) <= max(last, node.lineno) or statement.text != module.text(node):
        text = ast.unparse(node)
        again = ast.parse(text).body[0]
        assert isinstance(again, ast.FunctionDef)
        lines, start, node = text.split("\n"), 1, again
        body = again.body[1:] if documented else again.body
        last = (again.body[0].end_lineno or 0) if documented else first_line(body[0]) - 1
    head = "\n".join(lines[start - 1 : last])
    tail = "\n".join(lines[last : node.end_lineno])
    return f"{head}\n", f"{tail}\n", ast.get_docstring(node, clean=True) or ""
