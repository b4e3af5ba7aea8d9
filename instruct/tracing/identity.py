"""What a project is: name and version as an installation would tell them, and the commit that is checked out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.parser import HeaderParser
from pathlib import Path

from instruct.tracing.ci.project import ini, toml_table

__all__ = ["checked_out", "distribution_files", "revision"]

_WORD = re.compile(r"[A-Za-z0-9][\w.+!\-]{0,99}")
_BYTES = 1 << 20
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_REF = re.compile(r"ref: (refs/[\w./+@-]{1,200})")


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


def revision(tree: Path) -> str | None:
    """The commit that is checked out in a project's folder, else the version that the project tells; None for neither.

    >>> revision(Path("/nothing/like/this")) is None
    True
    """
    whole = tree.resolve()
    versions = (version for _, version in _told(whole) if version and _WORD.fullmatch(version))
    return checked_out(whole) or next(versions, None)


def checked_out(tree: Path) -> str | None:
    """The commit of the folder's own ``.git``, read from its files: no git is run. None where there is none."""
    whole = tree.resolve()
    head = _text(whole, ".git/HEAD").strip()
    found = _REF.fullmatch(head)
    if found:
        loose = _text(whole, f".git/{found[1]}").strip()
        head = loose or _packed(_text(whole, ".git/packed-refs"), found[1])
    return head if _COMMIT.fullmatch(head) else None


def _packed(text: str, name: str) -> str:
    lines = (line.split(" ") for line in text.splitlines())
    return next((words[0] for words in lines if words[1:] == [name]), "")


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
