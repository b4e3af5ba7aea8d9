"""Measure: one pass over content, every kernel on the same batch; documents -> facts.

A unit of work is one part, so a fact file is row-aligned with the document file of the same name and nothing is ever
joined on content. What an older dataset knows of a part's texts (`pipelines.reuse`) is taken from there instead; of a
text that only moved, what reads its path or language is measured again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from columns.batch import concat, rebatch
from columns.document import DOCUMENT, UNMEASURABLE, typed_column
from columns.files import Place
from columns.fingerprint import code_fingerprint, fingerprint
from columns.tables import read_whole
from columns.words import Words, word_hashes
from contamination import ContaminationConfig, TaskGrams, evidence
from dedup import MinHashConfig, signature_type, signatures
from dedup.sets import shingle_sets
from filters import own_parameters
from pipelines.dataset import Dataset, Names
from pipelines.engine import Engine, run_units
from pipelines.families import FamilyConfig, measure_families
from pipelines.isolation import isolated, marked, unmeasurable, with_facts
from pipelines.measured import SETS, SIGNATURE, Layout, nest
from pipelines.metrics import kernel
from pipelines.reuse import MEASURED_BY, KeyConfig, Known, Reuse, gather
from pipelines.stage import COMMIT, Stage, UnitRecord, read_json

CARRIED = (
    "doc_id", "content_hash", "problem", "repo", "ref", "path", "language", "license", "size", "stars", "forks",
    "fork_of", "updated",
)  # fmt: skip
ROOMS = ("columns", "filters", "syntax", "licensing", "privacy", "dedup", "contamination")
MODULES = (
    "pipelines.families",
    "pipelines.isolation",
    "pipelines.measure",
    "pipelines.measured",
    "pipelines.reuse",
)
WORDS = pa.field("words", pa.int32(), metadata={"about": "words of the near-duplicate step"})
OF_TEXT = frozenset({"text", "encoded", "heuristics", "repetition", "tokens", "privacy"})
"""The families whose facts the text alone decides."""


@dataclass(frozen=True)
class MeasureConfig:
    """What is measured: the parts of a recipe that facts depend on. ``sets``: shingle sets are kept, too."""

    families: FamilyConfig
    minhash: MinHashConfig
    contamination: ContaminationConfig
    near: bool
    sets: bool = False

    def fingerprint(self) -> str:
        """Equal when the facts would be equal: configuration, benchmark texts and kernel code."""
        return fingerprint(self.identity())

    def identity(self) -> dict[str, str]:
        """What facts depend on besides documents, by the name a user knows it under."""
        index = benchmark_index(self.contamination).fingerprint
        settings = fingerprint([self.families.fingerprint(), self.minhash, self.near, self.sets, index])
        return {"code": code_fingerprint(*ROOMS, *MODULES), "settings": settings}

    def schema(self) -> pa.Schema:
        """Schema of the fact parts: what is carried from the documents, the families' facts, the words."""
        return pa.schema([*(DOCUMENT.field(name) for name in CARRIED), *self.layout().facts])

    def layout(self) -> Layout:
        """What is measured of a file, and where it is kept."""
        facts = pa.schema([*self.families.schema(), WORDS])
        lists = ("overlaps", "spans") if "privacy" in self.families.names else ("overlaps",)
        return Layout(facts, signature_type(self.minhash), self.sets, lists)

    def keys(self) -> KeyConfig:
        """Which document columns facts are made from besides the text: path, language and what own code reads."""
        read = {name for code in self.families.own for name in own_parameters(code)} & set(DOCUMENT.names)
        named = sorted(read - {"content", "content_hash", "path", "language"})
        return KeyConfig(("path", "language", *named), moved=not self.families.own)


class Facts(NamedTuple):
    """What one batch of documents measures to.

    ``facts``, ``signature`` and ``sets`` are row-aligned with it; ``overlaps`` and ``spans`` name its rows.
    """

    facts: pa.RecordBatch
    signature: pa.Array
    overlaps: pa.RecordBatch
    spans: pa.RecordBatch
    sets: pa.Array | None = None

    def rows(self, layout: Layout) -> pa.RecordBatch:
        """All of it, one row per document."""
        count = self.facts.num_rows
        found: dict[str, pa.Array] = {name: self.facts.column(name) for name in layout.facts.names}
        found |= {SIGNATURE: self.signature, SETS: self.sets}
        found |= {"overlaps": nest(self.overlaps, count), "spans": nest(self.spans, count)}
        return pa.RecordBatch.from_arrays([found[name] for name in layout.schema.names], schema=layout.schema)


