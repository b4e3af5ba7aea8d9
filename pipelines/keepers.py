"""Keepers: which copies go and which file stays instead, over a corpus of any size.

After `pipelines.components` has said what hangs together, the facts of linked files and the links are exchanged by
partition; each partition is decided by itself (`pipelines.decisions.choose`), and what was chosen is exchanged by
part. A worker holds one partition: some 300 bytes a file of it that has a copy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import apache_beam as beam
import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from columns.batch import concat
from columns.beam import Exchange, Meet, Partitioned, load_chunks
from columns.errors import ThresherError
from columns.files import PartName, Place
from columns.tables import read_whole, write_table
from dedup import BUCKET, CHAIN, DECISION, EDGE, EXACT, Chains, chains, merged_chains
from pipelines.components import JoinLinks, Shares
from pipelines.decisions import Choices, DecideConfig, Linked, Links, choose, verdicts
from pipelines.engine import Engine, run_job, run_units
from pipelines.link import by_part
from pipelines.stage import Stage
from pipelines.stored import ROW_MASK, Stored

CHOICE = pa.schema([*DECISION, pa.field("keeper_id", pa.binary(16)), pa.field("home", pa.bool_())])

SMALL = 1 << 20

_SCHEMAS = {"edges": EDGE, "exact": EXACT, "members": EXACT}
_FULL = "full.parquet"

Group = tuple[int, dict[str, list[Any]]]


@dataclass(frozen=True)
class Keepers:
    """The steps, bound to one dataset; ``work`` is scratch that all workers see."""

    stored: Stored
    config: DecideConfig
    stage: Stage
    work: Place

    def __call__(self, element: Group) -> Iterator[pa.RecordBatch]:
        """Decide one partition: `CHOICE`."""
        partition, groups = element
        files = self._files(groups["files"])
        if not files.num_rows:
            return
        row, own = (np.asarray(files.column(name)) for name in ("row", "own"))
        linked = Linked(row, own, files.drop_columns(["row", "own", "partition"]))
        links = self._links(groups)
        chosen = choose(links, linked, self.config)
        self._write_chains(partition, links, chosen)
        yield named(pa.concat_batches(chosen[:2]), linked)

    @property
    def shares(self) -> Shares:
        """Which partition decides about what."""
        return Shares(self.stored, self.work.child("shares"))

    def files(self, part: int) -> Iterator[pa.RecordBatch]:
        """The linked files of a part with their rule, what ranks them, and their partition."""
        found = self.shares.files(part)
        if found.num_rows:
            try:
                yield self._ranked(part, found)
            except ThresherError as error:
                self.stage.fail(error)
                raise

    def _ranked(self, part: int, found: pa.RecordBatch) -> pa.RecordBatch:
        ranked = self.stored.known(sorted({*self.config.ranked(), "repo"}))
        facts = self.stored.facts(part, sorted({*self.config.facts(), *ranked}))
        own = verdicts(facts, self.stored.leaks(part), self.config).own()
        at = np.asarray(found.column("row")) & ROW_MASK
        table = facts.select(ranked).take(pa.array(at)).append_column("own", pa.array(own[at]))
        for name in found.schema.names:
            table = table.append_column(name, found.column(name))
        return concat(table.to_batches(), table.schema)

    def links(self, kind: str, part: int) -> Iterator[pa.RecordBatch]:
        """The links of a table, with their partition."""
        yield self.shares.links(kind, part)

    def _files(self, chunks: list[Any]) -> pa.Table:
        batches = load_chunks(chunks)
        return pa.Table.from_batches(batches).sort_by("row") if batches else pa.table({})

    def _links(self, groups: dict[str, list[Any]]) -> Links:
        found = {kind: _links_of(groups.get(kind, []), schema) for kind, schema in _SCHEMAS.items()}
        members = found["members"] if "members" in self.shares.kinds else found["exact"]
        full = read_whole(self.work, _FULL)
        return Links(found["exact"], found["edges"], members, concat(full.to_batches(), full.schema))

    def _write_chains(self, partition: int, links: Links, chosen: Choices) -> None:
        removed = np.asarray(chosen.near.column("row"))
        found = chains(links.edges, links.members, chosen.alone, removed, threshold=self.config.least)
        name = PartName("chains", partition, self.stored.names.count, "json").format()
        self.work.child("chains").write_bytes(name, orjson.dumps(plain(found)))

    def chains(self) -> dict[str, Any]:
        """What joining every chain would have done, of all partitions together."""
        place = self.work.child("chains")
        said = [orjson.loads(place.read(name)) for name in place.names()]
        each = [
            Chains(**one | {"largest": pa.RecordBatch.from_pylist(one["largest"], CHAIN)}) for one in said
        ]
        return plain(merged_chains(each))

    def write_full(self) -> None:
        """Leave the over-full buckets of files for every partition: their leaders come first."""
        buckets = self.stored.links("buckets")
        used = buckets.slice(0, 0) if "members" in self.shares.kinds else buckets
        write_table(self.work, _FULL, [used], BUCKET)

    def write(self, element: tuple[int, list[Any]]) -> None:
        """Write what was chosen of a part, by row."""
        part, chunks = element
        choices = concat(load_chunks(chunks), CHOICE)
        choices = choices.take(pc.sort_indices(choices.column("row")))
        write_table(self.choices, self.stored.names.part(part), [choices], CHOICE)

    @property
    def choices(self) -> Place:
        """Where one table of `CHOICE` lies for each part."""
        return self.work.child("choices")


def choose_keepers(
    engine: Engine, stored: Stored, config: DecideConfig, fingerprint: str, work: Place, *, small: int = SMALL
) -> Keepers:
    """Join what is linked, then decide partition by partition; up to ``small`` linked files at once, where they are."""
    joining, deciding = (Stage(name, work.child(name), fingerprint, 1) for name in ("components", "keepers"))
    job = Keepers(stored, config, deciding, work)
    job.write_full()
    run_units(engine, joining, JoinLinks(job.shares), [0])
    if engine.here and sum(job.shares.files(part).num_rows for part in stored.parts) <= small:
        decide_here(job)
    else:
        run_job(engine, deciding, Wiring(engine, job))
    return job


def decide_here(job: Keepers) -> None:
    """Decide everything as one partition, without the start of a pipeline."""
    parts = job.stored.parts
    groups = {kind: [links for part in parts for links in job.links(kind, part)] for kind in job.shares.kinds}
    groups["files"] = [files for part in parts for files in job.files(part)]
    chosen = concat(job((0, groups)), CHOICE)
    pieces = dict(Partitioned.cut(chosen, by_part(chosen, column="row")).pieces)
    for part in parts:
        job.write((part, [pieces[part]] if part in pieces else []))


@dataclass(frozen=True)
class Wiring:
    """The Beam graph of the job."""

    engine: Engine
    job: Keepers

    def __call__(self, pipeline: beam.Pipeline) -> None:
        """Wire all of it."""
        count = self.job.stored.names.count
        work = self.engine.exchange(self.job.work.child("exchange"))
        parts = pipeline | "Parts" >> self.engine.create(list(range(count)))
        tables = {
            kind: parts | f"Links {kind}" >> _flat(partial(self.job.links, kind))
            for kind in self.job.shares.kinds
        }
        tables["files"] = parts | "Files" >> _flat(self.job.files)
        chosen = tables | "Join" >> Meet(by_partition, count, work) | "Choose" >> _flat(self.job)
        by_row = chosen | "ByPart" >> Exchange(partial(by_part, column="row"), count, work)
        _ = by_row | "Write" >> beam.Map(self.job.write)


def by_partition(batch: pa.RecordBatch) -> np.ndarray:
    """The partition of each row."""
    return np.asarray(batch.column("partition"))


def named(choices: pa.RecordBatch, files: Linked) -> pa.RecordBatch:
    """Choices with the keeper's ``doc_id``, and whether it is of the same repository: `CHOICE`."""
    gone, keeper = (pa.array(np.searchsorted(files.row, choices.column(at))) for at in ("row", "keeper"))
    ids = files.table.column("doc_id").combine_chunks().take(keeper)
    repo = pc.fill_null(files.table.column("repo"), "").combine_chunks()
    home = pc.equal(repo.take(gone), repo.take(keeper))
    return pa.RecordBatch.from_arrays([*choices.columns, ids, home], schema=CHOICE)


def plain(found: Chains) -> dict[str, Any]:
    """Chains as plain data."""
    return found._asdict() | {"largest": found.largest.to_pylist()}


def _links_of(chunks: list[Any], schema: pa.Schema) -> pa.RecordBatch:
    return concat([batch.select(schema.names) for batch in load_chunks(chunks)], schema)


def _flat(step: Any) -> beam.PTransform:
    return beam.FlatMap(step).with_output_types(pa.RecordBatch)
