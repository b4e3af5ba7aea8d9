"""tox: the commands and requirements of its test environments."""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from instruct.tracing.ci.found import NEEDS, RUNS, Found, line_of
from instruct.tracing.ci.project import ini

__all__ = ["read_tox", "read_tox_table"]

ENVIRONMENTS, LINES, REFERENCES = 50, 200, 50
_FACTOR = re.compile(r"^[!\w{},.\-]+:\s+(?=\S)")
_TESTS = re.compile(r"testenv(?::(?:py.*|test.*|unit.*))?")
_REFERENCE = re.compile(r"\{\[([^\]{}]+)\]([\w-]+)\}")


def read_tox(text: str, file: str) -> Iterator[Found]:
    """What ``[testenv]`` and environments named ``py…``, ``test…`` or ``unit…`` run and need; nothing for no INI file.

    Of very many environments the first `ENVIRONMENTS` are read.

    >>> found = read_tox("[testenv]\\ndeps = six\\ncommands =\\n  py311: pytest", "tox.ini")
    >>> [(one.kind, one.text, one.line) for one in found]
    [('needs', 'six', 2), ('runs', 'pytest', 4)]
    """
    parser = ini(text)
    for section in islice(filter(_TESTS.fullmatch, parser.sections()), ENVIRONMENTS):
        start = line_of(text, f"[{section}]")
        for option, kind in (("deps", NEEDS), ("commands", RUNS)):
            for line in islice(_lines(parser, section, option), LINES):
                plain = _FACTOR.sub("", line)
                yield Found(kind, plain, file, _where(text, line, start))
        for extra in parser.get(section, "extras", fallback="").replace(",", " ").split():
            yield Found(NEEDS, f".[{extra}]", file, line_of(text, "extras", start))
        for group in parser.get(section, "dependency_groups", fallback="").replace(",", " ").split():
            yield Found(NEEDS, f":{group}", file, line_of(text, "dependency_groups", start))


def _lines(parser: configparser.RawConfigParser, section: str, option: str) -> Iterator[str]:
    """The lines of an option, `REFERENCES` references to other sections followed."""
    waiting, followed = _whole(parser, section, option), 0
    while waiting:
        line = waiting.pop()
        found = _REFERENCE.fullmatch(line)
        if found and followed < REFERENCES:
            waiting += _whole(parser, found[1], found[2])
            followed += 1
        elif line and not line.startswith("#"):
            yield line


def _whole(parser: configparser.RawConfigParser, section: str, option: str) -> list[str]:
    """The lines of an option, joined where they go on, the last one first."""
    value = parser.get(section, option, fallback="") or ""
    whole = value.replace("\\\n", " ").split("\n")
    return [re.sub(r"\s+", " ", one.strip()) for one in reversed(whole)]


def _where(text: str, line: str, start: int) -> int:
    """The line of a file that begins like a joined one; ``start`` where none does."""
    words = line.split(" ")
    beginnings = (" ".join(words[:size]) for size in range(min(len(words), 8), 0, -1))
    return next((at for one in beginnings if (at := line_of(text, one, start)) > start), start)


def read_tox_table(table: Any, text: str, file: str) -> Iterator[Found]:
    """``[tool.tox]`` of a pyproject.toml: its native tables, or an INI file within it."""
    if not isinstance(table, dict):
        return
    legacy = table.get("legacy_tox_ini")
    if isinstance(legacy, str):
        start = line_of(text, "legacy_tox_ini")
        start -= not text.split("\n")[start - 1].rstrip().endswith(('"""', "'''"))
        for one in read_tox(legacy, file):
            yield Found(one.kind, one.text, file, start + one.line)
    envs = table.get("env")
    tables = [table.get("env_run_base"), *(envs.values() if isinstance(envs, dict) else ())]
    for one in tables:
        if isinstance(one, dict):
            yield from _native(one, text, file)


def _native(table: dict[str, Any], text: str, file: str) -> Iterator[Found]:
    for need in _list(table.get("deps")):
        if isinstance(need, str):
            yield Found(NEEDS, need, file, line_of(text, need))
    for group in _list(table.get("dependency_groups")):
        yield Found(NEEDS, f":{group}", file, line_of(text, "dependency_groups"))
    for extra in _list(table.get("extras")):
        yield Found(NEEDS, f".[{extra}]", file, line_of(text, "extras"))
    for command in _list(table.get("commands")):
        words = [word for word in _list(command) if isinstance(word, str)]
        if words:
            quoted = " ".join(f"'{word}'" if " " in word and "'" not in word else word for word in words)
            yield Found(RUNS, quoted, file, line_of(text, words[0]))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
