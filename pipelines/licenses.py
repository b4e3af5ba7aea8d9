"""Licences: facts -> the licence of every file, from its head, the nearest licence text and the repository.

Two steps: one gathers the few licence texts of all parts, which must fit in memory (some hundred bytes per
text, so some hundred megabytes for ten million repositories); then every part is decided by itself. The result is
row-aligned with the facts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

from columns.files import Place
from columns.fingerprint import code_fingerprint, fingerprint
from columns.tables import read_whole, write_table
from licensing import ASSIGNED, EVIDENCE, AssignConfig, assign, evidence
from pipelines.dataset import Dataset, Names
from pipelines.engine import Engine, run_units
from pipelines.stage import Stage, UnitRecord

TEXTS = ("repo", "ref", "path", "license_text", "license_text_score")
STATED = ("repo", "ref", "path", "license", "license_header", "license_header_line")
_GATHERED = "evidence.parquet"


@dataclass(frozen=True)
class GatherTexts:
    """The licence texts of every part, in one table."""

    dataset: Dataset
    names: Names
    target: Place

    def __call__(self, _unit: int) -> UnitRecord:
        """Read the parts one by one and write what they hold of licence texts."""
        tables = []
        for part in range(self.names.count):
            facts = read_whole(self.dataset.facts, self.names.part(part), list(TEXTS))
            tables.append(evidence(facts, part))
        found = pa.concat_tables(tables).combine_chunks()
        write_table(self.target, _GATHERED, found.to_batches(), EVIDENCE)
        return UnitRecord((), {}, {})


@lru_cache(maxsize=1)
def _evidence(target: Place, _stage: str) -> pa.Table:
    return read_whole(target, _GATHERED)


@dataclass(frozen=True)
class LicensePart:
    """The work of one unit: the licences of one part's files."""

    dataset: Dataset
    names: Names
    target: Place
    config: AssignConfig
    stage: str

    def __call__(self, part: int) -> UnitRecord:
        """Write one part and count what was found."""
        name = self.names.part(part)
        facts = read_whole(self.dataset.facts, name, [*STATED, *TEXTS[3:]])
        found = assign(facts, _evidence(self.target, self.stage), self.config)
        write_table(self.dataset.licenses, name, found.combine_chunks().to_batches(), ASSIGNED)
        return UnitRecord((name,), _counts(found), {})


def _counts(found: pa.Table) -> dict[str, int]:
    kinds = pc.value_counts(found.column("license_from").combine_chunks()).to_pylist()
    told = {f"from.{kind['values'] or 'nothing'}": kind["counts"] for kind in kinds}
    return told | {
        name: pc.sum(found.column(f"license_{name}")).as_py() or 0
        for name in ("known", "permissive", "conflict")
    }


def license_stage(dataset: Dataset, config: AssignConfig, upstream: str) -> Stage:
    """The stage, bound to the facts it reads."""
    code = code_fingerprint("columns", "licensing", "pipelines.licenses")
    return Stage(
        "licenses", dataset.licenses, fingerprint([config, code, upstream]), dataset.parts(), upstream
    )


def find_licenses(
    engine: Engine, dataset: Dataset, stage: Stage, config: AssignConfig
) -> Mapping[str, object]:
    """Run the stage: gather the licence texts, then decide part by part."""
    pending = stage.begin()
    names, target = Names(stage.units), dataset.work.child("licenses")
    if pending:
        dataset.work.remove_tree()
        gather = Stage("evidence", dataset.work.child("evidence"), stage.fingerprint, 1)
        run_units(engine, gather, GatherTexts(dataset, names, target), [0])
        run_units(engine, stage, LicensePart(dataset, names, target, config, stage.fingerprint), pending)
        dataset.work.remove_tree()
    return stage.commit()
