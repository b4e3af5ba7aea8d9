"""Git repositories: every blob of one commit, read from the object store without a checkout."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow as pa

from columns.errors import InputError
from sources.config import IngestConfig
from sources.files import Origin, file_batches, path_text
from sources.git.blobs import Blob, read_blobs
from sources.git.program import PROTOCOLS, refuse_option, run_git, start_git
from sources.selection import selected_language
from sources.unit import Listing, Skipped, Unit, chunks, stamp

MAX_ENTRIES = 5_000_000
MAX_PATH_BYTES = 4096

_PORT = re.compile(r"^[^:]*(:\d*)?$|^\[[\w:.%]*\](:\d*)?$", re.ASCII)
_SHA = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_SKIPPED_MODES = {b"120000": "symlink", b"160000": "submodule"}
_BLOCK = 1 << 20
_MAX_RECORD = 1 << 22


@dataclass(frozen=True)
class GitUnit(Unit):
    """Some blobs of one commit, in path order; ``location`` is the repository's folder."""

    commit: str
    blobs: tuple[Blob, ...]

    def read(self, config: IngestConfig, batch_bytes: int, skipped: Skipped) -> Iterator[pa.RecordBatch]:
        """Read the blobs; one that is missing or damaged keeps its row with the problem."""
        origin = Origin("git", self.name, self.commit, f"git {self.commit}")
        files = read_blobs(self.location, self.blobs, config.max_bytes)
        return file_batches(files, origin, config, batch_bytes)


@dataclass(frozen=True)
class GitSource:
    """A repository by path or URL, at ``ref`` (its HEAD when None)."""

    where: str
    ref: str | None = None

    def __post_init__(self) -> None:
        refuse_login(self.where)

    @property
    def spec(self) -> str:
        """The canonical text of this source."""
        return f"git:{self.where}" + (f"@{self.ref}" if self.ref else "")

    def units(self, config: IngestConfig, *, workdir: str | None = None) -> Listing:
        """List the blobs of the commit; a URL is first cloned (one commit, bare) below ``workdir``."""
        refuse_option("repository", self.where)
        if self.ref is not None:
            refuse_option("ref", self.ref)
        if not is_url(self.where):
            where = os.path.abspath(self.where)
            return self._pinned(_list(where, _folder_name(self.where), self.ref or "HEAD", config))
        if workdir is None:
            raise InputError(f"{self.where}: a repository by URL needs a folder to clone into")
        folder = _clone(self.where, self.ref, workdir)
        if folder is None:
            return Listing(skipped=Counter(empty_repository=1))
        found = _list(folder, _url_name(self.where), "refs/thresher/commit", config)
        return dataclasses.replace(self._pinned(found), temporary=(folder,))

    def _pinned(self, found: Listing) -> Listing:
        unit = next((unit for unit in found.units if isinstance(unit, GitUnit)), None)
        return found if unit is None else dataclasses.replace(found, pinned=f"git:{self.where}@{unit.commit}")


class TooManyEntries(InputError):
    """A commit with more entries than any reader should be asked to list."""


def is_url(where: str) -> bool:
    """Whether a repository is named by URL.

    >>> is_url("https://example.org/a/b.git"), is_url("/srv/b.git")
    (True, False)
    """
    return "://" in where


def refuse_login(where: str) -> None:
    """`InputError`, which does not repeat it, when a URL holds a password or a token.

    It would be in the manifest, in provenances and in the list of processes. ``ssh://git@host/…`` is a name only.

    >>> refuse_login("https://me:secret@example.org/a/b.git")
    Traceback (most recent call last):
    columns.errors.InputError: https://…@example.org/a/b.git: a URL with a login
    hint: use ssh keys (ssh://git@HOST/PATH), or clone it by hand and name the folder
    """
    scheme, separator, rest = where.partition("://")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    login, at, host = authority.rpartition("@")
    named = at and ":" not in login and scheme.rpartition("+")[2] == "ssh"
    if separator and not named and (at or not _PORT.search(authority)):
        raise InputError(
            f"{scheme}://…@{host + rest[len(authority) :] if at else '…'}: a URL with a login",
            hint="use ssh keys (ssh://git@HOST/PATH), or clone it by hand and name the folder",
        )


def is_bare(folder: str) -> bool:
    """Whether a folder is itself a git object store."""
    return all(Path(folder, name).exists() for name in ("HEAD", "objects", "refs"))


def _list(folder: str, name: str, ref: str, config: IngestConfig) -> Listing:
    if not os.path.isdir(folder):
        raise InputError(f"{folder}: no such directory", hint="git: takes a repository's folder or URL")
    _check_repository(folder)
    if not run_git(["for-each-ref", "--count=1"], folder=folder) and ref == "HEAD":
        return Listing(skipped=Counter(empty_repository=1))
    commit = _commit(folder, ref)
    skipped: Skipped = Counter()
    sized = sized_blobs(folder, commit, config, skipped, MAX_ENTRIES)
    units = tuple(GitUnit(name, folder, size, commit, tuple(blobs)) for blobs, size in chunks(sized))
    total = sum(size for _, size in sized)
    return Listing(units, skipped, len(sized), total, stamp=stamp([(name, commit)]))


