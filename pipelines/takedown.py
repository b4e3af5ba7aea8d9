"""Takedown: a dataset without what somebody asked to be removed, the same day, and a report that says so.

The wishes are remembered first, so that every later refresh honours them whatever happens next. The new version's
documents are the old ones without these texts; from there it is a refresh: links, decisions and shards are those of a
build with the longer opt-out list, so the next-best copy of a removed file stays where the recipe's rules let it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from columns.errors import InputError
from columns.files import PartName, Place
from columns.tables import read_whole
from columns.versions import Versions
from pipelines.attribution import attributed_part
from pipelines.build import Build, BuildOptions, parts_of
from pipelines.changes import CHANGELOG
from pipelines.dataset import Dataset
from pipelines.engine import Engine
from pipelines.finished import Finished
from pipelines.history import adopt, collect
from pipelines.ingest import bound_stage, part_of
from pipelines.lease import Lease, leased
from pipelines.progress import Display
from pipelines.proof import prove
from pipelines.recipe import LoadedRecipe, recorded_recipe
from pipelines.refresh import Refreshed, next_version
from pipelines.removal import matched, remove_documents, texts_of_blobs
from pipelines.removalreport import read_removal, write_removal
from pipelines.stage import COMMIT, Stage, read_json
from pipelines.takedowns import Takedown, remember
from shards import order_keys, shard_of
from sources import IngestConfig


@dataclass(frozen=True)
class Taken:
    """What a takedown did: the version that is current now, whether it is a new one, and the report.

    ``older``: files that the wishes name, by number of each older version that still holds some.
    """

    version: Refreshed
    report: dict[str, Any]
    older: dict[int, int]
    purged: tuple[int, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``--json``."""
        return {
            "version": self.version.to_dict(),
            "report": self.report,
            "older": {str(number): files for number, files in self.older.items()},
            "purged": list(self.purged),
        }


@dataclass
class Without(Build):
    """A build whose documents are those of the dataset to reuse, without some; ``before`` is how these were read."""

    found: pa.Table | None = None
    before: IngestConfig | None = None

    def _ingest(self) -> None:
        old = Dataset(self.options.reuse or self.options.place)
        stage = self._bound(old)
        work = partial(remove_documents, self.engine, old, self.dataset, stage, self.found)
        self._stage(stage, parts_of(stage), work)

    def _bound(self, old: Dataset) -> Stage:
        """The stage; a later build of the same inputs finds it done, if it would have found the old one done."""
        commit = read_json(old.documents, COMMIT) or {}
        parts, layout, listed = old.parts(), self.loaded.recipe.layout, commit.get("listed", "")
        stage = bound_stage(self.dataset, self.ingest_config, layout, listed, parts)
        same = self.before and bound_stage(old, self.before, layout, listed, parts).fingerprint
        apart = stage.fingerprint if same == commit["fingerprint"] else f"{stage.fingerprint} without"
        return dataclasses.replace(stage, fingerprint=apart)


def takedown(
    root: Place,
    asked: Sequence[Takedown],
    engine: Engine,
    display: Display,
    *,
    loaded: LoadedRecipe | None = None,
    trust_own: bool = False,
    purge: bool = False,
) -> Taken:
    """Remove what ``asked`` names from the dataset at ``root``, promote what stood behind it, and report.

    ``loaded``: another recipe than the current version's own. ``purge``: older versions go, too. A trained tokenizer
    is kept, so that tokens of other files stay what they are. `InputError` when nothing is asked for, `OutputError`
    when there is no dataset or another run is changing it.
    """
    if not asked:
        raise InputError("nothing to remove", hint="name it: --repo, --owner, --path, --blob or --content")
    with leased(root, "takedown") as lease:
        versions = adopt(root)
        current = versions.at(versions.numbers()[-1])
        entries = (*asked, *_texts(Dataset(current), asked))
        remember(root, entries)
        own = recorded_recipe(Finished.open(current).section("recipe"), trust_own=trust_own)
        return _Taking(root, entries, engine, display, own, loaded or own, lease).run(purge=purge)


def _texts(current: Dataset, asked: Sequence[Takedown]) -> list[Takedown]:
    """The texts of blobs that are asked for, so that copies without a blob id go, too, now and later."""
    blobs = [one.value.lower() for one in asked if one.kind == "blob"]
    like = next((one for one in asked if one.kind == "blob"), None)
    if like is None:
        return []
    return [dataclasses.replace(like, kind="content", value=text) for text in texts_of_blobs(current, blobs)]


