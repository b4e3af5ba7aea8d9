"""Directory trees: every regular file of a selected language below a folder.

Symbolic links are never followed; ``.git`` and its like are not entered; sockets, pipes and devices
are not opened; what ``.gitignore`` files name is left out on request. All of it is counted.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from columns.errors import InputError
from sources.config import IngestConfig
from sources.files import File, Origin, file_batches, path_text
from sources.selection import selected_language
from sources.trees.ignored import FILE, MAX_BYTES, Rules, is_ignored, read_rules
from sources.unit import Listing, Raw, Skipped, Unit, chunks, stamp

METADATA_FOLDERS = frozenset((b".git", b".hg", b".svn"))

_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True)
class TreeUnit(Unit):
    """Some files of a tree: paths below ``location`` as bytes, sorted."""

    paths: tuple[Raw, ...]

    def read(self, config: IngestConfig, batch_bytes: int, skipped: Skipped) -> Iterator[pa.RecordBatch]:
        """Read the files; one that vanished or cannot be read keeps its row with the problem."""
        root = os.fsencode(self.location)
        files = (read_file(root, path, config.max_bytes) for path in self.paths)
        return file_batches(files, Origin("tree", self.name, None, f"{self.name}/"), config, batch_bytes)


@dataclass(frozen=True)
class TreeSource:
    """A directory tree; its documents' ``repo`` is the folder's name.

    With ``config.gitignore``, what its ``.gitignore`` files name is counted as "ignored" (`sources.trees.ignored`).
    """

    path: str

    @property
    def spec(self) -> str:
        """The canonical text of this source."""
        return f"tree:{self.path}"

    def units(self, config: IngestConfig, *, workdir: str | None = None) -> Listing:
        """List the files in byte order of their paths, about 16 MiB a unit."""
        root = os.path.abspath(self.path)
        if not os.path.isdir(root):
            raise InputError(f"{self.path}: not a directory", hint="tree: takes a directory")
        skipped: Skipped = Counter()
        found = sorted(_walk(os.fsencode(root), config, skipped, gitignore=config.gitignore))
        name = path_text(os.fsencode(os.path.basename(root))) or "/"
        sized = [(path, size if size <= config.max_bytes else 0) for path, size, _ in found]
        units = tuple(TreeUnit(name, root, size, tuple(paths)) for paths, size in chunks(sized))
        total = sum(size for _, size in sized)
        return Listing(units, skipped, len(found), total, stamp=stamp(((name,), *found)))


def read_file(root: bytes, path: bytes, max_bytes: int) -> File:
    """Read one file as long as it is when opened; whatever goes wrong is the row's problem."""
    name = path_text(path)
    try:
        descriptor = os.open(os.path.join(root, path), _OPEN)
        with open(descriptor, "rb") as file:
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode):
                return File(name, None, None, "unreadable: no longer a regular file")
            if facts.st_size > max_bytes:
                return File(name, facts.st_size, None, "too_large")
            raw = file.read(facts.st_size)
    except FileNotFoundError:
        return File(name, None, None, "missing")
    except OSError as error:
        return File(name, None, None, f"unreadable: {error.strerror}")
    return File(name, len(raw), raw)


def _walk(
    root: bytes, config: IngestConfig, skipped: Skipped, *, gitignore: bool
) -> Iterator[tuple[bytes, int, int]]:
    folders: list[tuple[bytes, tuple[Rules, ...]]] = [(b"", ())]
    seen: set[tuple[int, int]] = set()
    while folders:
        folder, rules = folders.pop()
        entries = _entries(os.path.join(root, folder), seen, skipped)
        if gitignore and any(entry.name == FILE for entry in entries):
            rules = (*rules, *_rules(root, folder, skipped))
        for entry in entries:
            path = folder + b"/" + entry.name if folder else entry.name
            kind = _kind(entry)
            if rules and is_ignored(path, rules, is_folder=kind == "folder"):
                skipped["ignored"] += 1
            elif kind == "folder":
                folders.append((path, rules))
            elif kind != "file":
                skipped[kind] += 1
            elif selected_language(path_text(path), config) is None:
                skipped["other_language"] += 1
            else:
                yield path, *_size_and_time(entry)


def _rules(root: bytes, folder: bytes, skipped: Skipped) -> list[Rules]:
    """The rules of a folder's own file; one that is a link or no file is not opened, as git does not."""
    file = read_file(root, os.path.join(folder, FILE), MAX_BYTES)
    if file.problem == "too_large":
        skipped["large_gitignore"] += 1
    return [] if file.raw is None else [read_rules(folder, file.raw)]


def _entries(folder: bytes, seen: set[tuple[int, int]], skipped: Skipped) -> list[os.DirEntry[bytes]]:
    try:
        facts = os.stat(folder)
        if (facts.st_dev, facts.st_ino) in seen:
            skipped["folder_loop"] += 1
            return []
        seen.add((facts.st_dev, facts.st_ino))
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        skipped["unreadable_folder"] += 1
        return []


def _kind(entry: os.DirEntry[bytes]) -> str:
    if entry.name in METADATA_FOLDERS:
        return "version_control"
    if entry.is_symlink():
        return "symlink"
    if entry.is_dir(follow_symlinks=False):
        return "folder"
    return "file" if entry.is_file(follow_symlinks=False) else "not_a_file"


def _size_and_time(entry: os.DirEntry[bytes]) -> tuple[int, int]:
    try:
        facts = entry.stat(follow_symlinks=False)
    except OSError:
        return 0, 0
    return facts.st_size, facts.st_mtime_ns
