"""pyproject.toml, setup.cfg and files of requirements: what a project says of its tests and its dependencies."""

from __future__ import annotations

import configparser
import tomllib
from collections.abc import Iterator
from typing import Any

from instruct.tracing.ci.found import NEEDS, RUNS, Found, line_of

__all__ = [
    "ini",
    "mentions_pytest",
    "read_project",
    "read_requirements",
    "read_scripts",
    "read_setup_cfg",
    "toml_table",
]

LINE_CHARS = 2_000
"""The parser of INI files needs time by the square of a line's length."""
_TEST_EXTRAS = ("test", "tests", "testing", "dev")


def toml_table(text: str) -> dict[str, Any]:
    """A TOML file as a table; an empty one where it cannot be read."""
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError):
        return {}


def ini(text: str) -> configparser.RawConfigParser:
    """An INI file; an empty one where it cannot be read. Lines of more than `LINE_CHARS` characters are left out.

    >>> ini("[a]\\nb = 1")["a"]["b"]
    '1'
    """
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string("\n".join(line for line in text.split("\n") if len(line) <= LINE_CHARS))
    except (configparser.Error, ValueError):
        return configparser.RawConfigParser()
    return parser


def _at(table: Any, *names: str) -> Any:
    for name in names:
        table = table.get(name) if isinstance(table, dict) else None
    return table


def _texts(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def read_project(text: str, file: str) -> Iterator[Found]:
    """Requirements of ``[project]``, of extras and dependency groups that are for tests.

    >>> text = '[project]\\ndependencies = ["six"]\\n[dependency-groups]\\ntest = ["attrs"]'
    >>> [one.text for one in read_project(text, "pyproject.toml")]
    ['six', 'attrs']
    """
    table = toml_table(text)
    found = _texts(_at(table, "project", "dependencies"))
    for name in _TEST_EXTRAS:
        found += _texts(_at(table, "project", "optional-dependencies", name))
        found += _texts(_at(table, "dependency-groups", name))
    for one in found:
        yield Found(NEEDS, one, file, line_of(text, one))


def read_scripts(text: str, file: str) -> Iterator[Found]:
    """Hatch's scripts whose name begins with ``test`` or ``cov``."""
    envs = _at(toml_table(text), "tool", "hatch", "envs")
    for env in envs.values() if isinstance(envs, dict) else ():
        scripts = _at(env, "scripts")
        for name, value in scripts.items() if isinstance(scripts, dict) else ():
            if str(name).startswith(("test", "cov")):
                for one in [value] if isinstance(value, str) else _texts(value):
                    yield Found(RUNS, one.replace("{args", "{posargs"), file, line_of(text, one[:40]))


def mentions_pytest(text: str, file: str) -> int:
    """The line where a file configures pytest; 0 where it does not."""
    if file.endswith(".toml"):
        found = _at(toml_table(text), "tool", "pytest")
        return line_of(text, "[tool.pytest") if found is not None else 0
    sections = ("[pytest]", "[tool:pytest]")
    return next((line_of(text, one) for one in sections if f"\n{one}" in f"\n{text}"), 0)


def read_setup_cfg(text: str, file: str) -> Iterator[Found]:
    """``install_requires``, ``tests_require`` and extras for tests: lines, or one line with semicolons between."""
    parser = ini(text)
    places = [("options", "install_requires"), ("options", "tests_require")]
    places += [("options.extras_require", name) for name in _TEST_EXTRAS]
    for section, option in places:
        value = parser.get(section, option, fallback="") or ""
        for one in value.split("\n" if "\n" in value else ";"):
            if one.strip():
                yield Found(NEEDS, one.strip(), file, line_of(text, one.strip()))


def read_requirements(text: str, file: str) -> Iterator[Found]:
    """The requirements of a file for ``pip install -r``; options are left out."""
    for at, line in enumerate(text.split("\n"), 1):
        one = line.partition(" #")[0].strip()
        if one and not one.startswith(("#", "-")) and "://" not in one:
            yield Found(NEEDS, one, file, at)
