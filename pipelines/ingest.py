"""Ingest: sources -> document parts. Content is written once, in an order that no worker decides.

Units of the sources are read in any order on any worker; every document then goes to the part that
its ``doc_id`` names and is sorted there, so the same input gives the same parts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import apache_beam as beam
import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from columns.batch import concat
from columns.beam import Exchange, load_chunks
from columns.document import DOC_ID_BYTES, DOCUMENT, typed_column
from columns.errors import InputError
from columns.files import Place
from columns.fingerprint import code_fingerprint, fingerprint
from columns.tables import write_documents, write_table
from columns.urls import without_login
from pipelines.dataset import REPOSITORIES, Dataset, Names
from pipelines.engine import Engine
from pipelines.metrics import of_unit
from pipelines.sections import LayoutConfig
from pipelines.stage import Stage, UnitRecord
from pipelines.wording import skipped as reason_text
from sources import (
    Access,
    BigQueryQuery,
    BigQueryTable,
    IngestConfig,
    Listing,
    Source,
    StreamUnit,
    Unit,
    parse_spec,
    read_unit,
)
from sources.bigquery.splitting import ClaimedStream, StreamRanges

_RANGES = beam.DoFn.RestrictionParam(StreamRanges())


@dataclass(frozen=True)
class Inputs:
    """What the sources list before anything is read; ``pinned``: specs that read the same again, by spec."""

    specs: tuple[str, ...]
    units: tuple[Unit, ...]
    skipped: Mapping[str, int]
    total_bytes: int
    fingerprint: str
    pinned: Mapping[str, str]
    listings: tuple[Listing, ...]

    def discard(self) -> None:
        """Remove clones, and give stores back."""
        for listing in self.listings:
            listing.discard()


def list_inputs(
    specs: Sequence[str], config: IngestConfig, work: Place, access: Access | None = None
) -> Inputs:
    """List every source; the order in which they were given does not matter.

    What all of them cost is said, checked and confirmed before the first one is billed.
    """
    ordered = tuple(sorted(set(specs)))
    folder = str(work.local) if work.local else None
    agreed = [_agreed(parse_spec(spec, access), config) for spec in ordered]
    listings = tuple(source.units(config, workdir=folder) for source in agreed)
    units = tuple(unit for listing in listings for unit in listing.units)
    if not units:
        raise InputError(
            _nothing(ordered, config, listings), hint="give other --input, or other ingest.languages"
        )
    skipped: Counter[str] = Counter()
    for listing in listings:
        skipped.update(listing.skipped)
    total = sum(listing.total_bytes for listing in listings)
    identity = fingerprint([listing.stamp for listing in listings])
    pinned = {spec: one.pinned for spec, one in zip(ordered, listings, strict=True) if one.pinned}
    return Inputs(ordered, units, dict(sorted(skipped.items())), total, identity, pinned, listings)


def write_repositories(dataset: Dataset, inputs: Inputs) -> None:
    """Write what became of each repository of the lists among the inputs; nothing where there are no lists."""
    tables = [listing.repositories for listing in inputs.listings if listing.repositories is not None]
    if not tables:
        dataset.place.remove([REPOSITORIES])
        return
    table = pa.concat_tables(tables).sort_by([("repo", "ascending"), ("ref", "ascending")])
    write_table(dataset.place, REPOSITORIES, table.combine_chunks().to_batches(), table.schema)


def _agreed(source: Source, config: IngestConfig) -> Source:
    return source.agreed(config) if isinstance(source, BigQueryTable | BigQueryQuery) else source


def _nothing(specs: Sequence[str], config: IngestConfig, listings: Sequence[Listing]) -> str:
    seen: Counter[str] = Counter()
    for listing in listings:
        seen.update(listing.skipped)
    found = ", ".join(f"{reason_text(reason)}: {number:,}" for reason, number in sorted(seen.items()))
    wanted = ", ".join(config.languages) or "any known language"
    named = without_login(", ".join(specs))
    return f"nothing to read in {named}: expected files in {wanted}, found {found or 'no entries'}"


def part_of(batch: pa.RecordBatch, *, parts: int) -> np.ndarray:
    """The part of each document: its ``doc_id``'s first 32 bits, scaled to the number of parts."""
    ids = typed_column(batch, "doc_id")
    raw = np.frombuffer(ids.buffers()[1], np.uint8)
    rows = raw[ids.offset * DOC_ID_BYTES : (ids.offset + len(ids)) * DOC_ID_BYTES].reshape(-1, DOC_ID_BYTES)
    heads = rows[:, :4].copy().view(">u4").ravel().astype(np.uint64)
    return ((heads * np.uint64(parts)) >> np.uint64(32)).astype(np.int64)


