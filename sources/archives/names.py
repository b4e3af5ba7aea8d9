"""Names: what the name of an archive and of its members says, and which names are not safe to take."""

from __future__ import annotations

import re
from typing import NamedTuple

from sources.files import path_text

TARS = (
    ".tar", ".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz", ".tzst", ".tar.zst", ".crate",
)  # fmt: skip
ZIPS = (".zip", ".whl")
SUFFIXES = (*TARS, *ZIPS)
_NESTED = (
    *SUFFIXES,
    ".gz",
    ".bz2",
    ".xz",
    ".zst",
    ".7z",
    ".rar",
    ".jar",
    ".war",
    ".egg",
    ".gem",
    ".nupkg",
    ".apk",
)

_DRIVE = re.compile(rb"[A-Za-z]:[\\/]")
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_BY_COMMIT = re.compile(
    r"(?P<repo>.+)-(?P<ref>[0-9a-f]{40}|[0-9a-f]{64}|(?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{7,39})"
)
_BY_VERSION = re.compile(r"(?P<repo>.+?)-(?P<ref>v?\d[\w.!+-]*|main|master|develop|trunk|HEAD)")
_WHEEL = re.compile(r"(?P<repo>[^-]+)-(?P<ref>[^-]+)(?:-[^-]+)?-[^-]+-[^-]+-[^-]+\.whl")
_HERITAGE = re.compile(r"swh[:_]1[:_](?P<kind>dir|rev|rel|snp)[:_](?P<hash>[0-9a-f]{40})")


class Identity(NamedTuple):
    """Where an archive's files are from: repository and ref, and the top folder that is no part of their paths."""

    repo: str
    ref: str | None
    top: str


def safe_path(raw: bytes) -> str | None:
    """A member's name as a path, or None when it is empty, absolute, climbs with ".." or holds NUL.

    Nothing is ever unpacked, so a name can do no harm here; but no path of a dataset should do any later.

    >>> safe_path(b"./a//b.py"), safe_path(b"a/../../b.py"), safe_path(b"C:\\\\b.py"), safe_path(b"caf\\xe9.py")
    ('a/b.py', None, None, 'caf\\\\xe9.py')
    """
    parts = raw.replace(b"\\", b"/").split(b"/")
    if not parts[0] or b".." in parts or b"\0" in raw or _DRIVE.match(raw):
        return None
    kept = [part for part in raw.split(b"/") if part not in (b"", b".")]
    return path_text(b"/".join(kept)) or None


def is_nested(path: str) -> bool:
    """Whether a member's name is that of an archive or a compressed file."""
    return path.lower().endswith(_NESTED)


def top_folder(path: str) -> str:
    """The first folder of a path, "" for a file at the top.

    >>> top_folder("a/b/c.py"), top_folder("c.py")
    ('a', '')
    """
    return path.split("/", 1)[0] if "/" in path else ""


def identify(archive: str, top: str, comment: bytes = b"") -> Identity:
    """Read repository and ref from the archive's name, the top folder of its members and its comment.

    Known are: GitHub ("OWNER-REPO-COMMIT/", "REPO-REF/"; ``git archive`` writes the commit as the comment), PyPI
    ("NAME-VERSION/"; wheels by their file name), npm ("package/", with "NAME-VERSION.tgz"), crates ("NAME-VERSION/")
    and Software Heritage ("swh:1:dir:HASH/"). An owner is told apart from its repository only where one "-" stands
    between them. Anything else: the archive's own name, no ref, and the top folder stays in the paths.

    >>> identify("x.tar.gz", "octo-hello-5ca1ab1e")
    Identity(repo='octo/hello', ref='5ca1ab1e', top='octo-hello-5ca1ab1e')
    >>> identify("left-pad-1.3.0.tgz", "package")
    Identity(repo='left-pad', ref='1.3.0', top='package')
    >>> identify("work.zip", "src")
    Identity(repo='work', ref=None, top='')
    """
    file = archive.rsplit("/", 1)[-1]
    commit = _comment_commit(comment)
    heritage = _HERITAGE.fullmatch(top)
    if heritage:
        return Identity(_stem(file), f"swh:1:{heritage['kind']}:{heritage['hash']}", top)
    wheel = _WHEEL.fullmatch(file)
    if wheel:
        return Identity(wheel["repo"], wheel["ref"], "")
    by_commit = _BY_COMMIT.fullmatch(top)
    if by_commit:
        return _owned(by_commit["repo"], by_commit["ref"], commit, top)
    versioned = _BY_VERSION.fullmatch(_stem(file) if top == "package" else top)
    if versioned:
        return Identity(versioned["repo"], commit or versioned["ref"], top)
    named = _HERITAGE.fullmatch(_stem(file))
    return Identity(_stem(file), commit or (f"swh:1:{named['kind']}:{named['hash']}" if named else None), "")


def _owned(name: str, ref: str, commit: str | None, top: str) -> Identity:
    """ "owner-repo" is cut where there is one way to; a commit that starts with the ref is the whole of it."""
    parts = name.split("-")
    repo = "/".join(parts) if len(parts) == 2 and all(parts) else name
    return Identity(repo, commit if commit and commit.startswith(ref) else ref, top)


def _comment_commit(comment: bytes) -> str | None:
    text = comment.decode("ascii", "replace").strip()
    return text if _COMMIT.fullmatch(text) else None


def _stem(file: str) -> str:
    suffix = next((s for s in sorted(SUFFIXES, key=len, reverse=True) if file.lower().endswith(s)), "")
    return file[: len(file) - len(suffix)] or file
