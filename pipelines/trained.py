"""Trained: the stage that makes a dataset's tokenizer, on a sample of the kept files, from a file, or from before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa

from columns.batch import concat, row_bytes
from columns.beam import Exchange, load_chunks
from columns.files import Place
from columns.hashing import unit_hash
from columns.tables import read_whole
from pipelines.dataset import Dataset, Names
from pipelines.engine import Engine
from pipelines.redacting import Texts
from pipelines.stage import COMMIT, RunUnit, Stage, UnitRecord, read_json
from shards import TokenizerConfig, make_tokenizer, sample

SAMPLE = pa.schema([pa.field("content_hash", pa.binary(32)), pa.field("content", pa.large_string())])
OVERSAMPLE = 1.25


@dataclass(frozen=True)
class SampleTexts:
    """A part's share of the training sample: kept files whose content hashes below the sampling rate."""

    dataset: Dataset
    names: Names
    rate: float
    seed: int

    def __call__(self, part: int) -> Iterator[pa.RecordBatch]:
        """Yield the sampled texts."""
        kept = read_whole(self.dataset.ledger, self.names.part(part), ["kept"]).column("kept").to_numpy()
        limit, row = np.uint64(min(self.rate, 1.0) * (2**64 - 1025)), 0
        for batch in Texts(self.dataset, self.names)(part, SAMPLE.names):
            hashes = [digest or b"" for digest in batch.column("content_hash").to_pylist()]
            chosen = (unit_hash(f"presample/{self.seed}", hashes) <= limit) & kept[row : row + len(hashes)]
            row += len(hashes)
            yield batch.select(SAMPLE.names).cast(SAMPLE).filter(pa.array(chosen))


@dataclass(frozen=True)
class TrainTokenizer:
    """Train on the gathered sample, in the order of its content hashes, and save."""

    dataset: Dataset
    stage: Stage
    config: TokenizerConfig

    def __call__(self, element: tuple[int, list[pa.RecordBatch]]) -> None:
        """Train, save and record."""
        batch = concat(load_chunks(element[1]), SAMPLE)
        chosen = sample(
            batch.column("content_hash"), row_bytes(batch), self.config.sample_bytes, self.config.sample_seed
        )
        texts = batch.filter(pa.array(chosen)).sort_by("content_hash").column("content").to_pylist()
        save_tokenizer(self.dataset.tokenizer, self.stage, self.config, texts)


def save_tokenizer(place: Place, stage: Stage, config: TokenizerConfig, texts: list[str]) -> None:
    """Make the tokenizer, save it and record the stage's one unit."""

    def work(_unit: int) -> UnitRecord:
        tokenizer = make_tokenizer(config, texts)
        tokenizer.save(place)
        about = {
            "kind": config.spec.partition(":")[0], "name": tokenizer.name, "sha256": tokenizer.sha256,
            "identity": tokenizer.identity,
            "vocab_size": tokenizer.vocab_size,
            "padded_vocab_size": tokenizer.padded_vocab_size, "eot": tokenizer.eot_id, "sampled_files": len(texts),
        }  # fmt: skip
        return UnitRecord(tuple(place.names()), {}, about)

    RunUnit(stage, work)(0)


def make_tokenizer_stage(engine: Engine, dataset: Dataset, stage: Stage, config: TokenizerConfig) -> None:
    """Run the tokenizer stage: one Beam job when it is trained, a file read otherwise."""
    if not stage.begin():
        stage.commit()
        return
    if config.spec == "train":
        engine.run(
            "tokenizer", partial(_wire_training, dataset=dataset, stage=stage, config=config, engine=engine)
        )
        dataset.work.remove_tree()
    else:
        save_tokenizer(dataset.tokenizer, stage, config, [])
    stage.commit()


def _wire_training(
    pipeline: beam.Pipeline, *, dataset: Dataset, stage: Stage, config: TokenizerConfig, engine: Engine
) -> None:
    names = Names(dataset.parts())
    rate = OVERSAMPLE * config.sample_bytes / max(1, _kept_bytes(dataset))
    texts = SampleTexts(dataset, names, rate, config.sample_seed)
    parts = pipeline | "Parts" >> engine.create(list(range(names.count)))
    sampled = parts | "Sample" >> beam.FlatMap(texts).with_output_types(pa.RecordBatch)
    work = engine.exchange(dataset.work.child("tokenizer"))
    gathered = sampled | "Gather" >> Exchange(_together, 1, work)
    _ = gathered | "Train" >> beam.Map(TrainTokenizer(dataset, stage, config))


def _together(batch: pa.RecordBatch) -> np.ndarray:
    return np.zeros(batch.num_rows, np.int64)


def _kept_bytes(dataset: Dataset) -> int:
    counts = (read_json(dataset.ledger, COMMIT) or {})["counts"]
    return counts["bytes"] - sum(n for key, n in counts.items() if key.startswith("bytes."))


def keep_tokenizer(stage: Stage, place: Place, commit: Mapping[str, Any]) -> None:
    """Run the tokenizer stage by taking the tokenizer that another dataset trained."""
    for unit in stage.begin():
        stage.inherit(unit, place, commit)
    stage.commit()
