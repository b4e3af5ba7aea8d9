"""Shard: documents + ledger -> tokenizer, token parts, packed shards.

Three stages in one: the tokenizer (trained on a sample of the survivors, or read), the tokens of every
part, and the shards. A shard is a range of shuffle keys; it gathers its slice of every token part, so
memory is bounded by one shard and the token parts are the exchange.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from columns.batch import concat
from columns.files import Place
from columns.fingerprint import code_fingerprint, fingerprint
from columns.tables import read_arrow, read_whole, write_arrow
from pipelines.dataset import Dataset, Names
from pipelines.engine import Engine, run_units
from pipelines.nodes import FunctionNodes
from pipelines.progress import StageRunner, Watch
from pipelines.redacting import Texts
from pipelines.retained import MADE_BY, PACKED_BY, SINCE, TOUCHED, OldTokens, Past, touched, untouched
from pipelines.stage import COMMIT, Stage, UnitRecord, outputs_fingerprint, read_json
from pipelines.trained import keep_tokenizer, make_tokenizer_stage
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
    merge_tokens,
    pack,
    pool,
    shard_count,
    shard_names,
    tokenise_part,
    write_shard,
    write_tokens,
)
from shards.format import SPLITS, Split, shard_schema
from syntax import SyntaxConfig, syntax_identity

Plan = tuple[tuple[Split, int], ...]
"""How many shards each split has."""


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
class TokenisePart:
    """The work of one unit: the tokens of one part's kept documents, in shuffle order."""

    dataset: Dataset
    names: Names
    seed: int
    transforms: TransformConfig = field(default_factory=TransformConfig)
    nodes: FunctionNodes | None = None
    old: OldTokens | None = None

    def __call__(self, part: int) -> UnitRecord:
        """Tokenise one part, but for the rows that the old part has."""
        name = self.names.tokens(part)
        ledger = read_whole(self.dataset.ledger, self.names.part(part), ["kept", "split"])
        kept = np.array(ledger.column("kept"))
        taken = None if self.old is None else self.old.take(part, kept)
        if taken is not None:
            kept[taken.rows] = False
        tokens = self._made(part, ledger, kept)
        noted = touched(tokens, taken)
        if taken is not None:
            tokens = merge_tokens(tokens, taken.tokens, taken.at)
        rows = self._written(name, tokens, noted)
        reused = 0 if taken is None else len(taken.rows)
        counts = {"documents": rows, "reused": reused}
        for column in ("split", "language"):
            counts |= {f"{column}.{key}": n for key, n in count_tokens(tokens, column).items()}
        return UnitRecord((name,), counts, {TOUCHED: noted})

    def _made(self, part: int, ledger: pa.Table, wanted: np.ndarray) -> pa.Table:
        """The tokens of some files, made anew; row groups without any are not read."""
        rows = np.flatnonzero(wanted)
        columns = ["doc_id", "content", "language", *self.transforms.columns]
        documents = Texts(self.dataset, self.names).some(part, list(dict.fromkeys(columns)), rows)
        tokenizer = load_tokenizer(self.dataset.tokenizer)
        verdicts = ledger.take(pa.array(rows)).combine_chunks()
        return tokenise_part(documents, verdicts, tokenizer, self.seed, self.transforms, self.nodes)

    def _written(self, name: str, tokens: pa.Table, noted: dict[str, list[int]] | None) -> int:
        """Write the part, or link the old one where no row was touched."""
        if self.old is None or not self.old.linked or noted is None or any(noted.values()):
            return write_tokens(self.dataset.tokens, name, tokens)
        self.dataset.tokens.link([name], self.old.old.tokens)
        return int(tokens.num_rows)


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
    engine: Engine,
    dataset: Dataset,
    config: ShardConfig,
    upstream: str,
    runner: StageRunner,
    past: Past | None = None,
) -> list[dict[str, Any]]:
    """Run tokenizer, tokens and shards, each unless it is finished; returns their log entries.

    What ``past`` has of them is taken from there: token rows, and shards in whose range nothing changed.
    """
    names = Names(dataset.parts())
    first, work = _tokenizer_stage(engine, dataset, config, upstream, past)
    log = [_run(first, runner, work)]
    tokenizer = outputs_fingerprint(_commit(dataset.tokenizer))
    seed = config.pack.shuffle_seed
    made_of = [first.fingerprint, upstream, tokenizer, seed, config.forming()]
    second = Stage("tokens", dataset.tokens, fingerprint(made_of), names.count)
    made_by = fingerprint([tokenizer, seed, config.pack.validation_fraction, config.forming(), _code()])
    before = past.tokens(made_by, names.count) if past else None
    old = None
    if past and before:
        old = OldTokens(past.dataset, dataset, names, config.transforms.columns, past.linked)
    tokenising = TokenisePart(dataset, names, seed, config.transforms, config.nodes, old)
    noted = {MADE_BY: made_by, SINCE: outputs_fingerprint(before) if before else ""}
    log.append(_run(second, runner, partial(_units, engine, second, tokenising, noted)))
    tokens = _commit(dataset.tokens)
    plan = _plan(tokens["counts"], config.pack)
    units = sum(total for _, total in plan) + config.pack.pools * len(plan)
    third = Stage("shards", dataset.shards, fingerprint([second.fingerprint, config.pack]), units)
    packing = PackShard(dataset, names, config.pack, plan, config.transforms)
    packed_by = fingerprint([made_by, config.pack, plan])
    extra = {
        "tokenizer": _commit(dataset.tokenizer)["units"][0],
        "counted": tokens["counts"],
        PACKED_BY: packed_by,
    }
    held = (
        _held(past, before, tokens, packed_by, plan)
        if past and not config.pack.pools
        else Held(dataset.shards)
    )
    log.append(_run(third, runner, partial(_pack, engine, third, packing, extra, held)))
    return log


