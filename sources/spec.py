"""Specs: the text that names a source, on a command line or in a recipe.

    tree:PATH              a directory of files
    git:PATH_OR_URL[@REF]  a repository at a branch, tag or commit (also git+https://…)
    parquet:PATH_OR_GLOB   tables; a folder means all Parquet files below it
    jsonl:PATH_OR_GLOB     JSON lines, plain or compressed
    archive:PATH_OR_GLOB   tar and zip archives; a folder means all archives below it
    github:LIST            repositories of a list, a query, an organisation or a search, or one: github:OWNER/NAME
    bigquery:TABLE         a table, the file of a query, or github_repos, the public dataset

Without a prefix the form is told by what is there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from functools import partial
from urllib.parse import urlsplit

from columns import urls
from columns.errors import InputError
from sources.access import Access
from sources.archives import ArchiveSource
from sources.archives.names import SUFFIXES as ARCHIVES
from sources.bigquery import bigquery_source
from sources.git.source import GitSource, is_bare, refuse_login
from sources.github import GithubSource
from sources.locations import missing
from sources.tables.jsonl import SUFFIXES as JSONL
from sources.tables.jsonl import JsonlSource
from sources.tables.parquet import SUFFIXES as PARQUET
from sources.tables.parquet import ParquetSource
from sources.trees.source import TreeSource
from sources.unit import Source

FORMS = (
    "tree:PATH",
    "git:PATH_OR_URL[@REF]",
    "parquet:PATH_OR_GLOB",
    "jsonl:PATH_OR_GLOB",
    "archive:PATH_OR_GLOB",
    "github:LIST",
    "bigquery:TABLE",
)

_PREFIX = re.compile(r"(?P<name>[A-Za-z][A-Za-z0-9+.-]*):(?P<rest>.*)", re.DOTALL)
_REPOSITORY = re.compile(r"\.git(@[^/]*)?$")
_SCP = re.compile(r"(?P<user>[\w.-]+@)?(?P<host>[\w.-]+):(?P<path>[^/].*\.git)")


def parse_spec(text: str, access: Access | None = None) -> Source:
    """Read a spec; `InputError` with a hint when it names nothing that can be read.

    ``access`` says how services are reached and what of them is wanted; None is the defaults.

    >>> parse_spec("git:https://example.org/a/b.git@main")
    GitSource(where='https://example.org/a/b.git', ref='main')
    >>> parse_spec("tre:src")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    columns.errors.InputError: tre:src: unknown kind of source 'tre'
    hint: use one of tree:PATH, git:PATH_OR_URL[@REF], ...
    """
    if not text or "\0" in text:
        raise InputError(f"{urls.without_login(text)!r}: not a source", hint=f"use one of {', '.join(FORMS)}")
    if not text.startswith(("git:", "git+")) and not _REPOSITORY.search(text):
        urls.refuse_login(text)
    match = _PREFIX.fullmatch(text)
    access = access or Access()
    if text.startswith(("git+", "git://")):
        return _git(text.removeprefix("git+"))
    if match and match["name"] in _CHOSEN:
        return _CHOSEN[match["name"]](match["rest"], access)
    if match and match["name"] in _READERS:
        return _READERS[match["name"]](match["rest"])
    return _detect(text, match["name"] if match else None, access)


def _tree(path: str) -> Source:
    path = os.path.expanduser(path)
    if not os.path.isdir(path):
        raise InputError(f"{path}: not a directory") if os.path.exists(path) else missing(path)
    return TreeSource(path)


def _git(text: str) -> Source:
    refuse_login(text)
    where, ref = _split_ref(text)
    scp = _SCP.fullmatch(where)
    if scp and not os.path.exists(where):
        where = f"ssh://{scp['user'] or ''}{scp['host']}/{scp['path']}"
    if where.startswith("file://"):
        where = urlsplit(where).path
    if "://" not in where:
        where = os.path.expanduser(where)
        if not os.path.exists(where) and not where.startswith("-"):
            raise missing(where)
    if ref == "":
        raise InputError(f"{text}: no ref after '@'", hint="git:PATH_OR_URL@REF, or leave '@' out for HEAD")
    return GitSource(where, ref)


def _parquet(pattern: str) -> Source:
    return ParquetSource(_existing(os.path.expanduser(pattern)))


def _jsonl(pattern: str) -> Source:
    return JsonlSource(_existing(os.path.expanduser(pattern)))


def _archive(pattern: str, access: Access) -> Source:
    return ArchiveSource(_existing(os.path.expanduser(pattern)), access.limits)


def _github(text: str, access: Access) -> Source:
    return GithubSource(
        text,
        access.choice,
        access.services.github,
        access.services.bigquery,
        access.limits,
        confirm=access.confirm,
        watch=access.watch,
    )


def _bigquery(text: str, access: Access) -> Source:
    return bigquery_source(text, access.services.bigquery, repos=access.repos, confirm=access.confirm)


_READERS: Mapping[str, Callable[[str], Source]] = {
    "tree": _tree,
    "git": _git,
    "parquet": _parquet,
    "jsonl": _jsonl,
}
_CHOSEN: Mapping[str, Callable[[str, Access], Source]] = {
    "archive": _archive,
    "github": _github,
    "bigquery": _bigquery,
}


def _existing(pattern: str) -> str:
    if "://" not in pattern and not any(sign in pattern for sign in "*?[") and not os.path.exists(pattern):
        raise missing(pattern)
    return pattern


def _split_ref(text: str) -> tuple[str, str | None]:
    """Cut "@REF" off; an "@" before the path of a URL is the user's name, not a ref."""
    if os.path.exists(text):
        return text, None
    scheme, separator, rest = text.rpartition("://")
    scp = _SCP.match(text) if not separator else None
    start = rest.find("/") + 1 if separator else scp.start("path") if scp else 0
    where, at, ref = rest[start:].rpartition("@")
    return (f"{scheme}{separator}{rest[:start]}{where}", ref) if at else (text, None)


def _detect(text: str, prefix: str | None, access: Access) -> Source:
    where = os.path.expanduser(text)
    if os.path.isdir(where):
        return _folder(where, access)
    lower = text.lower()
    if lower.endswith(PARQUET):
        return _parquet(text)
    if lower.endswith(JSONL):
        return _jsonl(text)
    if lower.endswith(ARCHIVES):
        return _archive(text, access)
    if _REPOSITORY.search(text):
        return _git(text)
    if os.path.exists(where):
        raise InputError(
            f"{text}: not a kind of file that can be read", hint=f"use one of {', '.join(FORMS)}"
        )
    if prefix is None or "://" in text:
        refuse_login(text)
        raise missing(text) if prefix is None else _unknown(text, prefix)
    raise _unknown(text, prefix)


def _unknown(text: str, prefix: str) -> InputError:
    return InputError(
        f"{text}: unknown kind of source {prefix!r}", hint=f"use one of {', '.join(FORMS)}, or a path"
    )


def _folder(path: str, access: Access) -> Source:
    if is_bare(path):
        return GitSource(path)
    with os.scandir(path) as entries:
        names = [entry.name.lower() for entry in entries if not entry.name.startswith(".")]
    readers: tuple[tuple[tuple[str, ...], Callable[[str], Source]], ...] = (
        (PARQUET, ParquetSource),
        (JSONL, JsonlSource),
        (ARCHIVES, partial(ArchiveSource, limits=access.limits)),
    )
    for suffixes, source in readers:
        if names and all(name.endswith(suffixes) for name in names):
            return source(path)
    return TreeSource(path)
