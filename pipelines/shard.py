"""Shard: documents + ledger -> tokenizer, token parts, packed shards.

Three stages in one: the tokenizer (trained on a sample of the survivors, or read), the tokens of every
part, and the shards. A shard is a range of shuffle keys; it gathers its slice of every token part, so
memory is bounded by one shard and the token parts are the exchange.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa

from columns.batch import concat, row_bytes
from columns.beam import Exchange, count, load_chunks
from columns.files import Place
from columns.fingerprint import code_fingerprint, fingerprint
from columns.hashing import unit_hash
from columns.tables import read_arrow, read_whole, write_arrow
from pipelines.dataset import Dataset, Names
from pipelines.engine import Engine, run_units
from pipelines.nodes import FunctionNodes
from pipelines.progress import StageRunner, Watch
from pipelines.redacting import Texts
from pipelines.stage import COMMIT, RunUnit, Stage, UnitRecord, outputs_fingerprint, read_json
from shards import (
    Documents,
    PackConfig,
    Packed,
    TokenizerConfig,
    TransformConfig,
    count_tokens,
    formed,
    gather,
    gather_rows,
    key_range,
    load_tokenizer,
    make_tokenizer,
    pack,
    pool,
    sample,
    shard_count,
    shard_names,
    tokenise_part,
    write_shard,
    write_tokens,
)
from shards.format import SPLITS, Split, shard_schema
from syntax import SyntaxConfig, syntax_identity

SAMPLE = pa.schema([pa.field("content_hash", pa.binary(32)), pa.field("content", pa.large_string())])
OVERSAMPLE = 1.25


@dataclass(frozen=True)
class ShardConfig:
    """What shards depend on."""

    tokenizer: TokenizerConfig
    pack: PackConfig
    transforms: TransformConfig = field(default_factory=TransformConfig)
    syntax: SyntaxConfig = field(default_factory=SyntaxConfig)

    @property
    def nodes(self) -> FunctionNodes | None:
        """What finds the spans of functions and classes, where they are asked for."""
        return FunctionNodes(self.syntax) if self.transforms.infill.unit == "node" else None

    def forming(self) -> list[Any]:
        """What the token parts depend on beside texts, tokenizer and seed."""
        parser = [self.syntax, syntax_identity(), code_fingerprint("syntax")] if self.nodes else []
        return [self.transforms, parser]


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


@dataclass(frozen=True)
class TokenisePart:
    """The work of one unit: the tokens of one part's kept documents, in shuffle order."""

    dataset: Dataset
    names: Names
    seed: int
    transforms: TransformConfig = field(default_factory=TransformConfig)
    nodes: FunctionNodes | None = None

    def __call__(self, part: int) -> UnitRecord:
        """Tokenise one part."""
        name = self.names.part(part)
        ledger = read_whole(self.dataset.ledger, name, ["kept", "split"])
        columns = ["doc_id", "content", "language", *self.transforms.columns]
        documents = Texts(self.dataset, self.names)(part, columns)
        tokenizer = load_tokenizer(self.dataset.tokenizer)
        tokens = tokenise_part(documents, ledger, tokenizer, self.seed, self.transforms, self.nodes)
        rows = write_tokens(self.dataset.tokens, self.names.tokens(part), tokens)
        count("tokenise.files", rows)
        counts = {"documents": rows}
        for column in ("split", "language"):
            counts |= {f"{column}.{key}": n for key, n in count_tokens(tokens, column).items()}
        return UnitRecord((self.names.tokens(part),), counts, {})


@dataclass(frozen=True)
class PackShard:
    """The work of one unit: gather, pack and write one shard; what is left of it waits for the pool."""

    dataset: Dataset
    names: Names
    config: PackConfig
    plan: tuple[tuple[Split, int], ...]
    transforms: TransformConfig = field(default_factory=TransformConfig)

    def __call__(self, unit: int) -> UnitRecord:
        """Write one shard and account for its tokens."""
        split, index, total = self._place_of(unit)
        documents, counts = self._documents(split, index, total)
        packed = pack(documents, load_tokenizer(self.dataset.tokenizer).eot_id, self.config)
        if self.config.pools:
            write_arrow(self.rests, shard_names(split, total)[index], [packed.rest], packed.rest.schema)
        return self._written(shard_names(split, total + self.config.pools)[index], packed, counts)

    def _documents(self, split: Split, index: int, total: int) -> tuple[Documents, dict[str, int]]:
        """One shard's documents as they are packed, and the counts of their transforms."""
        parts = [self.names.tokens(part) for part in range(self.names.count)]
        lo, hi = key_range(index, total)
        if not self.transforms.active:
            return gather(self.dataset.tokens, parts, lo, hi, split), {}
        rows = gather_rows(self.dataset.tokens, parts, lo, hi, split)
        return formed(rows, self.transforms, self.config, load_tokenizer(self.dataset.tokenizer))

    def pool(self, unit: int) -> UnitRecord:
        """Write the shard of what the others of a split have left."""
        split, total = self.plan[unit - sum(total for _, total in self.plan)]
        rests = [batch for name in shard_names(split, total) for batch in read_arrow(self.rests, name)]
        tokenizer = load_tokenizer(self.dataset.tokenizer)
        rows = concat(rests, shard_schema(self.config.seq_len, tokenizer.dtype, self.transforms.notes))
        packed = pool(rows, tokenizer.eot_id, self.config)
        return self._written(shard_names(split, total + 1)[-1], packed, {})

    @property
    def rests(self) -> Place:
        """Where incomplete rows wait."""
        return self.dataset.shards.child("rests")

    def _written(self, name: str, packed: Packed, formed: dict[str, int]) -> UnitRecord:
        tokenizer = load_tokenizer(self.dataset.tokenizer)
        info = write_shard(
            self.dataset.shards,
            name,
            packed,
            self.config,
            tokenizer_sha256=tokenizer.identity,
            eot_id=tokenizer.eot_id,
            grouped=self.transforms.repository.join,
        )
        counts = {
            "produced": packed.produced, "written": packed.written, "padding": packed.padding,
            "split_documents": packed.split_documents,
        }  # fmt: skip
        counts |= {f"dropped.{rule}": n for rule, n in packed.dropped.items()} | formed
        return UnitRecord((name,), counts, asdict(info))

    def _place_of(self, unit: int) -> tuple[Split, int, int]:
        for split, total in self.plan:
            if unit < total:
                return split, unit, total
            unit -= total
        raise IndexError(unit)


