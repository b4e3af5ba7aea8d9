"""A project's modules as text: their top-level statements, what each binds and what each needs.

Nothing is imported or run. Links that lead out of the tree are not followed.
"""

from __future__ import annotations

import ast
import symtable
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

__all__ = ["Module", "Modules", "Statement", "first_line", "own_packages"]

SOURCE_BYTES = 1 << 20
NOT_OURS = frozenset({
    "tests", "test", "testing", "docs", "doc", "examples", "example", "benchmarks", "benchmark", "scripts", "tools",
    "build", "dist", "venv", "node_modules", "site-packages",
})  # fmt: skip
_SINGLE = frozenset(
    {"setup", "conftest", "noxfile", "tasks", "versioneer", "manage", "fabfile", "dodo", "ez_setup"}
)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp)
_FAULTS = (SyntaxError, ValueError, RecursionError, MemoryError)


@dataclass(frozen=True, eq=False)
class Statement:
    """One top-level statement (of an import: one name of it)."""

    node: ast.stmt = field(repr=False)
    text: str
    binds: frozenset[str]
    line: int

    def needs(self, *, future: bool) -> frozenset[str]:
        """Names that it reads from its module or the builtins, in its own code or in functions in it."""
        has_own_names = any(isinstance(one, _COMPREHENSIONS) for one in ast.walk(self.node))
        text = _lazy(self.text) if has_own_names else self.text
        source = f"from __future__ import annotations\n{text}" if future else text
        return frozenset(_globals(symtable.symtable(source, "<statement>", "exec")))


class _Lazy(ast.NodeTransformer):
    """Comprehensions as generators: these keep their variables to themselves in every version (PEP 709)."""

    def visit_ListComp(self, node: ast.ListComp | ast.SetComp) -> ast.AST:
        self.generic_visit(node)
        return ast.GeneratorExp(node.elt, node.generators)

    visit_SetComp = visit_ListComp

    def visit_DictComp(self, node: ast.DictComp) -> ast.AST:
        self.generic_visit(node)
        return ast.GeneratorExp(ast.Tuple([node.key, node.value], ast.Load()), node.generators)


def _lazy(text: str) -> str:
    return ast.unparse(ast.fix_missing_locations(_Lazy().visit(ast.parse(text))))


def _globals(table: symtable.SymbolTable) -> Iterator[str]:
    for symbol in table.get_symbols():
        if symbol.is_referenced() and (table.get_type() == "module" or symbol.is_global()):
            yield symbol.get_name()
    for child in table.get_children():
        yield from _globals(child)


class Module:
    """The source of one module; ``problem`` says why it cannot be used.

    >>> Module("a.py", "import os, sys\\nX = 1").binding("sys")[0].text
    'import sys'
    """

    def __init__(self, path: str, source: str) -> None:
        self.path = path
        self.source = source.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff")
        self.lines = self.source.split("\n")
        self.problem = ""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.tree = ast.parse(self.source)
        except _FAULTS:
            self.tree, self.problem = ast.Module([], []), "syntax"
        self.future = any(_is_future(node) and "annotations" in ast.unparse(node) for node in self.tree.body)

    @cached_property
    def statements(self) -> tuple[Statement, ...]:
        """Its top-level statements in order; imports name by name, ``__future__`` apart.

        A module that cannot be written down again, since it is nested too deep, has none, and a ``problem``.
        """
        try:
            return tuple(self._found())
        except _FAULTS:
            self.problem = "syntax"
            return ()

    def _found(self) -> Iterator[Statement]:
        lines = Counter(line for node in self.tree.body for line in {node.lineno, node.end_lineno})
        for node in self.tree.body:
            if _is_future(node):
                continue
            if isinstance(node, ast.Import | ast.ImportFrom):
                yield from _imports(node)
            else:
                alone = lines[node.lineno] == lines[node.end_lineno] == 1
                text = self.text(node) if alone else ast.unparse(node)
                yield Statement(node, text, frozenset(_bound(node)), node.lineno)

    def text(self, node: ast.stmt) -> str:
        """The lines of a statement, decorators and comments in it included."""
        return "\n".join(self.lines[first_line(node) - 1 : node.end_lineno])

    def binding(self, name: str) -> list[Statement]:
        """The statements that bind a name, in order."""
        return self._bindings.get(name, [])

    @cached_property
    def _bindings(self) -> dict[str, list[Statement]]:
        found: dict[str, list[Statement]] = {}
        for one in self.statements:
            for name in one.binds:
                found.setdefault(name, []).append(one)
        return found

    @cached_property
    def places(self) -> dict[Statement, int]:
        """Which one each statement is, from 0."""
        return {one: at for at, one in enumerate(self.statements)}

    @property
    def star(self) -> bool:
        """Whether names come in by ``import *``."""
        return bool(self.binding("*"))


