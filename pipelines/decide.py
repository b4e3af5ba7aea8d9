"""Decide: facts + links + recipe -> ledger. No content moves and nothing is measured.

The order of decisions: files without content; exact duplicates; the filter rules in preset order;
benchmark contamination; near-duplicates. A file that was dropped never stands in for another one:
duplicates are decided among the files that are still there when their turn comes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from columns.batch import concat
from columns.files import Place
from columns.fingerprint import code_fingerprint, fingerprint
from columns.tables import read_whole, write_table
from contamination import ContaminationConfig, contaminated
from dedup import DECISION, KeepConfig, Participants, choose_exact, choose_near, rank
from filters import FilterConfig, failed
from pipelines.dataset import Dataset, Names
from pipelines.engine import Engine, run_units
from pipelines.ledger import CONTAMINATED_RULE, EXACT_RULE, LEDGER, NEAR_RULE, PROBLEM_RULE
from pipelines.stage import Stage, UnitRecord
from shards import PackConfig, split_of

COPIED = ("doc_id", "repo", "ref", "path", "language", "size", "content_hash")
RANKED = ("doc_id", "content_hash", "repo", "path", "license", "stars", "forks", "updated")


@dataclass(frozen=True)
class DecideConfig:
    """What decisions depend on."""

    filters: FilterConfig
    exact: bool
    near: bool
    keep: KeepConfig
    contamination: ContaminationConfig
    pack: PackConfig

    def fingerprint(self) -> str:
        """Equal when the ledger would be equal."""
        code = code_fingerprint("columns", "filters", "dedup", "contamination", "shards", "pipelines.decide")
        split = [self.pack.shuffle_seed, self.pack.validation_fraction]
        return fingerprint([self.filters, self.exact, self.near, self.keep, self.contamination, split, code])

    def rules(self) -> list[str]:
        """Every rule in the order of decision."""
        names = [PROBLEM_RULE, EXACT_RULE, *(rule.name for rule in self.filters.rules)]
        return [*names, CONTAMINATED_RULE, NEAR_RULE]


class Verdicts(NamedTuple):
    """What a part's facts say before duplicates are looked at; one row per file."""

    problem: np.ndarray
    failed: pa.RecordBatch
    contaminated: np.ndarray
    tasks: pa.Array

    def alone(self) -> np.ndarray:
        """Files that no rule drops on their own account."""
        return ~(self.problem | self.contaminated | _any(self.failed))


def _any(flags: pa.RecordBatch) -> np.ndarray:
    columns = [np.asarray(column) for column in flags.columns]
    return np.logical_or.reduce(columns) if columns else np.zeros(flags.num_rows, bool)


def verdicts(facts: pa.Table, overlaps: pa.Table, config: DecideConfig) -> Verdicts:
    """Apply every rule that needs one file's facts only."""
    problem = np.asarray(pc.is_valid(facts.column("problem")))
    found = contaminated(overlaps, facts.num_rows, config.contamination)
    return Verdicts(problem, failed(facts, config.filters), found.mask, found.tasks)


@dataclass(frozen=True)
class Parts:
    """Reads what decisions need, one part at a time."""

    dataset: Dataset
    names: Names
    config: DecideConfig

    def facts(self, part: int) -> pa.Table:
        """The facts of a part."""
        return read_whole(self.dataset.facts, self.names.part(part))

    def verdicts(self, part: int, facts: pa.Table) -> Verdicts:
        """The verdicts of a part."""
        return verdicts(facts, read_whole(self.dataset.facts, self.names.overlaps(part)), self.config)

    def links(self, kind: str) -> pa.Table:
        """All links of a kind."""
        tables = [
            read_whole(self.dataset.links, self.names.link(kind, part)) for part in range(self.names.count)
        ]
        return pa.concat_tables(tables)


