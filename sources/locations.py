"""Locations: the files a path, folder or pattern names, on any fsspec filesystem."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import fsspec
import pyarrow as pa

from columns.errors import InputError
from columns.storage import StableFile, steady
from columns.urls import refuse_login, without_login
from sources.files import path_text
from sources.unit import Skipped

_MAGIC = ("*", "?", "[")


class Location(NamedTuple):
    """One file: its name below what the user named (with '/'), where to open it, its size in bytes, and what
    changes when its content does (modification time, or an object store's etag)."""

    name: str
    url: str
    size: int
    version: str


def locate(pattern: str, suffixes: Sequence[str], skipped: Skipped) -> list[Location]:
    """The regular files of a path, folder (all files below it with a suffix) or glob, sorted by name.

    Hidden and temporary files of a folder are not taken; what is not a regular file is counted in
    ``skipped``.
    """
    filesystem, path = _filesystem(pattern)
    kind = _type_of(filesystem, path)
    if kind == "file":
        return [_location(filesystem, path, filesystem.info(path), _parent(path))]
    if kind == "directory":
        found, root = steady(pattern, lambda: filesystem.find(path, detail=True)), path.rstrip("/")
        wanted = {name: facts for name, facts in found.items() if _is_wanted(name[len(root) :], suffixes)}
    else:
        wanted, root = _globbed(filesystem, path), _fixed_part(path)
    if not wanted:
        raise missing(pattern, f"no {' or '.join(suffixes)} file")
    return _regular(filesystem, wanted, root, skipped)


def open_location(url: str) -> Any:
    """Open for reading as a pyarrow file; not mapped, as a mapped file that shrinks kills its reader."""
    filesystem, path = _filesystem(url)
    if is_local(filesystem):
        return pa.OSFile(path)
    return pa.PythonFile(StableFile.opened(url, lambda: filesystem.open(path, "rb")), mode="r")


def missing(path: str, what: str = "no such file or directory") -> InputError:
    """The error for a path that is not there, with the names nearby that look alike."""
    path = without_login(path)
    folder, name = os.path.split(path.rstrip("/"))
    try:
        siblings = os.listdir(folder or ".")
    except OSError:
        return InputError(f"{path}: {what}", hint=f"there is no directory {folder!r} either")
    near = sorted(difflib.get_close_matches(name, siblings, n=3, cutoff=0.5))
    looks = f"did you mean {' or '.join(os.path.join(folder, n) for n in near)}?" if near else None
    return InputError(f"{path}: {what}", hint=looks or "a relative path starts at the current directory")


def is_local(filesystem: Any) -> bool:
    """Whether an fsspec filesystem is this machine's own."""
    return "file" in (
        filesystem.protocol if isinstance(filesystem.protocol, tuple) else (filesystem.protocol,)
    )


def _filesystem(url: str) -> tuple[Any, str]:
    refuse_login(url)
    try:
        filesystem, path = fsspec.core.url_to_fs(url)
    except (ValueError, ImportError) as error:
        raise InputError(
            f"{without_login(url)}: {error}", hint="install the fsspec package for this kind of URL"
        ) from None
    return filesystem, path


def _type_of(filesystem: Any, path: str) -> str:
    """What a path is: "file", "directory" or another type; "" where nothing is, which no failing store passes for."""
    if is_local(filesystem):
        return "file" if filesystem.isfile(path) else "directory" if filesystem.isdir(path) else ""
    try:
        return str(steady(path, lambda: filesystem.info(path))["type"])
    except FileNotFoundError:
        return ""


def _globbed(filesystem: Any, path: str) -> dict[str, Any]:
    if not any(sign in path for sign in _MAGIC):
        return {}
    found, fixed = steady(path, lambda: filesystem.glob(path, detail=True)), len(_fixed_part(path))
    return {name: facts for name, facts in found.items() if "/." in path or "/." not in name[fixed:]}


def _regular(filesystem: Any, found: dict[str, Any], root: str, skipped: Skipped) -> list[Location]:
    located = []
    for name, facts in found.items():
        if filesystem.isfile(name) if is_local(filesystem) else facts["type"] == "file":
            located.append(_location(filesystem, name, facts, root))
        elif facts["type"] != "directory":
            skipped["not_a_file"] += 1
    return sorted(located)


def _location(filesystem: Any, path: str, facts: dict[str, Any], root: str) -> Location:
    name = path[len(root) :].lstrip("/") if path.startswith(root) else path
    url = path if is_local(filesystem) else filesystem.unstrip_protocol(path)
    size = os.path.getsize(path) if is_local(filesystem) else int(facts.get("size") or 0)
    version = os.stat(path).st_mtime_ns if is_local(filesystem) else _version(facts)
    return Location(without_login(path_text(os.fsencode(name))), url, size, str(version))


def _version(facts: dict[str, Any]) -> Any:
    return next(
        (facts[key] for key in ("etag", "ETag", "md5Hash", "updated", "LastModified") if facts.get(key)), ""
    )


def _is_wanted(below: str, suffixes: Sequence[str]) -> bool:
    hidden = any(part.startswith((".", "_")) for part in below.split("/") if part)
    return below.lower().endswith(tuple(suffixes)) and not hidden


def _fixed_part(path: str) -> str:
    parts = path.split("/")
    first = next((i for i, part in enumerate(parts) if any(sign in part for sign in _MAGIC)), len(parts) - 1)
    return "/".join(parts[:first])


def _parent(path: str) -> str:
    return path.rsplit("/", 1)[0] if "/" in path else ""