def sized_blobs(
    folder: str, commit: str, config: IngestConfig, skipped: Skipped, max_entries: int
) -> list[tuple[Blob, int]]:
    """The wanted blobs of a commit in path order, each with the bytes that reading it costs.

    `InputError` when the commit cannot be listed or has more than ``max_entries`` entries of any kind.
    """
    found = sorted(_blobs(folder, commit, config, skipped, max_entries))
    return [(blob, blob.size if blob.size <= config.max_bytes else 0) for blob in found]


def _check_repository(folder: str) -> None:
    try:
        run_git(["rev-parse", "--git-dir"], folder=folder)
    except InputError as error:
        raise InputError(
            f"{folder}: {error.what}", hint="tree: reads a folder that is no repository"
        ) from None


def _commit(folder: str, ref: str) -> str:
    try:
        return run_git(
            ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}"], folder=folder
        ).strip()
    except InputError:
        branches = run_git(
            ["for-each-ref", "--format=%(refname:short)", "refs/heads", "refs/tags"], folder=folder
        )
        raise _no_ref(folder, ref, branches.split()) from None


def _no_ref(where: str, ref: str, known: list[str]) -> InputError:
    listed = ", ".join(known[:20]) + (f" and {len(known) - 20} more" if len(known) > 20 else "")
    return InputError(f"{where}: no commit {ref!r}", hint=f"branches and tags there: {listed or 'none'}")


def _blobs(
    folder: str, commit: str, config: IngestConfig, skipped: Skipped, max_entries: int
) -> Iterator[Blob]:
    for index, record in enumerate(_records(folder, commit)):
        if index >= max_entries:
            raise TooManyEntries(
                f"{folder}: more than {max_entries:,} entries in one commit",
                hint="a tree this large is most likely made to exhaust its readers",
            )
        head, _, path = record.partition(b"\t")
        mode, _, blob_id, size = head.split()
        reason = _SKIPPED_MODES.get(mode) or _refusal(path, config)
        if reason is None:
            yield Blob(path, blob_id.decode(), int(size) if size.isdigit() else 0)
        else:
            skipped[reason] += 1


def _refusal(path: bytes, config: IngestConfig) -> str | None:
    if len(path) > MAX_PATH_BYTES:
        return "path_too_long"
    return None if selected_language(path_text(path), config) else "other_language"


def _records(folder: str, commit: str) -> Iterator[bytes]:
    process = start_git(["ls-tree", "-r", "-l", "-z", "--full-tree", commit], folder=folder)
    try:
        yield from _split(process)
        if process.wait():
            raise InputError(
                f"{folder}: git cannot list commit {commit}",
                hint="git fsck says what is damaged; complete a partial clone first: git fetch --refetch --no-filter",
            )
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _split(process: subprocess.Popen[bytes]) -> Iterator[bytes]:
    assert process.stdout is not None
    rest = b""
    while block := process.stdout.read1(_BLOCK):  # type: ignore[attr-defined]
        *records, rest = (rest + block).split(b"\0")
        yield from records
        if len(rest) > _MAX_RECORD:
            raise TooManyEntries(
                f"a path of more than {_MAX_RECORD:,} bytes", hint="made to exhaust its readers"
            )


def _clone(url: str, ref: str | None, workdir: str) -> str | None:
    if urlsplit(url).scheme not in PROTOCOLS:
        raise InputError(f"{url}: protocol not allowed", hint=f"allowed: {', '.join(PROTOCOLS)}")
    wanted = _remote_ref(url, ref)
    if wanted is None:
        return None
    name = "git-" + hashlib.sha256(f"{url}\0{ref}".encode()).hexdigest()[:16]
    folder, unfinished = (os.path.abspath(os.path.join(workdir, n)) for n in (name, f".tmp-{name}"))
    for stale in (folder, unfinished):
        shutil.rmtree(stale, ignore_errors=True)
    try:
        _fetch(url, wanted, unfinished)
        os.rename(unfinished, folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def _fetch(url: str, wanted: str, folder: str) -> None:
    run_git(["init", "--quiet", "--bare", "--template=", "--", folder])
    target = f"+{wanted}:refs/thresher/commit"
    run_git(["fetch", "--quiet", "--depth=1", "--no-tags", "--", url, target], folder=folder, network=True)


def _remote_ref(url: str, ref: str | None) -> str | None:
    listed = run_git(["ls-remote", "--", url], network=True).splitlines()
    known = [line.split("\t", 1)[1] for line in listed if "\t" in line]
    if not known:
        return None
    if ref is None and "HEAD" in known:
        return "HEAD"
    if ref is not None and _SHA.fullmatch(ref):
        return ref
    for candidate in (f"refs/heads/{ref}", f"refs/tags/{ref}", ref):
        if candidate in known:
            return candidate
    heads = [name.split("/", 2)[2] for name in known if name.startswith(("refs/heads/", "refs/tags/"))]
    raise _no_ref(url, ref or "HEAD", [name for name in heads if not name.endswith("^{}")])


def _folder_name(where: str) -> str:
    path = Path(os.path.abspath(where))
    base = path.parent.name if path.name == ".git" else path.name
    return path_text(os.fsencode(base.removesuffix(".git"))) or "/"


def _url_name(url: str) -> str:
    parts = [part for part in urlsplit(url).path.split("/") if part]
    return "/".join(parts[-2:]).removesuffix(".git") or url
