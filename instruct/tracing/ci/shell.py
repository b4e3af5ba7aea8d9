"""A line of shell from a CI file: a test command of Python, an installation, or neither.

Nothing of it ever reaches a shell. A test command is turned into arguments for the interpreter (``-m pytest tests``),
of which only those are kept that name tests or say how they are collected.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

__all__ = ["Line", "at_root", "read_line"]

CHARS = 2_000
_ENVIRONMENT = re.compile(r"[A-Za-z_]\w*=")
_PYTHON = re.compile(r"(?:.*[/\\])?(?:python|pypy)[\d.]*(?:\.exe)?|\{env_?python\}|\{envpython\}|py")
_PIP = re.compile(r"pip[\d.]*")
_SUBSTITUTION = re.compile(r"\$\{\{.*?\}\}")
_POSARGS = re.compile(r"\{posargs(?::((?:[^{}]|\{[^{}]*\})*))?\}")
_BESIDE = re.compile(
    r"""('[^']*'|"(?:\\.|[^"\\])*")|(?<![^\s;&|()])(?:\#.*|[\d&]?>{1,2}\s*(?:&\d|[^\s;&|<>]+))"""
)
"""What is quoted, and else a comment, or where a command's output goes."""
_HERE = re.compile(r"\{(?:toxinidir|tox_root|env_site_packages_dir|envsitepackagesdir)\}/?")
_PREFIXES = ("poetry run", "pipenv run", "uv run", "pdm run", "hatch run", "rye run", "xvfb-run", "time", "env", "sudo",
             "command", "exec", "-")  # fmt: skip
_WITH_VALUE = frozenset({"-k", "-m", "-c", "-o", "-p", "-n", "-W", "-s", "--ignore", "--deselect", "--import-mode",
                         "--python", "--with", "-t", "--top-level-directory", "--start-directory", "--pattern",
                         "--cov-report", "--cov", "--cov-config", "--junitxml", "--timeout", "--source", "--rcfile",
                         "--extra", "--group", "--include", "--omit", "--durations", "--maxfail", "--tb", "-r",
                         "--cov-fail-under", "--color", "--capture", "--junit-xml", "--basetemp", "--rootdir",
                         "--log-level", "--log-cli-level", "--dist", "--numprocesses", "--reruns", "--concurrency",
                         "--context", "--data-file", "--directory", "--project"})  # fmt: skip
_PIP_WITH_VALUE = frozenset({"-e", "--editable", "-t", "--target", "--prefix", "-i",
                             "--python", "--upgrade-strategy", "--progress-bar", "--cache-dir", "-f",
                             "--only-binary", "--no-binary", "--platform", "--root", "--trusted-host", "--group",
                             "--src", "--log", "--timeout", "--retries", "--proxy", "--python-version"})  # fmt: skip
_PLACES = ("-url", "-links")
"""Ends of pip's options that say where packages are: their values are no requirements."""
_REQUIREMENTS = re.compile(r"-r|--requirement(?:=|$)")
_NEED = re.compile(r"[A-Za-z0-9][\w.\-]*\s*(?:\[|[<>=!~;]|$)")
_PYTEST = (
    "-k",
    "-m",
    "--ignore",
    "--deselect",
    "--import-mode",
    "--doctest-modules",
    "--pyargs",
    "--doctest-glob",
)
_UNITTEST = ("-s", "-p", "-t", "-k", "--start-directory", "--pattern", "--top-level-directory")
_TELLING = frozenset({"--version", "-V", "--help", "-h", "--collect-only", "--co"})
"""Options with which a test runner runs nothing."""
_RUNNERS = {"pytest": "pytest", "py.test": "pytest", "nosetests": "pytest", "nose2": "pytest", "unittest": "unittest",
            "nose": "pytest", "unittest2": "unittest", "trial": ""}  # fmt: skip
_OTHERS = {
    "make": "a Makefile is not followed", "nox": "nox runs the project's own noxfile", "bash": "a script of shell",
    "sh": "a script of shell", "tox-gh": "no test command",
}  # fmt: skip


@dataclass(frozen=True)
class Line:
    """What one command means.

    ``argv``: arguments for the interpreter that run tests; ``tox``: it hands over to tox; ``needs``: requirements that
    it installs; ``files``: files of requirements; ``why`` it is none of these; ``left_out``: options not taken over.
    """

    argv: tuple[str, ...] = ()
    tox: bool = False
    needs: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    why: str = ""
    left_out: tuple[str, ...] = ()


def read_line(text: str) -> list[Line]:
    """The commands of a line (``a && b``), each read by itself. Never raises.

    >>> read_line("pip install -r dev.txt six && coverage run -m pytest -n auto {posargs:tests}")[1].argv
    ('-m', 'pytest', 'tests')
    """
    if len(text) > CHARS:
        return [Line(why="a very long line")]
    text = _POSARGS.sub(lambda match: match[1] or "", _SUBSTITUTION.sub("", text))
    text = _BESIDE.sub(lambda match: match[1] or "", at_root(text))
    try:
        lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
        lexer.whitespace_split, lexer.commenters = True, ""
        words = list(lexer)
    except ValueError:
        return [Line(why="quotes that do not close")]
    found: list[list[str]] = [[]]
    for word in words:
        if not set(word) <= set("();<>|&"):
            found[-1].append(word)
        elif word:
            found.append([])
    return [_read(one) for one in found if one]


