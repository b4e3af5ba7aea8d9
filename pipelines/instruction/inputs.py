"""Inputs of an instruction dataset: files and folders by role, with a stamp of what is in them."""

from __future__ import annotations

import difflib
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from columns.errors import InputError
from instruct.tracing import checked_out

_SKIPPED = frozenset({".git", "__pycache__", ".tox", ".venv", ".mypy_cache", ".pytest_cache"})


@dataclass(frozen=True)
class Input:
    """One file or folder; ``stamp`` is a hash of names, content and the commit that is checked out.

    So it is the same wherever the files lie.
    """

    path: str
    stamp: str

    @property
    def name(self) -> str:
        """The last part of the path: what errors, records and the manifest call it."""
        return Path(self.path).name

    @classmethod
    def of(cls, path: str) -> Input:
        """An input that is there; `InputError` for one that is not."""
        place = Path(path).expanduser()
        if not place.exists():
            raise InputError(f"{path}: no such file or directory", hint="check the path after ROLE=")
        digest = hashlib.sha256()
        digest.update(f"{checked_out(place) or ''}:".encode())
        for name, file in _files(place):
            digest.update(f"{len(name)}:{name}".encode("utf-8", "surrogateescape"))
            digest.update(_digest(file))
        return cls(str(place), digest.hexdigest())


def _files(place: Path) -> Iterator[tuple[str, Path]]:
    """A file, or those below a folder in the order of their names; links in a folder are never followed."""
    if place.is_file():
        yield "", place.resolve()
        return
    for root, folders, names in os.walk(place):
        folders[:] = sorted(set(folders) - _SKIPPED)
        for name in sorted(names):
            file = Path(root, name)
            yield file.relative_to(place).as_posix(), file


def _digest(file: Path) -> bytes:
    try:
        if file.is_symlink():
            return hashlib.sha256(b"link:" + os.readlink(os.fsencode(file))).digest()
        if not file.is_file():
            return hashlib.sha256(b"device").digest()
        with file.open("rb") as source:
            return hashlib.file_digest(source, "sha256").digest()
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}", hint="check its permissions") from error


def read_inputs(texts: Iterable[str], roles: Mapping[str, str]) -> dict[str, tuple[Input, ...]]:
    """Inputs by role from ``ROLE=PATH`` texts, in the order of their names; a lone role's name may be left out.

    ``roles`` says what each is. `InputError` for an unknown role, or a path that is not there.
    """
    found: dict[str, list[Input]] = {}
    for text in texts:
        role, path = _split(text, roles)
        found.setdefault(role, []).append(Input.of(path))
    return {
        role: tuple(sorted(found[role], key=lambda one: (one.name, one.stamp)))
        for role in roles
        if role in found
    }


def _split(text: str, roles: Mapping[str, str]) -> tuple[str, str]:
    role, equals, path = text.partition("=")
    if equals and role in roles and path:
        return role, path
    if len(roles) == 1 and not (equals and not Path(text).exists()):
        return next(iter(roles)), text
    near = difflib.get_close_matches(role, roles, 1) if path else []
    known = "; ".join(f"{name}=… ({about})" for name, about in roles.items())
    raise InputError(
        f"--input {text}: expected ROLE=PATH, found {'the role ' + role if equals else 'no role'}",
        hint=f"did you mean {near[0]}={path}?" if near else f"this recipe reads: {known}",
    )