def _is_future(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def first_line(node: ast.stmt) -> int:
    """The line where a statement begins, with its decorators."""
    return min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", ()))])


def _imports(node: ast.Import | ast.ImportFrom) -> Iterator[Statement]:
    for alias in node.names:
        one: ast.Import | ast.ImportFrom = (
            ast.Import([alias])
            if isinstance(node, ast.Import)
            else ast.ImportFrom(node.module, [alias], node.level)
        )
        name = alias.asname or (alias.name.partition(".")[0] if isinstance(node, ast.Import) else alias.name)
        yield Statement(one, ast.unparse(one), frozenset({name}), node.lineno)


def _bound(node: ast.stmt) -> Iterator[str]:
    """Names that a statement binds in its module's namespace."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
        return
    waiting: list[ast.AST] = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield one.name
            continue
        if isinstance(one, ast.Name) and not isinstance(one.ctx, ast.Load):
            yield one.id
        elif isinstance(one, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in one.names)
        if isinstance(one, ast.MatchAs | ast.MatchStar) and one.name:
            yield one.name
        elif isinstance(one, ast.MatchMapping) and one.rest:
            yield one.rest
        waiting += [one.iter, *one.ifs] if isinstance(one, ast.comprehension) else ast.iter_child_nodes(one)


class Modules:
    """The modules of a project's tree, read when they are asked for.

    ``bases`` are the folders from which the project's imports start (the root, ``src``).
    """

    def __init__(self, tree: Path, bases: tuple[str, ...] = ("", "src")) -> None:
        self.tree = tree.resolve()
        self.bases = bases
        self._read: dict[str, Module] = {}

    def module(self, path: str) -> Module:
        """The module of a file, relative to the tree; one with a ``problem`` where it cannot be read."""
        if path not in self._read:
            self._read[path] = self._opened(path)
        return self._read[path]

    def _opened(self, path: str) -> Module:
        try:
            place = (self.tree / path).resolve()
            inside = place.is_relative_to(self.tree) and _normal(path)
            if inside and place.is_file() and place.stat().st_size <= SOURCE_BYTES:
                return Module(path, place.read_bytes().decode())
        except (OSError, RuntimeError, *_FAULTS):
            pass
        found = Module(path, "")
        found.problem = "unreadable"
        return found

    def named(self, path: str, node: ast.ImportFrom) -> str | None:
        """The file of this project that ``from … import`` in the module ``path`` means; None for another package."""
        if node.level:
            at = PurePosixPath(path).parents
            if node.level > len(at):
                return None
            return self._file(at[node.level - 1] / (node.module or "").replace(".", "/"))
        found = (
            self._file(PurePosixPath(base) / (node.module or "").replace(".", "/")) for base in self.bases
        )
        return next((file for file in found if file), None)

    def _file(self, stem: PurePosixPath) -> str | None:
        for name in (f"{stem}.py", f"{stem}/__init__.py"):
            with suppress(OSError):
                if (self.tree / name).is_file():
                    return PurePosixPath(name).as_posix()
        return None


def _normal(path: str) -> bool:
    """Whether a path is written in the one way that a file's path has."""
    plain = PurePosixPath(path)
    return plain.as_posix() == path and not plain.is_absolute() and ".." not in plain.parts


def own_packages(tree: Path, bases: tuple[str, ...] = ("", "src")) -> tuple[str, ...]:
    """The project's top-level packages (``pkg/``) and single modules (``mod.py``), tests and tools left out; sorted."""
    found: set[str] = set()
    for base in bases:
        folder = tree / base
        for one in sorted(folder.iterdir()) if folder.is_dir() and not folder.is_symlink() else ():
            path = one.relative_to(tree).as_posix()
            if one.is_symlink():
                continue
            if one.is_dir() and one.name not in NOT_OURS and (one / "__init__.py").is_file():
                found.add(f"{path}/")
            elif one.suffix == ".py" and one.stem not in _SINGLE and not one.stem.startswith("test"):
                found.add(path)
    return tuple(sorted(found))
