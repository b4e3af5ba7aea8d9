"""Archives by path, folder or glob as a source."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from sources.archives.limits import Limits
from sources.archives.names import SUFFIXES
from sources.archives.tarunit import SOURCE, TarUnit
from sources.archives.zipunit import ZipUnit, zip_units
from sources.config import IngestConfig
from sources.inflate import CODECS
from sources.locations import Location, locate, open_location
from sources.tables.jsonl import TYPICAL_RATIO
from sources.tables.parquet import DamagedUnit, one_line
from sources.unit import Listing, Skipped, Unit, stamp

_ZIP_MAGIC = (b"PK\3\4", b"PK\5\6", b"PK\7\x08")


@dataclass(frozen=True)
class ArchiveSource:
    """Archives (tar, plain or compressed; zip) on any fsspec filesystem, read without unpacking them to disk.

    A tar archive is one unit, as it can only be read from its start; a zip archive is cut by its directory.
    """

    pattern: str
    limits: Limits = field(default_factory=Limits)

    @property
    def spec(self) -> str:
        """The canonical text of this source."""
        return f"archive:{self.pattern}"

    def units(self, config: IngestConfig, *, workdir: str | None = None) -> Listing:
        """List the archives, sorted by name, and the directories of zip archives. Costs one open file each."""
        skipped: Skipped = Counter()
        found = locate(self.pattern, SUFFIXES, skipped)
        units = tuple(unit for item in found for unit in _units(item, config, self.limits, skipped))
        files = sum(len(unit.wanted) if isinstance(unit, ZipUnit) else 1 for unit in units)
        total = sum(unit.bytes for unit in units)
        return Listing(units, skipped, files, total, stamp=stamp(((self.limits,), *found)))


def _units(location: Location, config: IngestConfig, limits: Limits, skipped: Skipped) -> list[Unit]:
    try:
        with open_location(location.url) as file:
            first = file.read(8)
    except OSError as error:
        problem = f"unreadable: {one_line(error)}"
        return [DamagedUnit(location.name, location.url, location.size, SOURCE, problem)]
    if first.startswith(_ZIP_MAGIC):
        return zip_units(location, config, limits, skipped)
    packed = any(first.startswith(codec.magic) for codec in CODECS)
    size = location.size * (TYPICAL_RATIO if packed else 1)
    return [TarUnit(location.name, location.url, size, location.size, limits)]