def in_order(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Documents sorted by repo, path, identity and provenance: a total order up to equal rows."""
    keys = pa.table({
        "repo": batch.column("repo"), "path": batch.column("path"),
        "doc_id": batch.column("doc_id").cast(pa.binary()), "provenance": batch.column("provenance"),
    })  # fmt: skip
    return batch.take(pc.sort_indices(keys, [(name, "ascending") for name in keys.column_names]))


@dataclass(frozen=True)
class ReadUnit:
    """Read one unit of a source; a marker file says that it was read and which rows were left out."""

    config: IngestConfig
    progress: Place
    batch_bytes: int

    def __call__(self, element: tuple[int, Unit]) -> Iterator[pa.RecordBatch]:
        """Yield the unit's document batches."""
        number, unit = element
        return self.rows(unit, f"{number:07d}")

    def rows(self, unit: Unit, marker: str) -> Iterator[pa.RecordBatch]:
        """Yield a unit's document batches, then write its marker."""
        skipped: Counter[str] = Counter()
        yield from read_unit(unit, self.config, batch_bytes=self.batch_bytes, skipped=skipped)
        self.progress.write_bytes(marker, orjson.dumps(skipped))


class ReadStream(beam.DoFn):
    """Read a unit that the runner can cut in two while it is read; each piece has a marker of its own."""

    def __init__(self, read: ReadUnit) -> None:
        self._read = read

    def process(self, element: tuple[int, StreamUnit], tracker: Any = _RANGES) -> Iterator[pa.RecordBatch]:
        """Yield the document batches of what is left to the element."""
        number, unit = element
        marker = f"{number:07d}{tracker.current_restriction().mark}"
        yield from self._read.rows(ClaimedStream.of(unit, tracker), marker)


@dataclass(frozen=True)
class WritePart:
    """Write one document part from its exchanged rows."""

    dataset: Dataset
    names: Names
    stage: Stage

    def __call__(self, element: tuple[int, list[pa.RecordBatch]]) -> int:
        """Sort, write and record one part."""
        part, values = element
        batch = concat(load_chunks(values), DOCUMENT)
        record = write_part(self.dataset, self.names, part, batch)
        self.stage.record(part, record)
        of_unit(self.stage.name, record.counts)
        return part


def write_part(dataset: Dataset, names: Names, part: int, batch: pa.RecordBatch) -> UnitRecord:
    """Write the documents of one part in their order."""
    batch, name = in_order(batch), names.part(part)
    write_documents(dataset.documents, name, [batch], DOCUMENT)
    return UnitRecord((name,), _counts(batch), {})


def _counts(batch: pa.RecordBatch) -> dict[str, int]:
    problems = Counter(str(p).split(":")[0] for p in batch.column("problem").to_pylist() if p is not None)
    sizes = pc.sum(batch.column("size")).as_py() or 0
    return {"files": batch.num_rows, "bytes": sizes, **{f"problem.{k}": n for k, n in problems.items()}}


def ingest_stage(dataset: Dataset, inputs: Inputs, config: IngestConfig, layout: LayoutConfig) -> Stage:
    """The stage, bound to what the sources listed."""
    parts = layout.count(inputs.total_bytes)
    return bound_stage(dataset, config, layout, inputs.fingerprint, parts)


def bound_stage(
    dataset: Dataset, config: IngestConfig, layout: LayoutConfig, listed: str, parts: int
) -> Stage:
    """The stage for inputs whose listing has the fingerprint ``listed``."""
    code = code_fingerprint("columns", "sources", "pipelines.ingest")
    return Stage("ingest", dataset.documents, fingerprint([config, layout, listed, code]), parts)


def ingest(
    engine: Engine, dataset: Dataset, stage: Stage, inputs: Inputs, config: IngestConfig
) -> Mapping[str, object]:
    """Run the stage as one Beam job: read units, exchange by part, write parts."""
    stage.place.remove_tree()
    stage.begin()
    scratch = dataset.work.child("ingest")
    scratch.remove_tree()
    wire = partial(_wire, dataset=dataset, stage=stage, inputs=inputs, config=config, engine=engine)
    engine.run("ingest", wire)
    skipped = Counter(inputs.skipped)
    for name in scratch.child("read").names():
        skipped.update(orjson.loads(scratch.child("read").read(name)))
    return stage.commit(
        {
            "inputs": [without_login(spec) for spec in inputs.specs],
            "pinned": {without_login(spec): without_login(pin) for spec, pin in inputs.pinned.items()},
            "skipped": dict(sorted(skipped.items())),
            "listed": inputs.fingerprint,
        }
    )


def _wire(
    pipeline: beam.Pipeline,
    *,
    dataset: Dataset,
    stage: Stage,
    inputs: Inputs,
    config: IngestConfig,
    engine: Engine,
) -> None:
    scratch, parts = dataset.work.child("ingest"), stage.units
    work = engine.exchange(scratch.child("chunks"))
    read = ReadUnit(config, scratch.child("read"), engine.batch_bytes)
    batches = _batches(pipeline, engine, inputs, read)
    gathered = batches | "Exchange" >> Exchange(partial(part_of, parts=parts), parts, work)
    _ = gathered | "Write" >> beam.Map(WritePart(dataset, Names(parts), stage))


def _batches(
    pipeline: beam.Pipeline, engine: Engine, inputs: Inputs, read: ReadUnit
) -> beam.PCollection[pa.RecordBatch]:
    """The documents of all units: of streams, which can be cut, and of the others."""
    units = list(enumerate(inputs.units))
    streams = [(number, unit) for number, unit in units if isinstance(unit, StreamUnit)]
    others = [(number, unit) for number, unit in units if not isinstance(unit, StreamUnit)]
    found = []
    if others:
        listed = pipeline | "Units" >> engine.create(others)
        found.append(listed | "Read" >> beam.FlatMap(read).with_output_types(pa.RecordBatch))
    if streams:
        listed = pipeline | "Streams" >> engine.create(streams)
        found.append(listed | "ReadStreams" >> beam.ParDo(ReadStream(read)).with_output_types(pa.RecordBatch))
    return found | beam.Flatten() if len(found) > 1 else found[0]