@dataclass(frozen=True)
class Held:
    """The shards of the version before that are the new one's, as units, and where they are."""

    place: Place
    units: tuple[int, ...] = ()
    commit: Mapping[str, Any] = field(default_factory=dict)


def _held(
    past: Past, before: dict[str, Any] | None, tokens: dict[str, Any], packed_by: str, plan: Plan
) -> Held:
    commit = past.shards(packed_by, sum(total for _, total in plan))
    if before is None or commit is None:
        return Held(past.dataset.shards)
    return Held(past.dataset.shards, tuple(untouched(tokens, before, plan)), commit)


def _code() -> str:
    return code_fingerprint(
        "columns", "shards", "privacy", "pipelines.redacting", "pipelines.shard", "pipelines.trained"
    )


def _tokenizer_stage(
    engine: Engine, dataset: Dataset, config: ShardConfig, upstream: str, past: Past | None
) -> tuple[Stage, Callable[[], None]]:
    """The first stage and its work: train, read, or keep the tokenizer that the version before trained.

    A given one does not depend on what was kept.
    """
    trained = config.tokenizer.spec == "train"
    given = None if trained else make_tokenizer(config.tokenizer).identity
    identity = [config.tokenizer, given, _code(), upstream if trained else ""]
    if not (past and past.linked and past.keep_tokenizer and trained):
        stage = Stage("tokenizer", dataset.tokenizer, fingerprint(identity), 1)
        return stage, partial(make_tokenizer_stage, engine, dataset, stage, config.tokenizer)
    commit = _commit(past.dataset.tokenizer)
    kept = fingerprint([*identity, "kept", outputs_fingerprint(commit)])
    stage = Stage("tokenizer", dataset.tokenizer, kept, 1)
    return stage, partial(keep_tokenizer, stage, past.dataset.tokenizer, commit)


def _pack(engine: Engine, stage: Stage, work: PackShard, extra: dict[str, Any], held: Held) -> None:
    """The shards that are there already, the others, then the pools of what they have left."""
    shards = sum(total for _, total in work.plan)
    left = stage.begin()
    for unit in held.units if held.place else ():
        stage.inherit(unit, held.place, held.commit)
    left = [unit for unit in left if unit not in held.units]
    run_units(engine, stage, work, [unit for unit in left if unit < shards])
    run_units(engine, stage, work.pool, [unit for unit in left if unit >= shards])
    stage.commit(extra)
    work.rests.remove_tree()


def _plan(counts: dict[str, int], config: PackConfig) -> Plan:
    return tuple(
        (split, shard_count(counts.get(f"split.{split}", 0), config.shard_tokens)) for split in SPLITS
    )


def _units(engine: Engine, stage: Stage, work: Any, extra: dict[str, Any]) -> None:
    run_units(engine, stage, work, stage.begin())
    stage.commit(extra)


def _run(stage: Stage, runner: StageRunner, work: Any) -> dict[str, Any]:
    return runner.run(stage, Watch(stage.name, lambda: len(stage.done()), stage.units, stage), work)


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
