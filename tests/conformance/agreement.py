"""Verdicts side by side: the product's rules on its own facts, and an oracle's on the text."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pyarrow as pa

from columns.document import document_batch
from columns.hashing import content_hashes
from filters import FilterConfig, Rule, failed, load_preset
from pipelines.families import FamilyConfig, chosen, measure_families
from tests.conformance import (
    oracle_codeparrot,
    oracle_opencoder,
    oracle_redpajama,
    oracle_stack_v2,
    oracle_starcoder,
)
from tests.conformance.files import File, OracleRule

ORACLES: Mapping[str, Mapping[str, OracleRule]] = {
    "codeparrot": oracle_codeparrot.ORACLE,
    "starcoder": oracle_starcoder.ORACLE,
    "redpajama_code": oracle_redpajama.ORACLE,
    "stack_v2": oracle_stack_v2.ORACLE,
    "opencoder": oracle_opencoder.ORACLE,
}


class Agreement(NamedTuple):
    """One rule on many files: how many verdicts were compared, how many say drop on either side, which differ.

    ``unanswered``: files for which the oracle has no verdict, because the published program fails on them or
    the oracle does not cover their language.
    """

    rule: str
    compared: int
    ours: int
    theirs: int
    unanswered: int
    only_ours: tuple[str, ...]
    only_theirs: tuple[str, ...]

    @property
    def equal(self) -> int:
        """The number of equal verdicts."""
        return self.compared - len(self.only_ours) - len(self.only_theirs)


def measured(files: Sequence[File]) -> pa.Table:
    """The facts of files that rules with an oracle read."""
    content = pa.array([file.text for file in files], pa.large_string())
    columns = {"content": content, "content_hash": content_hashes(content)}
    columns |= {name: [getattr(file, name) for file in files] for name in ("path", "language")}
    batch = document_batch(columns, len(files))
    rules = [rule for preset in ORACLES for rule in load_preset(preset).rules if rule.name in ORACLES[preset]]
    families = measure_families(batch, FamilyConfig(chosen((), [rule.signal for rule in rules]))).facts
    named = [(f, batch.column(f)) for f in ("path", "language", "content_hash")]
    named += [(name, part.column(name)) for part in families for name in part.schema.names]
    return pa.table(dict(named))


def compared_rules(preset: str, facts: pa.Schema) -> tuple[Rule, ...]:
    """A preset's rules with an oracle, each without its draw."""
    names = set(facts.names)
    return tuple(
        dataclasses.replace(rule, probability=1.0)
        for rule in load_preset(preset).rules
        if rule.name in ORACLES[preset] and rule.signal in names
    )


def agreements(preset: str, files: Sequence[File], facts: pa.Table) -> list[Agreement]:
    """Every rule of a preset against its oracle, file by file."""
    rules = compared_rules(preset, facts.schema)
    verdicts = failed(facts, FilterConfig(rules))
    oracle = ORACLES[preset]
    said = [
        [oracle[rule.name](file) for rule in rules] for file in files
    ]  # by file: oracles remember the last one
    return [
        _agreement(rule.name, files, verdicts.column(at).to_pylist(), [row[at] for row in said])
        for at, rule in enumerate(rules)
    ]


def _agreement(
    name: str, files: Sequence[File], ours: Sequence[bool], theirs: Sequence[bool | None]
) -> Agreement:
    answered = [(f.path, a, b) for f, a, b in zip(files, ours, theirs, strict=True) if b is not None]
    return Agreement(
        name,
        len(answered),
        sum(a for _, a, _ in answered),
        sum(b for _, _, b in answered),
        len(files) - len(answered),
        tuple(path for path, a, b in answered if a and not b),
        tuple(path for path, a, b in answered if b and not a),
    )
