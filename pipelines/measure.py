"""Measure: one pass over content, every kernel on the same batch; documents -> facts.

A unit of work is one part, so a fact file is row-aligned with the document file of the same name and
nothing is ever joined on content.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from columns.batch import concat, rebatch
from columns.beam import count
from columns.document import DOCUMENT, typed_column
from columns.fingerprint import code_fingerprint, fingerprint
from columns.tables import read_table, write_arrow, write_table
from columns.words import word_hashes
from contamination import OVERLAPS, ContaminationConfig, Index, build_index, overlaps
from dedup import MinHashConfig, signatures
from pipelines.dataset import Dataset, Names
from pipelines.engine import Engine, run_units
from pipelines.families import FamilyConfig, measure_families
from pipelines.stage import Stage, UnitRecord
from privacy import SPANS

CARRIED = (
    "doc_id", "content_hash", "problem", "repo", "ref", "path", "language", "license", "size", "stars", "forks",
    "updated",
)  # fmt: skip
ROOMS = ("columns", "filters", "syntax", "licensing", "privacy", "dedup", "contamination")
WORDS = pa.field("words", pa.int32(), metadata={"about": "words of the near-duplicate step"})


@dataclass(frozen=True)
class MeasureConfig:
    """What is measured: the parts of a recipe that facts depend on."""

    families: FamilyConfig
    minhash: MinHashConfig
    contamination: ContaminationConfig
    near: bool

    def fingerprint(self) -> str:
        """Equal when the facts would be equal: configuration, benchmark texts and kernel code."""
        code = code_fingerprint(*ROOMS, "pipelines.families", "pipelines.measure")
        index = benchmark_index(self.contamination).fingerprint
        return fingerprint([self.families.fingerprint(), self.minhash, self.near, index, code])

    def schema(self) -> pa.Schema:
        """Schema of the fact parts: what is carried from the documents, the families' facts, the words."""
        return pa.schema([*(DOCUMENT.field(name) for name in CARRIED), *self.families.schema(), WORDS])


class Facts(NamedTuple):
    """What one batch of documents measures to.

    ``facts`` and ``signature`` are row-aligned with it; ``overlaps`` and ``spans`` name its rows.
    """

    facts: pa.RecordBatch
    signature: pa.Array
    overlaps: pa.RecordBatch
    spans: pa.RecordBatch


@lru_cache(maxsize=4)
def benchmark_index(config: ContaminationConfig) -> Index:
    """The benchmark index of a configuration, built once per process."""
    return build_index(config)


def signature_schema(config: MinHashConfig) -> pa.Schema:
    """Schema of the signature parts."""
    return pa.schema([pa.field("signature", pa.list_(pa.uint32(), config.num_perm))])


def measure_batch(batch: pa.RecordBatch, config: MeasureConfig, *, base_row: int = 0) -> Facts:
    """Every fact of a batch of documents, in one pass over its content."""
    content = typed_column(batch, "content")
    words = word_hashes(content)
    facts = [typed_column(batch, name) for name in CARRIED]
    families = measure_families(batch, config.families)
    facts += [column for measured in families.facts for column in measured.columns]
    facts.append(pa.array(np.diff(words.starts).astype(np.int32)))
    kind = signature_schema(config.minhash).field(0).type
    signature = (
        signatures(content, config.minhash, words=words) if config.near else pa.nulls(batch.num_rows, kind)
    )
    found = overlaps(content, benchmark_index(config.contamination), words=words, base_row=base_row)
    spans = families.spans.set_column(0, SPANS.field(0), pc.add(families.spans.column(0), base_row))
    return Facts(pa.RecordBatch.from_arrays(facts, schema=config.schema()), signature, found, spans)


@dataclass(frozen=True)
class MeasurePart:
    """The work of one unit: read a document part, write its facts, signatures and overlaps."""

    dataset: Dataset
    names: Names
    config: MeasureConfig
    batch_bytes: int

    def __call__(self, part: int) -> UnitRecord:
        """Measure one part."""
        measured = list(self._batches(part))
        place = self.dataset.facts
        schema = signature_schema(self.config.minhash)
        facts = concat((m.facts for m in measured), self.config.schema())
        signature = [pa.RecordBatch.from_arrays([m.signature], schema=schema) for m in measured]
        outputs: tuple[str, ...] = (
            self.names.part(part),
            self.names.signatures(part),
            self.names.overlaps(part),
        )
        write_table(place, outputs[0], [facts], facts.schema)
        write_arrow(place, outputs[1], [concat(signature, schema)], schema)
        found = write_table(place, outputs[2], [concat((m.overlaps for m in measured), OVERLAPS)], OVERLAPS)
        counts = {"rows": facts.num_rows, "overlaps": found}
        if "privacy" in self.config.families.names:
            spans = concat((m.spans for m in measured), SPANS)
            counts["spans"] = write_table(place, self.names.spans(part), [spans], SPANS)
            outputs = (*outputs, self.names.spans(part))
        return UnitRecord(outputs, counts, {})

    def _batches(self, part: int) -> Iterator[Facts]:
        row = 0
        for batch in rebatch(read_table(self.dataset.documents, self.names.part(part)), self.batch_bytes):
            yield measure_batch(batch, self.config, base_row=row)
            row += batch.num_rows
            count("measure.rows", batch.num_rows)


def measure_stage(dataset: Dataset, config: MeasureConfig, upstream: str) -> Stage:
    """The stage, bound to the documents it measures."""
    return Stage(
        "measure", dataset.facts, fingerprint([config.fingerprint(), upstream]), dataset.parts(), upstream
    )


def measure(engine: Engine, dataset: Dataset, stage: Stage, config: MeasureConfig) -> Mapping[str, object]:
    """Run the stage as one Beam job over the parts that are left."""
    pending = stage.begin()
    run_units(engine, stage, MeasurePart(dataset, Names(stage.units), config, engine.batch_bytes), pending)
    return stage.commit()
