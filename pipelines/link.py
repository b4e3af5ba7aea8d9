"""Link: which files are copies or near-copies of which; facts -> exact groups and verified edges.

No content moves. Hashes and packed band rows are exchanged by hash, candidate pairs by the part of
their left row, and both signatures of a pair are read where the pair is verified.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import apache_beam as beam
import numpy as np
import pyarrow as pa

from columns.batch import concat
from columns.beam import Exchange, load_chunks
from columns.fingerprint import code_fingerprint, fingerprint
from columns.tables import read_arrow, read_whole, write_table
from dedup import (
    BUCKET,
    EDGE,
    EXACT,
    PAIR,
    BandConfig,
    band_table,
    bucket_pairs,
    content_keys,
    estimate_rows,
    exact_groups,
    partition_of,
    signature_matrix,
    verified,
)
from pipelines.dataset import Dataset, Names
from pipelines.engine import Engine
from pipelines.ledger import row_ids
from pipelines.stage import RunUnit, Stage, UnitRecord

HASHES = pa.schema([pa.field("content_hash", pa.binary(32)), pa.field("row", pa.int64())])


@dataclass(frozen=True)
class LinkConfig:
    """Which links are looked for, and how."""

    near: bool
    bands: BandConfig

    def fingerprint(self) -> str:
        """Equal when the links would be equal."""
        return fingerprint([self, code_fingerprint("columns", "dedup", "pipelines.link")])


@dataclass(frozen=True)
class LinkJob:
    """The steps of the link job, each a picklable callable bound to one dataset."""

    dataset: Dataset
    names: Names
    config: LinkConfig

    def hashes(self, part: int) -> Iterator[pa.RecordBatch]:
        """Content hashes of a part with their row ids."""
        table = read_whole(self.dataset.facts, self.names.part(part), ["content_hash"])
        rows = row_ids(part, table.num_rows)
        batch = concat(table.to_batches(), table.schema)
        yield pa.RecordBatch.from_arrays([batch.column(0), rows], schema=HASHES)

    def bands(self, part: int) -> Iterator[pa.RecordBatch]:
        """Packed band rows of a part."""
        table = read_whole(self.dataset.facts, self.names.part(part), ["content_hash"])
        keys = content_keys(concat(table.to_batches(), table.schema).column(0))
        yield band_table(self.signature(part), row_ids(part, len(keys)), keys, self.config.bands)

    def signature(self, part: int) -> pa.Array:
        """The signatures of a part."""
        (batch,) = read_arrow(self.dataset.facts, self.names.signatures(part))
        return batch.column(0)

    def write_exact(self, unit: int, batches: list[pa.RecordBatch]) -> UnitRecord:
        """Exact groups of one hash range."""
        batch = concat(load_chunks(batches), HASHES)
        groups = exact_groups(batch.column(0), batch.column(1))
        name = self.names.link("exact", unit)
        rows = write_table(self.dataset.links, name, [groups], EXACT)
        found = len(np.unique(np.asarray(groups.column("representative"))))
        return UnitRecord((name,), {"exact_rows": rows, "exact_groups": found}, {})

    def write_edges(self, unit: int, batches: list[pa.RecordBatch]) -> UnitRecord:
        """Verify the candidate pairs whose left row is in this part."""
        candidates = unique_pairs(concat(load_chunks(batches), PAIR))
        edges = verified(candidates, self.similarity(candidates), self.config.bands.least)
        name = self.names.link("edges", unit)
        rows = write_table(self.dataset.links, name, [edges], EDGE)
        return UnitRecord((name,), {"candidates": candidates.num_rows, "edges": rows}, {})

    def similarity(self, pairs: pa.RecordBatch) -> np.ndarray:
        """Similarity of each pair (``float32``), reading each other part's signatures once."""
        left, right = (np.asarray(pairs.column(name)) for name in ("left", "right"))
        result = np.ones(len(left), np.float32)
        if self.config.bands.verify == "none":
            return result
        for part in np.unique(right >> 32).tolist():
            at = np.flatnonzero(right >> 32 == part)
            result[at] = self._between(left[at], right[at])
        return result

    def _between(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        one, other = (signature_matrix(self.signature(int(rows[0] >> 32)))[0] for rows in (left, right))
        return estimate_rows(one, left & 0xFFFFFFFF, other, right & 0xFFFFFFFF)


def unique_pairs(pairs: pa.RecordBatch) -> pa.RecordBatch:
    """Sorted distinct pairs: a pair that shares several bands is verified once."""
    both = np.stack([np.asarray(pairs.column(name)) for name in ("left", "right")], axis=1)
    distinct = np.unique(both, axis=0) if len(both) else both
    return pa.RecordBatch.from_arrays([pa.array(distinct[:, 0]), pa.array(distinct[:, 1])], schema=PAIR)


def by_hash(batch: pa.RecordBatch, *, partitions: int) -> np.ndarray:
    """Partition of each content hash."""
    return (content_keys(batch.column("content_hash")) % np.uint64(partitions)).astype(np.int64)


def by_band(batch: pa.RecordBatch, *, partitions: int) -> np.ndarray:
    """Partition of each band row."""
    return partition_of(np.asarray(batch.column("hash")), partitions)


def by_left_part(batch: pa.RecordBatch) -> np.ndarray:
    """Partition of each pair: the part of its left row."""
    return np.asarray(batch.column("left")) >> 32


@dataclass(frozen=True)
class WriteLinks:
    """Record an exchange's group as one unit of the stage; ``first`` is the unit of partition 0."""

    stage: Stage
    first: int
    write: Callable[[int, list[pa.RecordBatch]], UnitRecord]

    def __call__(self, element: tuple[int, list[pa.RecordBatch]]) -> int:
        """Write and record one partition."""
        number, batches = element
        return RunUnit(self.stage, lambda _: self.write(number, batches))(self.first + number)


@dataclass(frozen=True)
class PairBuckets:
    """Candidate pairs of one band partition; the report of its over-full buckets is written aside."""

    job: LinkJob
    stage: Stage
    first: int

    def __call__(self, element: tuple[int, list[pa.RecordBatch]]) -> Iterator[pa.RecordBatch]:
        """Pair up one partition."""
        number, values = element
        batches = [batch for batch in load_chunks(values) if batch.num_rows]
        pairs, report = concat([], PAIR), concat([], BUCKET)
        if batches:
            pairs, report = bucket_pairs(pa.concat_batches(batches), self.job.config.bands)
        name = self.job.names.link("buckets", number)
        capped = write_table(self.job.dataset.links, name, [report], BUCKET)
        self.stage.record(self.first + number, UnitRecord((name,), {"buckets_capped": capped}, {}))
        yield pairs


def link_stage(dataset: Dataset, config: LinkConfig, upstream: str) -> Stage:
    """The stage: for every part one exact, one bucket and one edge file."""
    return Stage(
        "link", dataset.links, fingerprint([config.fingerprint(), upstream]), 3 * dataset.parts(), upstream
    )


def link(engine: Engine, dataset: Dataset, stage: Stage, config: LinkConfig) -> Mapping[str, object]:
    """Run the stage as one Beam job; an interrupted one starts over (it moves kilobytes per file)."""
    stage.place.remove_tree()
    stage.begin()
    names = Names(stage.units // 3)
    job = LinkJob(dataset, names, config)
    dataset.work.remove_tree()
    engine.run("link", partial(_wire, engine=engine, job=job, stage=stage))
    dataset.work.remove_tree()
    return stage.commit()


def _wire(pipeline: beam.Pipeline, *, engine: Engine, job: LinkJob, stage: Stage) -> None:
    count, work = job.names.count, engine.exchange(job.dataset.work.child("link"))
    parts = pipeline | "Parts" >> engine.create(list(range(count)))
    hashes = parts | "Hashes" >> beam.FlatMap(job.hashes).with_output_types(pa.RecordBatch)
    by_content = hashes | "ByHash" >> Exchange(partial(by_hash, partitions=count), count, work)
    _ = by_content | "Exact" >> beam.Map(WriteLinks(stage, 0, job.write_exact))
    if job.config.near:
        bands = parts | "Bands" >> beam.FlatMap(job.bands).with_output_types(pa.RecordBatch)
        buckets = bands | "ByBand" >> Exchange(partial(by_band, partitions=count), count, work)
        pairs = buckets | "Pairs" >> beam.FlatMap(PairBuckets(job, stage, count)).with_output_types(
            pa.RecordBatch
        )
    else:
        none = PairBuckets(job, stage, count)
        numbers = pipeline | "NoBands" >> engine.create([(number, []) for number in range(count)])
        pairs = numbers | "Pairs" >> beam.FlatMap(none).with_output_types(pa.RecordBatch)
    by_left = pairs | "ByLeft" >> Exchange(by_left_part, count, work)
    _ = by_left | "Edges" >> beam.Map(WriteLinks(stage, 2 * count, job.write_edges))