def shard(
    engine: Engine, dataset: Dataset, config: ShardConfig, upstream: str, runner: StageRunner
) -> list[dict[str, Any]]:
    """Run tokenizer, tokens and shards, each unless it is finished; returns their log entries."""
    names = Names(dataset.parts())
    code = code_fingerprint("columns", "shards", "privacy", "pipelines.redacting", "pipelines.shard")
    given = None if config.tokenizer.spec == "train" else make_tokenizer(config.tokenizer).identity
    identity = fingerprint([config.tokenizer, given, code, upstream])
    first = Stage("tokenizer", dataset.tokenizer, identity, 1)
    log = [_run(first, runner, partial(make_tokenizer_stage, engine, dataset, first, config.tokenizer))]
    tokenizer = _commit(dataset.tokenizer)
    seed = config.pack.shuffle_seed
    made = fingerprint([identity, outputs_fingerprint(tokenizer), seed, config.forming()])
    second = Stage("tokens", dataset.tokens, made, names.count)
    work = TokenisePart(dataset, names, seed, config.transforms, config.nodes)
    log.append(_run(second, runner, partial(_units, engine, second, work)))
    tokens = _commit(dataset.tokens)
    plan = _plan(tokens["counts"], config.pack)
    units = sum(total for _, total in plan) + config.pack.pools * len(plan)
    third = Stage("shards", dataset.shards, fingerprint([second.fingerprint, config.pack]), units)
    packing = PackShard(dataset, names, config.pack, plan, config.transforms)
    extra = {"tokenizer": tokenizer["units"][0], "counted": tokens["counts"]}
    log.append(_run(third, runner, partial(_pack, engine, third, packing, extra)))
    return log


def _pack(engine: Engine, stage: Stage, work: PackShard, extra: dict[str, Any]) -> None:
    """Shards first, then the pools of what they have left."""
    shards = sum(total for _, total in work.plan)
    left = stage.begin()
    run_units(engine, stage, work, [unit for unit in left if unit < shards])
    run_units(engine, stage, work.pool, [unit for unit in left if unit >= shards])
    stage.commit(extra)
    work.rests.remove_tree()


def _plan(counts: dict[str, int], config: PackConfig) -> tuple[tuple[Split, int], ...]:
    return tuple(
        (split, shard_count(counts.get(f"split.{split}", 0), config.shard_tokens)) for split in SPLITS
    )


def _units(engine: Engine, stage: Stage, work: Any) -> None:
    run_units(engine, stage, work, stage.begin())
    stage.commit()


def _run(stage: Stage, runner: StageRunner, work: Any) -> dict[str, Any]:
    return runner.run(stage, Watch(stage.name, lambda: len(stage.done()), stage.units), work)


def _commit(place: Place) -> dict[str, Any]:
    commit = read_json(place, COMMIT)
    if commit is None:
        raise RuntimeError(f"{place.url}: the stage before left no commit file")
    return commit


def tokens_account(shards: dict[str, Any]) -> dict[str, Any]:
    """The manifest's account of tokens: produced == written + dropped, by split and by language.

    ``split_documents`` lie in more than one row. ``forms``, where documents were transformed: how many are "plain",
    rearranged ("psm", "spm"), have something before them ("prefixed"), go on in the next ("joined").
    """
    counts = shards["counts"]
    counted = shards["counted"] | {
        key: n for key, n in counts.items() if key.startswith(("split.", "language."))
    }
    forms = _with_prefix(counts, "forms.")
    dropped = {key.removeprefix("dropped."): n for key, n in counts.items() if key.startswith("dropped.")}
    sums = {kind: _with_prefix(counted, f"{kind}.") for kind in ("split", "language")}
    return {
        "produced": counts["produced"], "written": counts["written"], "dropped": dropped,
        "padding": counts["padding"], "split_documents": counts["split_documents"],
        "by_split": sums["split"], "by_language": sums["language"],
        "documents": counted["documents"], **({"forms": forms} if forms else {}),
    }  # fmt: skip


def _with_prefix(counts: dict[str, int], prefix: str) -> dict[str, int]:
    return {key.removeprefix(prefix): n for key, n in sorted(counts.items()) if key.startswith(prefix)}
