"""Searching: the recipe's benchmark tasks in what the tokens of shards spell, in the order of the original text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import pyarrow as pa

from columns.document import document_batch
from columns.errors import ThresherError
from contamination import ContaminationConfig, TaskGrams, evidence, leaks
from contamination.commonness import Common, gram_counts, learned, merged_counts
from pipelines.contamination_report import recipe_of
from pipelines.finished import Finished
from pipelines.measure import benchmark_index
from pipelines.selftest.files import stored_evidence
from pipelines.verification.check import Check, some
from pipelines.wording import counted

NAME = "no benchmark text"


class Seen(NamedTuple):
    """A document as its tokens spell it; ``text`` is None where that cannot be said."""

    name: str
    language: str | None
    content_hash: bytes
    text: str | None


@dataclass
class Search:
    """Looks for tasks as the build did, and keeps what it finds; without ``index`` it does not, and says why."""

    config: ContaminationConfig
    index: TaskGrams | None
    common: Common
    why_not: str = ""
    looked: int = 0
    problems: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, dataset: Finished) -> Search:
        """Index the suites of the dataset's recipe; what is common in its corpus is read from the stored evidence."""
        config = recipe_of(dataset)
        if not config.suites:
            return cls(config, None, Common({}), "the recipe names no suites")
        try:
            index = benchmark_index(config)
        except ThresherError as error:
            return cls(config, None, Common({}), f"the suites cannot be read: {' '.join(str(error).split())}")
        counts = merged_counts([gram_counts(one, config.common) for one in stored_evidence(dataset)])
        return cls(config, index, learned(counts, int(dataset.section("documents", "files")), config.common))

    def add(self, documents: Sequence[Seen]) -> None:
        """Look through some documents; tasks that the recipe only reports may stand in them."""
        there = [one for one in documents if one.text is not None]
        if self.index is None or not there:
            return
        self.looked += len(there)
        columns = {"content": [one.text for one in there], "language": [one.language for one in there]}
        batch = document_batch(columns, len(there))
        facts = evidence(batch.column("content"), batch.column("language"), self.index)
        hashes = pa.array([one.content_hash for one in there], pa.binary(32))
        found = leaks(pa.Table.from_batches([facts]), hashes, self.config, self.common)
        for line in found.select(["row", "suite", "task", "action", "reached"]).to_pylist():
            if line["reached"] and line["action"] != "report":
                said = f"{there[line['row']].name}: its tokens hold {line['suite']} {line['task']}"
                self.problems += [] if said in self.problems else [said]

    def check(self) -> Check:
        """What was found."""
        looked = (
            f"{counted(self.looked, 'document')} searched as their tokens spell them" if self.index else ""
        )
        return Check(NAME, looked, some(self.problems), self.why_not)
