"""Shelf: the folder of one repository, a bare object store that holds single commits.

It is written by hand: no template, no remote, no promisor, so no git program that reads it knows where anything
could be fetched from. Packs get their names when they are complete and checked (``git index-pack``).
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from columns.errors import InputError
from sources.git.program import feed_git
from sources.github.refusals import Passing, Refusal
from sources.stopping import Stop

MAX_PACKS = 8

_CONFIG = "[core]\n\trepositoryformatversion = {}\n\tbare = true\n[gc]\n\tauto = 0\n"
_SHA256 = "[extensions]\n\tobjectFormat = sha256\n"
_SHA256_DIGITS = 64
_REF = "refs/thresher/commit"
_INDEX = ("index-pack", "--stdin")


class ShelfLimits(NamedTuple):
    """What is too much of one repository: bytes of a pack, seconds and bytes of memory to index it."""

    pack_bytes: int
    seconds: int
    memory_bytes: int


class Shelf:
    """Where one repository's objects are below a store's folder."""

    def __init__(self, store: str, key: str, stop: Stop) -> None:
        self._stop = stop
        digest = hashlib.sha256(key.encode()).hexdigest()[:24]
        self.folder = os.path.join(store, "repositories", digest[:2], digest)

    def exists(self) -> bool:
        """Whether there is an object store, as it was left by a fetch that ended well."""
        return os.path.isfile(os.path.join(self.folder, _REF))

    def worn(self) -> bool:
        """Whether so many packs have piled up that fetching afresh is better."""
        names = os.listdir(os.path.join(self.folder, "objects", "pack"))
        return sum(name.endswith(".pack") for name in names) > MAX_PACKS

    def add(self, commit: str, blocks: Iterable[bytes], limits: ShelfLimits) -> int:
        """Add a commit's new objects; returns the pack's bytes."""
        self._sweep()
        taken = _index(self.folder, ["--fix-thin"], blocks, limits, self._stop)
        self._stop.check()
        _write(os.path.join(self.folder, _REF), commit)
        return taken

    def replace(self, commit: str, blocks: Iterable[bytes], limits: ShelfLimits) -> int:
        """Start afresh with a commit's objects; what was here stays until they are complete."""
        parent, name = os.path.split(self.folder)
        unfinished = os.path.join(parent, f".tmp-{name}")
        self._remove(unfinished)
        _initialise(unfinished, sha256=len(commit) == _SHA256_DIGITS)
        try:
            taken = _index(unfinished, [], blocks, limits, self._stop)
            self._stop.check()
            _write(os.path.join(unfinished, _REF), commit)
            self._remove(self.folder)
            os.rename(unfinished, self.folder)
        finally:
            self._remove(unfinished)
        return taken

    def remove(self) -> None:
        """Remove the repository; fine when it is not there."""
        self._remove(self.folder)

    def _remove(self, folder: str) -> None:
        shutil.rmtree(folder, ignore_errors=True)

    def _sweep(self) -> None:
        packs = os.path.join(self.folder, "objects", "pack")
        for name in os.listdir(packs):
            if name.startswith("tmp_"):
                os.unlink(os.path.join(packs, name))


def _initialise(folder: str, *, sha256: bool) -> None:
    for inner in ("objects/pack", "objects/info", "refs/thresher"):
        os.makedirs(os.path.join(folder, inner))
    _write(os.path.join(folder, "HEAD"), f"ref: {_REF}")
    _write(os.path.join(folder, "config"), _CONFIG.format(1) + _SHA256 if sha256 else _CONFIG.format(0))


def _write(path: str, line: str) -> None:
    temporary = f"{path}.tmp"
    with open(temporary, "w", encoding="utf-8") as sink:
        sink.write(line + "\n")
    os.replace(temporary, path)


def _index(folder: str, options: list[str], blocks: Iterable[bytes], limits: ShelfLimits, stop: Stop) -> int:
    taken = [0]
    command = [*_INDEX, *options, f"--max-input-size={limits.pack_bytes}"]
    patience = {"memory_bytes": limits.memory_bytes, "seconds": limits.seconds}
    try:
        feed_git(command, _counted(blocks, taken), folder=folder, stop=stop, **patience)
    except InputError as error:
        raise _refused(error) from None
    return taken[0]


def _refused(error: InputError) -> Exception:
    words = error.what.rpartition(": ")[2]
    if "exceeds maximum" in words or "memory" in words:
        return Refusal("too_large", words)
    if "stopped" in words:
        return Refusal("failed", f"indexing the pack was {words}")
    return Passing(f"damaged pack: {words}"[:200])


def _counted(blocks: Iterable[bytes], taken: list[int]) -> Iterator[bytes]:
    for block in blocks:
        taken[0] += len(block)
        yield block
