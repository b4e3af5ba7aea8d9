"""The plan of a project's tests: which commands, from which file and line, what they need, what was passed over.

Sources in order: tox, GitHub Actions, Travis, Hatch's scripts, a configuration of pytest, and at last where test
files lie. The first that has a test command is taken. Source: Codex, arXiv 2107.03374, section 4.2 (projects with
travis or tox; their commands followed); the order is ours. Nothing of the project is run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from instruct.tracing.ci.found import NEEDS, RUNS, Found
from instruct.tracing.ci.project import (
    mentions_pytest,
    read_project,
    read_requirements,
    read_scripts,
    read_setup_cfg,
    toml_table,
)
from instruct.tracing.ci.shell import at_root, read_line
from instruct.tracing.ci.toxini import read_tox, read_tox_table
from instruct.tracing.ci.workflow import read_travis, read_workflow

__all__ = ["Command", "PassedOver", "Plan", "Requirement", "read_plan"]

FILE_BYTES = 128 << 10
COMMANDS, WORKFLOWS, FILES = 4, 20, 50
_FACTOR = re.compile(r"^[\w{},.!\-]+:\s+")
_NAME = re.compile(r"[A-Za-z0-9](?:[\w.\-]*[A-Za-z0-9])?")
_OURS = frozenset(
    {"pytest", "pip", "setuptools", "wheel", "coverage", "pytest-cov", "tox", "build", "uv", "virtualenv"}
)


@dataclass(frozen=True)
class Command:
    """One test command: arguments for the interpreter, and where it stands; ``left_out``: options not taken over."""

    argv: tuple[str, ...]
    file: str
    line: int
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Requirement:
    """A distribution that the tests may need, by its normal name and as it is written."""

    name: str
    text: str
    file: str
    line: int


@dataclass(frozen=True)
class PassedOver:
    """A command of a CI file that is not run, and why."""

    text: str
    file: str
    line: int
    why: str


@dataclass(frozen=True)
class Plan:
    """What is run. ``commands`` is empty where the project has no tests that are understood."""

    commands: tuple[Command, ...]
    requirements: tuple[Requirement, ...]
    passed_over: tuple[PassedOver, ...]

    def missing(self, installed: Iterable[str]) -> tuple[str, ...]:
        """Names of requirements that are not among the distributions ``installed``."""
        have = {_normal(name) for name in installed} | _OURS
        return tuple(sorted({one.name for one in self.requirements} - have))


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


class _Tree:
    """The files of a project, read with care: no links that lead out, none over `FILE_BYTES`."""

    def __init__(self, tree: Path) -> None:
        self.tree = tree.resolve()

    def text(self, name: str) -> str:
        """A file's text; empty where there is none that can be read."""
        try:
            place = (self.tree / name).resolve()
            if place.is_relative_to(self.tree) and place.is_file() and place.stat().st_size <= FILE_BYTES:
                return place.read_text(encoding="utf-8-sig", errors="replace").replace("\r\n", "\n")
        except (OSError, ValueError, RuntimeError):
            pass
        return ""

    def workflows(self) -> list[str]:
        folder = self.tree / ".github" / "workflows"
        try:
            names = sorted(one.name for one in folder.iterdir() if one.suffix in (".yml", ".yaml"))
        except OSError:
            return []
        return [f".github/workflows/{name}" for name in names[:WORKFLOWS]]


def read_plan(tree: Path) -> Plan:
    """Read a project's CI files. Untrusted files never raise; `Plan.passed_over` says what was not followed."""
    files = _Tree(tree)
    commands: list[Command] = []
    passed: list[PassedOver] = []
    needs: list[Found] = []
    for found in _sources(files):
        here: list[Command] = []
        for one in found:
            if one.kind == NEEDS:
                needs.append(one)
            else:
                _sort(one, files, here, passed, needs)
        for command in here:
            if command.argv in [known.argv for known in commands]:
                continue
            other = bool(commands) and commands[0].file != command.file
            if other or len(commands) >= COMMANDS:
                why = "another source has test commands" if other else "enough commands"
                passed.append(PassedOver(" ".join(command.argv), command.file, command.line, why))
            else:
                commands.append(command)
    if not commands:
        commands = _by_layout(files)
    return Plan(tuple(commands), tuple(_requirements(needs, files)), tuple(dict.fromkeys(passed)))


def _sources(files: _Tree) -> Iterator[list[Found]]:
    """What each source holds, the one that is preferred first."""
    project, setup = files.text("pyproject.toml"), files.text("setup.cfg")
    tool = toml_table(project).get("tool")
    tox = tool.get("tox") if isinstance(tool, dict) else None
    yield list(read_tox(files.text("tox.ini"), "tox.ini"))
    yield list(read_tox(setup, "setup.cfg"))
    yield list(read_tox_table(tox, project, "pyproject.toml"))
    for name in files.workflows():
        yield list(read_workflow(files.text(name), name))
    yield list(read_travis(files.text(".travis.yml"), ".travis.yml"))
    yield list(read_scripts(project, "pyproject.toml"))
    for name in ("pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg"):
        if line := mentions_pytest(files.text(name), name):
            yield [Found(RUNS, "pytest", name, line)]
    yield list(read_project(project, "pyproject.toml"))
    yield list(read_setup_cfg(setup, "setup.cfg"))


def _sort(
    one: Found, files: _Tree, here: list[Command], passed: list[PassedOver], needs: list[Found]
) -> None:
    """Put each command of a line where it belongs."""
    for line in read_line(one.text):
        needs += [Found(NEEDS, text, one.file, one.line) for text in line.needs]
        needs += [Found(NEEDS, f"-r {name}", one.file, one.line) for name in line.files]
        if line.argv:
            here.append(Command(line.argv, one.file, one.line, line.left_out))
        elif line.why or line.tox:
            why = line.why or "hands over to tox, which is read by itself"
            passed.append(PassedOver(one.text[:200], one.file, one.line, why))


def _by_layout(files: _Tree) -> list[Command]:
    """Without a word about tests: pytest, where files of tests lie."""
    for name in ("tests", "test"):
        if (files.tree / name).is_dir():
            return [Command(("-m", "pytest", name), name, 0)]
    found = sorted(path.relative_to(files.tree).as_posix() for path in files.tree.glob("*/tests"))
    found += sorted(path.name for path in files.tree.glob("test_*.py"))
    return [Command(("-m", "pytest", *found), found[0], 0)] if found else []


def _requirements(needs: list[Found], files: _Tree) -> Iterator[Requirement]:
    """Each distribution once, as it is first named; extras and groups of the project itself are read elsewhere."""
    met: set[str] = set()
    for one in _expanded(needs, files):
        found = _NAME.match(one.text)
        name = _normal(found[0]) if found and "://" not in one.text and "/" not in one.text else ""
        if name and name not in met:
            met.add(name)
            yield Requirement(name, one.text, one.file, one.line)


def _expanded(needs: list[Found], files: _Tree) -> Iterator[Found]:
    """Requirements without tox's factors, those of a file in its place; `FILES` files are read, each once."""
    read: set[str] = set()
    for one in needs:
        text = _FACTOR.sub("", one.text)
        place = at_root(text[2:].strip()) if text.startswith("-r") else ""
        if not place:
            yield replace(one, text=text)
        elif place not in read and len(read) < FILES:
            read.add(place)
            yield from read_requirements(files.text(place), place)