@dataclass(frozen=True)
class Keepers:
    """The one step that sees the whole corpus: which copies go, and which file stays instead.

    It holds only files that have a copy or a near-copy, at some hundred bytes each.
    """

    parts: Parts
    target: Place

    def __call__(self, _unit: int) -> UnitRecord:
        """Choose keepers and write one table of decisions per part."""
        config, exact, edges = self.parts.config, self.parts.links("exact"), self.parts.links("edges")
        rows = np.unique(
            np.concatenate([_column(exact, "row"), _column(edges, "left"), _column(edges, "right")])
        )
        table, problem, alone = self._participants(rows)
        ranks = rank(table, config.keep)
        none = concat([], DECISION)
        copies = choose_exact(exact, Participants(rows, ranks, ~problem)) if config.exact else none
        left = alone & ~np.isin(rows, _column(copies, "row"))
        near = choose_near(edges, exact, Participants(rows, ranks, left)) if config.near else none
        ids = dict(zip(rows.tolist(), table.column("doc_id").to_pylist(), strict=True))
        return self._write(pa.Table.from_batches([copies, near], DECISION), ids)

    def _participants(self, rows: np.ndarray) -> tuple[pa.Table, np.ndarray, np.ndarray]:
        tables, problems, alone = [], [np.zeros(0, bool)], [np.zeros(0, bool)]
        for part in np.unique(rows >> 32).tolist():
            at = rows[rows >> 32 == part] & 0xFFFFFFFF
            facts = self.parts.facts(part)
            said = self.parts.verdicts(part, facts)
            tables.append(facts.select(RANKED).take(pa.array(at)))
            problems.append(said.problem[at])
            alone.append(said.alone()[at])
        empty = self.parts.facts(0).select(RANKED).slice(0, 0)
        table = pa.concat_tables([empty, *tables]).append_column("row", pa.array(rows))
        return table, np.concatenate(problems), np.concatenate(alone)

    def _write(self, choices: pa.Table, ids: Mapping[int, bytes]) -> UnitRecord:
        row = _column(choices, "row")
        keeper_ids = pa.array(
            [ids[keeper] for keeper in _column(choices, "keeper").tolist()], LEDGER.field("keeper").type
        )
        table = choices.append_column("keeper_id", keeper_ids)
        for part in range(self.parts.names.count):
            here = table.filter(pa.array(row >> 32 == part))
            write_table(
                self.target, self.parts.names.part(part), here.combine_chunks().to_batches(), here.schema
            )
        return UnitRecord((), {}, {})


def _column(table: pa.Table | pa.RecordBatch, name: str) -> np.ndarray:
    column = table.column(name)
    return column.to_numpy() if isinstance(column, pa.ChunkedArray) else column.to_numpy(zero_copy_only=False)


@dataclass(frozen=True)
class LedgerPart:
    """The work of one unit: the ledger of one part."""

    parts: Parts
    choices: Place

    def __call__(self, part: int) -> UnitRecord:
        """Write one ledger part and count what each rule removed."""
        config, name = self.parts.config, self.parts.names.part(part)
        facts = self.parts.facts(part)
        said = self.parts.verdicts(part, facts)
        choices = read_whole(self.choices, name)
        rule = first_rule(said, choices, config)
        ledger = _ledger(self.parts.dataset, name, said, choices, rule, config)
        write_table(self.parts.dataset.ledger, name, [ledger], LEDGER)
        return UnitRecord((name,), _counts(ledger, config.rules()), {})


def first_rule(said: Verdicts, choices: pa.Table, config: DecideConfig) -> np.ndarray:
    """Index into ``config.rules()`` of the rule that drops each file; the number of rules where it stays."""
    exact, near = (np.zeros(len(said.problem), bool) for _ in range(2))
    at = _column(choices, "row") & 0xFFFFFFFF
    kind = choices.column("kind").to_pylist()
    exact[at[[k == "exact" for k in kind]]] = True
    near[at[[k == "near" for k in kind]]] = True
    flags = [said.problem, exact, *(np.asarray(c) for c in said.failed.columns), said.contaminated, near]
    stacked = np.stack([*flags, np.ones(len(exact), bool)])
    return np.argmax(stacked, axis=0)