@lru_cache(maxsize=4)
def benchmark_index(config: ContaminationConfig) -> TaskGrams:
    """The benchmark index of a configuration, built once per process."""
    return config.index()


def signature_schema(config: MinHashConfig) -> pa.Schema:
    """Schema of the signature parts."""
    return pa.schema([pa.field(SIGNATURE, signature_type(config))])


def measure_batch(batch: pa.RecordBatch, config: MeasureConfig) -> Facts:
    """Every fact of a batch of documents, in one pass over its content."""
    content = typed_column(batch, "content")
    with kernel("words", batch.num_rows):
        words = word_hashes(content)
    facts = [typed_column(batch, name) for name in CARRIED]
    families = measure_families(batch, config.families)
    facts += [column for measured in families.facts for column in measured.columns]
    facts.append(pa.array(np.diff(words.starts).astype(np.int32)))
    signature = pa.nulls(batch.num_rows, signature_type(config.minhash))
    if config.near:
        with kernel("signatures", batch.num_rows):
            signature = signatures(content, config.minhash, words=words)
    with kernel("overlaps", batch.num_rows):
        found = _leaking(batch, config, words)
    sets = shingle_sets(content, config.minhash, words=words) if config.sets else None
    rows = pa.RecordBatch.from_arrays(facts, schema=config.schema())
    return Facts(rows, signature, found, families.spans, sets)


def _leaking(batch: pa.RecordBatch, config: MeasureConfig, words: Words | None = None) -> pa.RecordBatch:
    """The evidence of benchmark tasks in a batch, by row."""
    index = benchmark_index(config.contamination)
    found = evidence(typed_column(batch, "content"), typed_column(batch, "language"), index, words)
    order = np.argsort(np.asarray(found.column("row")), kind="stable")
    return found.take(pa.array(order))


def measure_moved(batch: pa.RecordBatch, known: pa.RecordBatch, config: MeasureConfig) -> pa.RecordBatch:
    """What is ``known`` of the documents' texts, with the facts that read more than the text measured again."""
    names = tuple(name for name in config.families.names if name not in OF_TEXT)
    again = measure_families(batch, dataclasses.replace(config.families, names=names)).facts
    fresh = {name: found.column(name) for found in again for name in found.schema.names}
    fresh["overlaps"] = nest(_leaking(batch, config), batch.num_rows)
    columns = [fresh[name] if name in fresh else known.column(name) for name in known.schema.names]
    return pa.RecordBatch.from_arrays(columns, schema=known.schema)


class Piece(NamedTuple):
    """Rows of a part, ascending, and what is measured of each."""

    rows: np.ndarray
    measured: pa.RecordBatch


