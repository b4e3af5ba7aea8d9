"""Ranges of a zip archive's members as units: its directory says where each one is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

import pyarrow as pa

from sources.archives.choice import Choice
from sources.archives.limits import Limits, Refused
from sources.archives.names import Identity, identify, safe_path, top_folder
from sources.archives.packages import MAX_BYTES as METADATA_BYTES
from sources.archives.packages import Package, changed, identified, is_metadata, may_be_package, read_package
from sources.archives.tarunit import SOURCE, place, too_large
from sources.archives.unzip import member_bytes
from sources.archives.zips import Entry, read_directory
from sources.config import IngestConfig
from sources.files import File, Origin, file_batches
from sources.locations import Location, open_location
from sources.tables.parquet import DamagedUnit, one_line
from sources.unit import Skipped, Unit, chunks


class Wanted(NamedTuple):
    """A member that is to be read: its path below the top folder, and its entry."""

    path: str
    entry: Entry


@dataclass(frozen=True)
class ZipUnit(Unit):
    """Some members of one zip archive, all of one origin."""

    origin: Origin
    wanted: tuple[Wanted, ...]

    def read(self, config: IngestConfig, batch_bytes: int, skipped: Skipped) -> Iterator[pa.RecordBatch]:
        """Read the members; one that is damaged, encrypted or not as the directory says keeps its row."""
        return file_batches(self._files(config.max_bytes), self.origin, config, batch_bytes)

    def _files(self, max_bytes: int) -> Iterator[File]:
        try:
            archive = open_location(self.location)
        except OSError as error:
            problem = "missing" if isinstance(error, FileNotFoundError) else f"unreadable: {one_line(error)}"
            yield from (File(path, None, None, problem) for path, _ in self.wanted)
            return
        with archive:
            for path, entry in self.wanted:
                yield _file(archive, path, entry, max_bytes)


def zip_units(location: Location, config: IngestConfig, limits: Limits, skipped: Skipped) -> list[Unit]:
    """Cut an archive into units by its directory; one more unit is the row that says what is lost of it."""
    lost: list[str] = []
    try:
        with open_location(location.url) as archive:
            directory = read_directory(archive, location.size, limits)
        entries, comment = directory.entries, directory.comment
        lost += [directory.lost] if directory.lost else []
    except Refused as refused:
        entries, comment, lost = (), b"", [str(refused)]
    except OSError as error:
        entries, comment, lost = (), b"", [f"unreadable: {one_line(error)}"]
    chosen = _chosen(entries, Choice(config, limits, skipped), location)
    package = _package(location, entries)
    wanted = list(_bounded(chosen, location.size, config, limits, lost))
    units = _units(location, wanted, comment, package, config)
    damaged = (
        DamagedUnit(location.name, location.url, location.size, SOURCE, problem) for problem in lost[:1]
    )
    return [*units, *damaged]


def _package(location: Location, entries: Sequence[Entry]) -> Package:
    """What the metadata of a wheel or of another package says; nothing where it cannot be read."""
    for entry in entries if may_be_package(location.name) else ():
        path = safe_path(entry.name) or ""
        if entry.kind == "file" and is_metadata(path) and entry.size <= METADATA_BYTES:
            try:
                with open_location(location.url) as archive:
                    raw, _ = member_bytes(archive, entry)
            except OSError:
                raw = None
            return Package() if raw is None else read_package(path, raw)
    return Package()


def _chosen(entries: Sequence[Entry], choice: Choice, location: Location) -> Iterator[Wanted]:
    for entry in entries:
        path = choice.path(entry.name, entry.kind)
        if path is not None:
            yield Wanted(path, entry._replace(offset=min(entry.offset, location.size)))


def _bounded(
    chosen: Iterator[Wanted], packed: int, config: IngestConfig, limits: Limits, lost: list[str]
) -> Iterator[Wanted]:
    """Members up to the one that makes the archive inflate too much; overlapping ones count as often as listed."""
    inflated = 0
    for number, wanted in enumerate(chosen):
        inflated += _weight(wanted.entry, config)
        try:
            limits.check_inflated(inflated, packed)
        except Refused as refused:
            lost.append(f"{refused}, after file {number}")
            return
        yield wanted


def _units(
    location: Location, wanted: list[Wanted], comment: bytes, package: Package, config: IngestConfig
) -> Iterator[Unit]:
    if not wanted:
        return
    identity = identified(identify(location.name, top_folder(wanted[0].path), comment), package)
    placed = (_placed(location, identity, package, item) for item in wanted)
    for origin, run in groupby(placed, key=itemgetter(0)):
        sized = ((item, _weight(item.entry, config)) for _, item in run)
        for members, size in chunks(sized):
            yield ZipUnit(location.name, location.url, size, origin, tuple(members))


def _placed(location: Location, identity: Identity, package: Package, item: Wanted) -> tuple[Origin, Wanted]:
    origin, below = place(location.name, identity, item.path, package.license)
    return origin, Wanted(below, item.entry)


def _weight(entry: Entry, config: IngestConfig) -> int:
    return entry.size if entry.size <= config.max_bytes else 0


def _file(archive: Any, path: str, entry: Entry, max_bytes: int) -> File:
    if entry.size > max_bytes:
        return too_large(path, entry.size)
    try:
        raw, problem = member_bytes(archive, entry)
    except OSError as error:
        raw, problem = None, f"unreadable: {one_line(error)}"
    return File(path, entry.size, raw, problem, updated=changed(entry.mtime))
