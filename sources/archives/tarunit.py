"""One tar archive as a unit: read as a stream, from any filesystem, without unpacking it to disk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter

import pyarrow as pa

from sources.archives.choice import Choice
from sources.archives.feed import Feed
from sources.archives.limits import Limits, Refused
from sources.archives.names import Identity, identify, safe_path, top_folder
from sources.archives.packages import MAX_BYTES as METADATA_BYTES
from sources.archives.packages import Package, changed, identified, is_metadata, may_be_package, read_package
from sources.archives.tars import members
from sources.config import IngestConfig
from sources.files import File, Origin, file_batches, problem_row
from sources.inflate import Broken, blocks
from sources.tables.parquet import one_line
from sources.unit import Skipped, Unit

SOURCE = "archive"

_BELIEVABLE = 1 << 53


@dataclass(frozen=True)
class TarUnit(Unit):
    """One tar archive, plain or compressed; ``packed`` is its size on disk."""

    packed: int
    limits: Limits = field(default_factory=Limits)

    def read(self, config: IngestConfig, batch_bytes: int, skipped: Skipped) -> Iterator[pa.RecordBatch]:
        """Read the archive to its end; from a break on, one row says why the rest is lost."""
        lost: list[str] = []
        found = self._files(Choice(config, self.limits, skipped), config.max_bytes, lost)
        for origin, files in groupby(found, key=itemgetter(0)):
            yield from file_batches((file for _, file in files), origin, config, batch_bytes)
        if lost:
            yield problem_row(SOURCE, self.name, self.name, lost[0], self.packed)

    def _files(self, choice: Choice, max_bytes: int, lost: list[str]) -> Iterator[tuple[Origin, File]]:
        package = self._package() if may_be_package(self.name) else Package()
        feed = Feed(blocks(self.location), self.packed, self.limits)
        identity: Identity | None = None
        seen = 0
        try:
            for member in members(feed, self.limits):
                seen += 1
                path = choice.path(member.name, member.kind)
                if path is None:
                    continue
                identity = identity or identified(
                    identify(self.name, top_folder(path), member.comment), package
                )
                origin, below = place(self.name, identity, path, package.license)
                file = _file(feed, below, member.size, max_bytes)
                yield origin, file._replace(updated=changed(member.mtime))
            feed.drain()
        except Broken as error:
            lost.append(f"truncated: after member {seen}: {error}")
        except Refused as error:
            lost.append(f"{error}, after member {seen}")
        except OSError as error:
            lost.append(f"unreadable: after member {seen}: {error.strerror or one_line(error)}")

    def _package(self) -> Package:
        """What the package's metadata says: another pass, up to that member, which often is the last one."""
        try:
            feed = Feed(blocks(self.location), self.packed, self.limits)
            for member in members(feed, self.limits):
                path = safe_path(member.name) or ""
                if member.kind == "file" and is_metadata(path) and member.size <= METADATA_BYTES:
                    return read_package(path, feed.take(member.size))
        except (Broken, Refused, OSError):
            pass
        return Package()


def place(archive: str, identity: Identity, path: str, license: str | None = None) -> tuple[Origin, str]:
    """What the member's row says about where it is from, and its path below the identity's top folder."""
    repo, ref, top = identity
    if top and path.startswith(f"{top}/"):
        return Origin(SOURCE, repo, ref, f"{archive}/{top}/", license), path[len(top) + 1 :]
    return Origin(SOURCE, repo, ref, f"{archive}/", license), path


def too_large(path: str, size: int) -> File:
    """The row of a member over the limit; a size that no disk holds is not repeated."""
    return File(path, size if size < _BELIEVABLE else None, None, "too_large")


def _file(feed: Feed, path: str, size: int, max_bytes: int) -> File:
    if size > max_bytes:
        return too_large(path, size)
    return File(path, size, feed.take(size))
