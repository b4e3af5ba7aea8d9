"""Units: the independently readable pieces a source is cut into.

A unit is small, frozen and picklable: workers get units, never data. How a source is cut depends on
the input alone (sorted names, sizes), so any number of workers reads the same units.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import pyarrow as pa

from sources.config import IngestConfig

UNIT_BYTES = 16 << 20
UNIT_FILES = 4096

Raw = bytes
Skipped = Counter[str]
Item = TypeVar("Item")


@dataclass(frozen=True)
class Unit(ABC):
    """One piece of a source: ``name`` says what it is in messages, ``bytes`` estimates the reading."""

    name: str
    location: str
    bytes: int

    @abstractmethod
    def read(self, config: IngestConfig, batch_bytes: int, skipped: Skipped) -> Iterator[pa.RecordBatch]:
        """Yield document batches without ids and hashes (`sources.completion.complete` adds them)."""


@dataclass(frozen=True)
class Listing:
    """What a source holds: its units in order, and what was left out with the reasons.

    ``files`` counts files for trees and git, rows for Parquet, files for JSONL. ``temporary`` are
    folders made for reading (clones), ``held`` descriptors of locks; `discard` removes and closes them when the
    units have been read. ``stamp`` is equal when nothing that was listed has changed: names, sizes and times, or the
    commit. ``pinned`` is the spec that reads the same again, where the source keeps its past; else "".
    ``repositories`` says what became of each repository of a list (`sources.github.outcomes.OUTCOMES`).
    """

    units: tuple[Unit, ...] = ()
    skipped: Skipped = field(default_factory=Counter)
    files: int = 0
    total_bytes: int = 0
    temporary: tuple[str, ...] = ()
    stamp: str = ""
    held: tuple[int, ...] = ()
    pinned: str = ""
    repositories: pa.Table | None = None

    def discard(self) -> None:
        """Remove the temporary folders, fine when they are gone, and give locks back."""
        for folder in self.temporary:
            shutil.rmtree(folder, ignore_errors=True)
        for descriptor in self.held:
            os.close(descriptor)


class Source(Protocol):
    """One input of a build."""

    @property
    def spec(self) -> str:
        """The canonical text that `sources.parse_spec` reads back."""

    def units(self, config: IngestConfig, *, workdir: str | None = None) -> Listing:
        """List the source; ``workdir`` is a local folder for clones. `InputError` when it is unusable."""


def stamp(facts: Iterable[tuple[object, ...]]) -> str:
    """A digest of listed facts (names, sizes, times); equal when nothing listed has changed.

    >>> stamp([("a", 1)]) == stamp([("a", 1)]) != stamp([("a", 2)])
    True
    """
    digest = hashlib.sha256()
    for fact in facts:
        digest.update(repr(fact).encode("utf-8", "backslashreplace"))
    return digest.hexdigest()


def chunks(items: Iterable[tuple[Item, int]]) -> Iterator[tuple[Sequence[Item], int]]:
    """Cut sized items, in order, into runs of about `UNIT_BYTES` and at most `UNIT_FILES`.

    >>> [(len(run), size) for run, size in chunks([("a", 9 << 20), ("b", 9 << 20)])]
    [(1, 9437184), (1, 9437184)]
    """
    run: list[Item] = []
    total = 0
    for item, size in items:
        if run and (total + size > UNIT_BYTES or len(run) == UNIT_FILES):
            yield run, total
            run, total = [], 0
        run.append(item)
        total += size
    if run:
        yield run, total