def _read(words: list[str]) -> Line:
    words = _unwrapped(words)
    if not words:
        return Line(why="no command")
    first, rest = words[0].rpartition("/")[2], words[1:]
    if words[:2] in (["uv", "pip"], ["hatch", "test"]):
        first, rest = ("pip" if first == "uv" else "pytest"), rest[1:]
    if first in ("tox", "uvx") and ("tox" in words):
        return Line(tox=True)
    if first in _RUNNERS:
        return _tests(_RUNNERS[first], rest)
    if _PIP.fullmatch(first):
        return _installs(rest)
    if _PYTHON.fullmatch(words[0]):
        return _python(rest)
    return Line(why=_OTHERS.get(first, "no test command"))


def _unwrapped(words: list[str]) -> list[str]:
    """A command without variables, runners and coverage before it."""
    while words:
        before = len(words)
        while words and _ENVIRONMENT.match(words[0]):
            words = words[1:]
        for prefix in _PREFIXES:
            parts = prefix.split()
            if words[: len(parts)] == parts:
                words = _after_options(words[len(parts) :], keep="-m")
                words = ["python", *words] if words[:1] == ["-m"] else words
        if words and words[0].startswith("-") and len(words[0]) > 1:
            words = [words[0][1:], *words[1:]]
        if words[:2] == ["coverage", "run"]:
            words = ["python", *_after_options(words[2:], keep="-m", alone="-p")]
        if len(words) == before:
            break
    return words


def _after_options(words: list[str], *, keep: str, alone: str = "") -> list[str]:
    """The words from the option ``keep`` or the first that is none on; the option ``alone`` has no value here."""
    while words and words[0].startswith("-") and words[0] != keep:
        words = words[2:] if words[0] in _WITH_VALUE - {alone} else words[1:]
    return words


def _python(rest: list[str]) -> Line:
    """What comes behind ``python``."""
    while rest and rest[0].startswith("-") and rest[0] not in ("-m", "-c"):
        rest = rest[2:] if rest[0] in ("-W", "-X") else rest[1:]
    if rest[:1] == ["-m"] and len(rest) > 1:
        name, more = rest[1], rest[2:]
        if name == "coverage":
            return _read(["coverage", *more])
        if name in ("pip", "tox"):
            return _read([name, *more])
        return _tests(_RUNNERS[name], more) if name in _RUNNERS else Line(why="no test command")
    script = rest[0] if rest else ""
    if script.endswith("setup.py"):
        return Line(why="setup.py is not run")
    if script.endswith(".py") and "test" in script and _inside(script) and _known(script):
        return Line(argv=(script.removeprefix("./"),))
    return Line(why="no test command")


def _tests(runner: str, words: list[str]) -> Line:
    """Arguments of a test runner, without options that ask for plugins or write reports."""
    if not runner:
        return Line(why="a test runner that is not supported")
    if _TELLING.intersection(words):
        return Line(why="no test is run")
    allowed = _PYTEST if runner == "pytest" else _UNITTEST
    kept: list[str] = []
    left: list[str] = []
    while words:
        name, _, given = words[0].partition("=")
        valued = name in _WITH_VALUE and not (name == "-s" and runner == "pytest")
        size = 2 if valued and not given and len(words) > 1 else 1
        option = words[0].startswith("-")
        own = name in allowed or not option
        own = own and all(_known(word) and _inside(word) for word in (*words[:size], given))
        (kept if own else left).extend(words[:size])
        words = words[size:]
    if runner == "unittest" and not kept:
        kept = ["discover"]
    return Line(argv=("-m", runner, *(word.removeprefix("./") or "." for word in kept)), left_out=tuple(left))


def at_root(path: str) -> str:
    """A path as it is seen from the project's folder: without tox's names of that folder."""
    return _HERE.sub("./", path)


def _known(word: str) -> bool:
    """Whether a word means what it says, and can be handed to a program."""
    return word.isprintable() and "{" not in word and "$" not in word


def _inside(path: str) -> bool:
    return not path.startswith(("/", "~")) and ".." not in path.split("/")


def _installs(words: list[str]) -> Line:
    """Requirements of ``pip install``; the project itself (``.``, ``-e .``) is not one."""
    if words[:1] != ["install"]:
        return Line(why="no test command")
    needs: list[str] = []
    files: list[str] = []
    rest = iter(words[1:])
    for word in rest:
        glued = _REQUIREMENTS.match(word)
        if glued or word in ("-c", "--constraint"):
            target = (glued and word[glued.end() :]) or next(rest, "")
            if glued and _inside(target):
                files.append(target)
        elif word in _PIP_WITH_VALUE or (word.startswith("--") and word.endswith(_PLACES)):
            next(rest, "")
        elif _NEED.match(word):
            needs.append(word)
    return Line(needs=tuple(needs), files=tuple(files))