@dataclass(frozen=True)
class MeasurePart:
    """The work of one unit: read a document part, write what is measured of it.

    ``reuse`` says what an older dataset knows of the part; only the rest is read and measured.
    """

    dataset: Dataset
    names: Names
    config: MeasureConfig
    batch_bytes: int
    reuse: Reuse | None = None

    def __call__(self, part: int) -> UnitRecord:
        """Measure one part."""
        layout, name = self.config.layout(), self.names.part(part)
        table = read_whole(self.dataset.documents, name, list(CARRIED))
        carried = concat(table.to_batches(), table.schema).select(list(CARRIED))
        known = self._known(part, carried.num_rows)
        found = known.elsewhere
        whole, moved = (found.filter(pc.equal(found.column("whole"), kind)) for kind in (True, False))
        absent = np.setdiff1d(np.flatnonzero(known.at < 0), np.asarray(found.column("row")))
        rows = placed(known, [_piece(whole), *self._moved(part, moved), *self._absent(part, absent)])
        carried = marked(carried, rows, name)
        written = layout.write(self.dataset.facts, self.names, part, carried, rows)
        reused = int((known.at >= 0).sum()) + len(whole)
        counts = {"rows": len(rows), "reused": reused, "moved": len(moved), "measured": len(absent)}
        counts |= {kind: written[getattr(self.names, kind)(part)] for kind in layout.lists}
        if lost := unmeasurable(carried):
            counts[f"problem.{UNMEASURABLE}"] = lost
        return UnitRecord(tuple(written), counts, {})

    def _known(self, part: int, rows: int) -> Known:
        if self.reuse is not None:
            known = self.reuse.known(part)
            found = known.elsewhere
            return known._replace(elsewhere=found.filter(pc.or_(found.column("whole"), with_facts(found))))
        none = self.config.layout().none()
        nowhere = concat([], pa.schema([("row", pa.int64()), ("whole", pa.bool_()), *none.schema]))
        return Known(none, np.full(rows, -1, np.int64), nowhere)

    def _moved(self, part: int, known: pa.RecordBatch) -> Iterator[Piece]:
        """Texts that are known, under another path or language."""
        at = _piece(known)
        start = 0
        for batch in self._documents(part, at.rows):
            stored = at.measured.slice(start, batch.num_rows)
            moved = partial(measure_moved, known=stored, config=self.config)
            for measured in isolated(batch, self._measured, moved):
                yield Piece(at.rows[start : start + measured.num_rows], measured)
                start += measured.num_rows

    def _absent(self, part: int, rows: np.ndarray) -> Iterator[Piece]:
        """Texts of which nothing is known."""
        start = 0
        for batch in self._documents(part, rows):
            for measured in isolated(batch, self._measured):
                yield Piece(rows[start : start + measured.num_rows], measured)
                start += measured.num_rows

    def _measured(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        return measure_batch(batch, self.config).rows(self.config.layout())

    def _documents(self, part: int, rows: np.ndarray) -> Iterator[pa.RecordBatch]:
        return rebatch(read_rows(self.dataset.documents, self.names.part(part), rows), self.batch_bytes)


def placed(known: Known, pieces: Sequence[Piece]) -> pa.RecordBatch:
    """All rows of a part in their order: the stored ones that are known, and those of the pieces."""
    index, first = known.at.copy(), known.stored.num_rows
    for piece in pieces:
        index[piece.rows] = np.arange(first, first + len(piece.rows))
        first += len(piece.rows)
    whole = concat([known.stored, *(piece.measured for piece in pieces)], known.stored.schema)
    return whole.take(pa.array(index))


def _piece(known: pa.RecordBatch) -> Piece:
    return Piece(np.asarray(known.column("row")), known.select(known.schema.names[2:]))


def read_rows(place: Place, name: str, rows: np.ndarray) -> Iterator[pa.RecordBatch]:
    """The given rows (ascending) of a Parquet part, one batch per row group that has any."""
    with place.open(name) as source, pq.ParquetFile(source) as parquet:
        start = 0
        for group in range(parquet.num_row_groups):
            end = start + parquet.metadata.row_group(group).num_rows
            some = rows[np.searchsorted(rows, start) : np.searchsorted(rows, end)] - start
            if len(some):
                table = parquet.read_row_group(group, use_threads=False)
                batch = concat(table.to_batches(), table.schema)
                yield batch if len(some) == batch.num_rows else batch.take(pa.array(some))
            start = end


def measure_stage(dataset: Dataset, config: MeasureConfig, upstream: str) -> Stage:
    """The stage, bound to the documents it measures."""
    return Stage(
        "measure", dataset.facts, fingerprint([config.fingerprint(), upstream]), dataset.parts(), upstream
    )


def measure(
    engine: Engine,
    dataset: Dataset,
    stage: Stage,
    config: MeasureConfig,
    old: Place | None = None,
    *,
    linked: bool = False,
) -> Mapping[str, object]:
    """Run the stage as one Beam job over the parts that are left, after one that finds what ``old`` knows of them.

    ``linked``: facts of parts whose documents are the same file are linked.
    """
    pending, reuse = stage.begin(), None
    if old is not None:
        reuse = Reuse.of(old, dataset, config.layout(), config.keys())
        same = same_parts(Dataset(old), dataset) if linked else frozenset[int]()
        for part in pending:
            if part in same:
                _inherit(stage, part, Dataset(old))
        pending = [part for part in pending if part not in same]
        gather(engine, reuse, pending)
    work = MeasurePart(dataset, Names(stage.units), config, engine.batch_bytes, reuse)
    run_units(engine, stage, work, pending)
    dataset.work.remove_tree()
    return stage.commit({MEASURED_BY: config.identity()})


def _inherit(stage: Stage, part: int, old: Dataset) -> None:
    """Take over the facts of a part whose documents are the old one's, file by file."""
    commit = read_json(old.facts, COMMIT) or {}
    counts = commit["each"][part]["counts"]
    stage.inherit(part, old.facts, commit, counts | {"reused": counts["rows"], "moved": 0, "measured": 0})


def same_parts(old: Dataset, new: Dataset) -> frozenset[int]:
    """The parts whose documents are the same file in both datasets; none where the numbers of parts differ."""
    commits = [read_json(dataset.documents, COMMIT) or {} for dataset in (old, new)]
    before, after = (commit.get("outputs", []) for commit in commits)
    if len(before) != len(after) or "each" not in (read_json(old.facts, COMMIT) or {}):
        return frozenset()
    return frozenset(part for part, output in enumerate(after) if output == before[part])
