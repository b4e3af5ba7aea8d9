"""A project's name and version as an installation would tell them, since many projects ask for their own version."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.parser import HeaderParser
from pathlib import Path

from instruct.tracing.ci.project import ini, toml_table

__all__ = ["distribution_files"]

_WORD = re.compile(r"[A-Za-z0-9][\w.+!\-]{0,99}")
_BYTES = 1 << 20


def distribution_files(tree: Path) -> dict[str, bytes]:
    """The metadata of a distribution that is not installed: ``NAME-VERSION.dist-info/METADATA``; empty without a name.

    Read from ``PKG-INFO``, ``pyproject.toml`` or ``setup.cfg``; an unknown version is 0. No setup.py is run.
    """
    for name, version in _told(tree.resolve()):
        if name and _WORD.fullmatch(name):
            number = version if version and _WORD.fullmatch(version) else "0"
            folder = f"{re.sub(r'[-_.]+', '_', name)}-{number}.dist-info"
            text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {number}\n"
            return {f"{folder}/METADATA": text.encode()}
    return {}


def _told(tree: Path) -> Iterator[tuple[str | None, str | None]]:
    headers = HeaderParser().parsestr(_text(tree, "PKG-INFO"))
    yield headers.get("Name"), headers.get("Version")
    project = toml_table(_text(tree, "pyproject.toml")).get("project")
    if isinstance(project, dict):
        name, version = project.get("name"), project.get("version")
        yield name if isinstance(name, str) else None, version if isinstance(version, str) else None
    parser = ini(_text(tree, "setup.cfg"))
    yield parser.get("metadata", "name", fallback=None), parser.get("metadata", "version", fallback=None)


def _text(tree: Path, name: str) -> str:
    place = tree / name
    try:
        if place.resolve().is_relative_to(tree) and place.is_file() and place.stat().st_size <= _BYTES:
            return place.read_text(encoding="utf-8-sig", errors="replace")
    except (OSError, RuntimeError):
        pass
    return ""