def _ledger(
    dataset: Dataset, name: str, said: Verdicts, choices: pa.Table, rule: np.ndarray, config: DecideConfig
) -> pa.RecordBatch:
    documents = read_whole(dataset.documents, name, list(COPIED)).combine_chunks()
    rows, names = documents.num_rows, config.rules()
    kept = rule == len(names)
    keeper, similarity = _chosen(choices, rows)
    hashes = documents.column("content_hash").combine_chunks()
    validation = split_of(hashes, config.pack.shuffle_seed, config.pack.validation_fraction)
    columns = {column: documents.column(column).combine_chunks() for column in COPIED} | {
        "kept": pa.array(kept),
        "rule": pa.array([*names, None], pa.string()).take(pa.array(rule)),
        "failed": _names_of(said.failed),
        "keeper": keeper,
        "similarity": similarity,
        "tasks": said.tasks,
        "split": pa.array(np.where(validation, "validation", "train"), pa.string(), mask=~kept),
    }
    return pa.RecordBatch.from_arrays([columns[field.name] for field in LEDGER], schema=LEDGER)


def _chosen(choices: pa.Table, rows: int) -> tuple[pa.Array, pa.Array]:
    keepers: list[bytes | None] = [None] * rows
    similar: list[float | None] = [None] * rows
    at = (_column(choices, "row") & 0xFFFFFFFF).tolist()
    said = zip(
        at, choices.column("keeper_id").to_pylist(), choices.column("similarity").to_pylist(), strict=True
    )
    for row, keeper, similarity in said:
        keepers[row], similar[row] = keeper, similarity
    return pa.array(keepers, LEDGER.field("keeper").type), pa.array(similar, pa.float32())


def _names_of(flags: pa.RecordBatch) -> pa.Array:
    matrix = np.stack([np.asarray(c) for c in flags.columns], axis=1) if flags.num_columns else None
    if matrix is None:
        return pa.array([[]] * flags.num_rows, pa.list_(pa.string()))
    ends = np.concatenate([[0], np.cumsum(matrix.sum(axis=1))]).astype(np.int32)
    names = pa.array(flags.schema.names, pa.string()).take(pa.array(np.nonzero(matrix)[1]))
    return pa.ListArray.from_arrays(pa.array(ends), names)


def _counts(ledger: pa.RecordBatch, rules: Sequence[str]) -> dict[str, int]:
    counts = {"files": ledger.num_rows, "bytes": pc.sum(ledger.column("size")).as_py() or 0}
    for rule in rules:
        mask = pc.fill_null(pc.equal(ledger.column("rule"), rule), False)
        counts[f"files.{rule}"] = pc.sum(mask).as_py() or 0
        counts[f"bytes.{rule}"] = pc.sum(ledger.column("size").filter(mask)).as_py() or 0
    return counts


def decide_stage(dataset: Dataset, config: DecideConfig, upstream: str) -> Stage:
    """The stage, bound to the facts and links it decides over."""
    return Stage(
        "decide", dataset.ledger, fingerprint([config.fingerprint(), upstream]), dataset.parts(), upstream
    )


def decide(engine: Engine, dataset: Dataset, stage: Stage, config: DecideConfig) -> Mapping[str, object]:
    """Run the stage: keepers first, then every ledger part."""
    pending = stage.begin()
    parts = Parts(dataset, Names(stage.units), config)
    if pending:
        choices = dataset.work.child("decide")
        dataset.work.remove_tree()
        keepers = Stage("keepers", dataset.work.child("keepers"), stage.fingerprint, 1)
        run_units(engine, keepers, Keepers(parts, choices), [0])
        run_units(engine, stage, LedgerPart(parts, choices), pending)
        dataset.work.remove_tree()
    return stage.commit({"rules": config.rules()})