@dataclass(frozen=True)
class _Taking:
    """One takedown under its lease."""

    root: Place
    entries: tuple[Takedown, ...]
    engine: Engine
    display: Display
    own: LoadedRecipe
    loaded: LoadedRecipe
    lease: Lease

    def run(self, *, purge: bool) -> Taken:
        """Make the version, report on it, and say which older ones still hold something."""
        versions = Versions(self.root)
        before = versions.numbers()[-1]
        parent = versions.at(before)
        found = self._matched(parent)
        made = Refreshed(before, parent, changed=False, record=versions.record(before))
        if found.num_rows:
            tell = partial(self._report, found=found)
            build = partial(self._build, found=found)
            made = next_version(self.root, "takedown", build, self.lease, tell, wishes=self._wishes())
        gone = tuple(collect(versions, 1)) if purge else ()
        older = self._older(versions, {before: found.num_rows, made.number: 0})
        report = read_removal(self.root, made.number) if found.num_rows and made.changed else {}
        return Taken(made, report, older, gone)

    def _matched(self, place: Place) -> pa.Table:
        return matched(Dataset(place), tuple(sorted(entry.wish() for entry in self.entries)))

    def _wishes(self) -> list[dict[str, Any]]:
        return [dataclasses.asdict(entry) for entry in self.entries]

    def _build(self, place: Place, parent: Place, *, found: pa.Table) -> None:
        options = BuildOptions(
            (), place, reuse=parent, takedowns=self.root, keep_tokenizer=True, version=True
        )
        before = self.own.recipe.reading()
        Without(self.loaded, options, self.engine, self.display, found=found, before=before).run()

    def _older(self, versions: Versions, known: Mapping[int, int]) -> dict[int, int]:
        """How many files each version that is left still holds; ``known`` are those that were looked at."""
        counted = {
            number: known[number] if number in known else self._matched(versions.at(number)).num_rows
            for number in versions.numbers()
        }
        return {number: files for number, files in counted.items() if files}

    def _report(self, number: int, place: Place, parent: Place, *, found: pa.Table) -> None:
        """Write the report of a version."""
        had_text = found.filter(
            pc.is_valid(found.column("content_hash"))
        )  # others keep their id: it names no text
        removed = had_text.column("doc_id").combine_chunks()
        said = {
            "version": number,
            "parent": number - 1,
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "wishes": self._wishes(),
            "files": _removed(parent, found),
            "promoted": _promoted(place),
            "shards": _rewritten(parent, place),
            "proof": prove(parent, place, removed).to_dict(),
        }
        write_removal(self.root, number, said)


def _removed(parent: Place, found: pa.Table) -> list[dict[str, Any]]:
    """Every removed file, with what it was in the parent and the shard that held its tokens."""
    dataset = Finished.open(parent)
    files: list[dict[str, Any]] = []
    for part in dataset.parts():
        here = found.filter(pc.equal(found.column("part"), part.index))
        if not here.num_rows:
            continue
        ledger = dataset.ledger(part, ["kept", "rule", "split"]).take(here.column("row"))
        shards = _shards_of(
            dataset, here.column("doc_id").combine_chunks(), ledger.column("split").to_pylist()
        )
        rows = zip(here.to_pylist(), ledger.to_pylist(), shards, strict=True)
        files += [_file(named, fate, shard) for named, fate, shard in rows]
    return sorted(files, key=lambda file: (file["repo"] or "", file["path"] or "", file["doc_id"]))


def _file(named: dict[str, Any], fate: dict[str, Any], shard: str) -> dict[str, Any]:
    return {
        "repo": named["repo"],
        "path": named["path"],
        "doc_id": named["doc_id"].hex(),
        "content_sha256": named["content_hash"].hex() if named["content_hash"] else None,
        "kept": fate["kept"],
        "rule": fate["rule"],
        "shard": shard if fate["kept"] else None,
    }


def _shards_of(dataset: Finished, ids: pa.Array, splits: list[str | None]) -> list[str]:
    """The shard of each document, by its key; with joined repositories or a pool it may have been in another, too."""
    listed = dataset.section("shards") or []
    counts = {entry["split"]: PartName.parse(entry["name"]).count for entry in listed}
    pools = dataset.section("recipe", "pack", "tail") == "pool"
    keys = order_keys(ids, dataset.section("recipe", "pack", "shuffle_seed") or 0)
    named = []
    for split, key in zip(splits, keys, strict=True):
        count = counts.get(split or "", 0)
        index = int(shard_of(np.array([key]), max(1, count - pools))[0])
        named.append(PartName(split or "", index, count, "arrow").format())
    return named


def _promoted(place: Place) -> list[dict[str, Any]]:
    """The files that took the place of removed ones, with their licences."""
    table = read_whole(place, CHANGELOG)
    rows = table.filter(pc.equal(table.column("change"), "promoted"))
    wanted = rows.column("doc_id").combine_chunks()
    licences = dict(_licences(place, wanted)) if len(wanted) else {}
    return [
        {
            "repo": row["repo"], "path": row["path"], "doc_id": row["doc_id"].hex(), "instead_of": row["rule_before"],
            "license": licences.get(row["doc_id"]),
        }
        for row in rows.to_pylist()
    ]  # fmt: skip


def _licences(place: Place, wanted: pa.Array) -> Iterator[tuple[bytes, str | None]]:
    """The licences of some files; only the parts that they lie in are read."""
    dataset = Finished.open(place)
    parts = dataset.parts()
    ids = pa.RecordBatch.from_arrays([wanted.cast(pa.binary(16))], names=["doc_id"])
    for part in np.unique(part_of(ids, parts=len(parts))).tolist():
        known = attributed_part(dataset, parts[part]).select(["doc_id", "license"])
        some = known.filter(pc.is_in(known.column("doc_id").cast(pa.binary()), wanted.cast(pa.binary())))
        yield from zip(*(column.to_pylist() for column in some.columns), strict=True)


def _rewritten(parent: Place, place: Place) -> dict[str, Any]:
    """Which shards are other files than before, and how many are not."""
    old, new = (
        {entry["name"]: entry["sha256"] for entry in Finished.open(one).section("shards") or []}
        for one in (parent, place)
    )
    changed = sorted(name for name, digest in new.items() if old.get(name) != digest)
    return {
        "rewritten": changed,
        "unchanged": len(new) - len(changed),
        "gone": sorted(old.keys() - new.keys()),
    }
