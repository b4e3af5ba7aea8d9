"""Catalogue: the shards of a dataset as its manifest lists them, and reading one of them.

The manifest is the commit point of a dataset: a file it does not list is not part of the dataset,
and a file it lists must be there with the size it states. A directory listing is never trusted.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from columns.errors import OutputError
from columns.files import Place
from columns.versions import current_place
from shards.batches import BatchInfo, damage, read_batches
from shards.format import file_sha256
from shards.manifest import read_manifest
from shards.reader import open_shard

_CHANGED = "the shard was changed or damaged after the build: copy or build the dataset again"
Source = str | os.PathLike[str] | Place | Sequence[str | os.PathLike[str]]


@dataclass(frozen=True)
class ShardFile:
    """One shard: where it is and what the manifest says of it (None: not stated)."""

    place: Place
    name: str
    size: int
    rows: int | None = None
    sha256: str | None = None
    checks: tuple[BatchInfo, ...] = ()

    @property
    def path(self) -> str:
        """The filesystem's own path of the file."""
        return self.place.path(self.name)

    def schema(self) -> pa.Schema:
        """The Arrow schema in the file's footer, with the ``thresher.*`` metadata."""
        return open_shard(self.place, self.name).reader.schema

    def batches(self, *, verify: bool = False) -> Iterator[pa.RecordBatch]:
        """Record batches in file order, views of the memory-mapped file where the place is local.

        With ``verify`` the whole file is hashed first (about 1 to 2 GB/s) and `OutputError` is raised
        when its SHA-256 is not the manifest's.
        """
        if verify:
            self.verify()
        reader = open_shard(self.place, self.name).reader
        for index in range(reader.num_record_batches):
            yield reader.get_batch(index)

    def verify(self) -> None:
        """Compare the file's SHA-256 with the manifest's; a shard without a stated one passes."""
        found = None if self.sha256 is None else file_sha256(self.place, self.name)
        if found != self.sha256:
            where = "".join(f"; {line}" for line in damage(self.place, self.name, self.checks))
            raise OutputError(
                f"{self.path}: checksum expected {self.sha256}, got {found}{where}", hint=_CHANGED
            )

    def check(self) -> None:
        """Compare the XXH3 of each record batch with the manifest's (10 GB/s), or the SHA-256 where none is listed.

        `OutputError` says which record batches, and bytes, are damaged. The file's footer is not among them.
        """
        if not self.checks:
            self.verify()
        elif found := damage(self.place, self.name, self.checks):
            raise OutputError(f"{self.path}: {'; '.join(found)}", hint=_CHANGED)


def shard_files(source: Source, split: str = "train") -> list[ShardFile]:
    """The shards of one split, in the manifest's order, each checked for presence and size.

    ``source`` is a dataset directory (a path, an fsspec URL or a `Place`) or a list of shard files;
    a list is taken as it is, in its order, whatever the split.

    >>> shard_files("/no/such/dataset")
    Traceback (most recent call last):
    columns.errors.OutputError: /no/such/dataset: no manifest.json
    hint: not a finished dataset: run the build again
    """
    if isinstance(source, str | os.PathLike | Place):
        return _from_manifest(current_place(_absolute(source)), split)
    return [_stated(_file_place(path), Path(path).name, {}) for path in source]


def _from_manifest(place: Place, split: str) -> list[ShardFile]:
    listed = read_manifest(place).shards
    chosen = [entry for entry in listed if entry["split"] == split]
    if not chosen:
        splits = sorted({entry["split"] for entry in listed}) or ["none"]
        raise OutputError(f"{place.url}: no shards of split {split!r}", hint=f"splits: {', '.join(splits)}")
    return [_stated(place.child("shards"), Path(entry["name"]).name, entry) for entry in chosen]


def _stated(place: Place, name: str, entry: Mapping[str, Any]) -> ShardFile:
    """The shard, after checking that the file is there with the size the manifest states."""
    if not place.exists(name):
        raise OutputError(
            f"{place.path(name)}: shard is missing",
            hint="it was moved or deleted after the build: copy it back or build the dataset again",
        )
    size = place.size(name)
    if entry.get("bytes", size) != size:
        raise OutputError(
            f"{place.path(name)}: size expected {entry['bytes']} bytes, got {size}",
            hint="the shard was changed or copied only in part: copy or build the dataset again",
        )
    batches = read_batches(entry.get("batches", ()))
    return ShardFile(place, name, size, entry.get("rows"), entry.get("sha256"), batches)


def _absolute(source: str | os.PathLike[str] | Place) -> Place:
    """The place with an absolute path where it is local: Ray's workers run in another directory."""
    place = source if isinstance(source, Place) else Place(os.fspath(source))
    return place if place.local is None else Place(str(place.local.absolute()))


def _file_place(path: str | os.PathLike[str]) -> Place:
    parent, _, _ = os.fspath(path).rpartition("/")
    return _absolute(parent or ".")
