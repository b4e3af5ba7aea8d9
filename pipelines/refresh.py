"""Refresh: the next version of a dataset from a whole new snapshot, at the cost of what has changed.

The new version has the bytes that a build of the snapshot from nothing would have. What is known of unchanged files is
taken from the version before (`pipelines.reuse`, `pipelines.shard`), files that come out equal are shared with it
(`pipelines.history`), and the record that makes the version the current one is written last.
"""

from __future__ import annotations

import dataclasses
import hashlib
import resource
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from columns.errors import OutputError
from columns.files import Place
from columns.versions import Versions
from pipelines.build import Build, BuildOptions
from pipelines.changes import changes, write_changes
from pipelines.dataset import MANIFEST, Dataset
from pipelines.engine import Engine
from pipelines.history import FIRST, adopt, begin, close, collect, share
from pipelines.lease import Lease, leased
from pipelines.progress import Display
from pipelines.recipe import LoadedRecipe
from pipelines.stage import stage_counts

ROWS = ("rows", "reused", "moved", "measured")
TOKENISED = ("documents", "reused")


@dataclass(frozen=True)
class Refreshed:
    """What became of a refresh: the current version's number and directory, and its record.

    ``changed`` is False where the snapshot gives the version that was there already; ``removed`` are the old versions
    that went in the end.
    """

    number: int
    place: Place
    changed: bool
    record: Mapping[str, Any]
    removed: list[int] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``--json``."""
        return {
            "changed": self.changed, "place": self.place.url, "removed": self.removed, **self.record
        }  # fmt: skip


class Meter:
    """CPU and wall seconds of this process and its children from here on."""

    def __init__(self) -> None:
        self._cpu, self._wall = _cpu(), time.monotonic()

    def read(self) -> dict[str, float]:
        """Seconds since the start."""
        return {
            "cpu_seconds": round(_cpu() - self._cpu, 2),
            "wall_seconds": round(time.monotonic() - self._wall, 2),
        }


def _cpu() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def refresh(
    loaded: LoadedRecipe,
    options: BuildOptions,
    engine: Engine,
    display: Display,
    *,
    first: bool = False,
    keep: int = 0,
) -> Refreshed:
    """Make the next version of the dataset at ``options.place`` from ``options.inputs``.

    ``first``: where there is no dataset yet, its first version is built. ``keep``: how many of the newest versions stay
    afterwards, 0 for all. `OutputError` when there is no dataset, or another run is changing it. An interrupted run is
    gone on with by the next one of the same inputs and recipe; until the end the current version stays what it was.
    """

    def build(place: Place, parent: Place) -> None:
        chosen = dataclasses.replace(
            options, place=place, reuse=parent, takedowns=options.place, version=True
        )
        Build(loaded, chosen, engine, display).run()

    with leased(options.place, "refresh") as lease:
        if first and not has_dataset(options.place):
            return first_version(options.place, Build(loaded, options, engine, display).run)
        made = next_version(options.place, "refresh", build, lease)
        gone = collect(Versions(options.place), keep) if keep else []
        return dataclasses.replace(made, removed=gone)


def has_dataset(root: Place) -> bool:
    """Whether a finished dataset, or a version of one, is there."""
    return bool(Versions(root).numbers()) or root.exists(MANIFEST)


def first_version(root: Place, build: Callable[[], None]) -> Refreshed:
    """Build the first version of a dataset, which lies in the directory itself."""
    build()
    versions = adopt(root)
    return Refreshed(FIRST, versions.at(FIRST), changed=True, record=versions.record(FIRST))


def next_version(
    root: Place,
    made_by: str,
    build: Callable[[Place, Place], None],
    lease: Lease,
    report: Callable[[int, Place, Place], None] | None = None,
    **noted: Any,
) -> Refreshed:
    """Make a version by ``build(place, parent)``, compare it with its parent, share what is equal, and commit it.

    ``report(number, place, parent)`` is called when all of it is there, before it is the current one; ``noted`` goes
    into the record. Nothing becomes a version when the build gave the parent's manifest again.
    """
    meter, versions = Meter(), adopt(root)
    number, place = begin(versions)
    parent = versions.at(number - 1)
    build(place, parent)
    if place.read(MANIFEST) == parent.read(MANIFEST):
        place.remove_tree()
        return Refreshed(number - 1, parent, changed=False, record=versions.record(number - 1))
    shared = share(parent, place)
    found = write_changes(place, changes(parent, place))
    record = {
        "version": number, "parent": number - 1, "made_by": made_by, "changes": found,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "manifest_sha256": hashlib.sha256(place.read(MANIFEST)).hexdigest(),
        "cost": {**meter.read(), **_work(place), "shared": asdict(shared)}, **noted,
    }  # fmt: skip
    close(place)
    if report is not None:
        report(number, place, parent)
    lease.check()
    if not versions.commit(number, record):
        raise OutputError(
            f"{root.url}: another run has made version {number}", hint="run it again, from that version on"
        )
    return Refreshed(number, place, changed=True, record=record)


def _work(place: Place) -> dict[str, dict[str, int]]:
    """Files whose facts and tokens were taken from the version before, and those that were made."""
    dataset = Dataset(place)
    rows, tokens = stage_counts(dataset.facts), stage_counts(dataset.tokens)
    return {
        "facts": {name: rows.get(name, 0) for name in ROWS},
        "tokens": {name: tokens.get(name, 0) for name in TOKENISED},
    }
