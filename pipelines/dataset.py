"""The dataset directory: which folder holds what, and the names of its parts."""

from __future__ import annotations

from dataclasses import dataclass

from columns.errors import OutputError
from columns.files import PartName, Place
from pipelines.stage import COMMIT, read_json
from shards.exports import FORMATS

MANIFEST = "manifest.json"
REPORT = "report.html"
REPOSITORIES = "repositories.parquet"
RUN = "run.json"
CARD = "DATASET_CARD.md"
EXPORTS = "exports"
FILES = (MANIFEST, REPORT, CARD, RUN, REPOSITORIES)
FOLDERS = (
    "documents", "facts", "links", "known", "licenses", "functions/facts", "functions/links", "paragraphs", "leaks",
    "cuts", "ledger", "tokenizer", "tokens", "shards", "contamination",
    *(f"{EXPORTS}/{name}" for name in FORMATS),
)  # fmt: skip
"""Everything that a dataset holds: the files in its own directory, and the folders with files below it."""


@dataclass(frozen=True)
class Dataset:
    """A dataset by its place, on any filesystem."""

    place: Place

    @property
    def documents(self) -> Place:
        """Document parts: the content, written once."""
        return self.place.child("documents")

    @property
    def facts(self) -> Place:
        """Fact parts, signatures and benchmark overlaps, row-aligned with the documents."""
        return self.place.child("facts")

    @property
    def links(self) -> Place:
        """Exact groups, verified edges and reports of over-full buckets."""
        return self.place.child("links")

    @property
    def leaks(self) -> Place:
        """Benchmark tasks found in files, and what is cut out for them; only where suites are named."""
        return self.place.child("leaks")

    @property
    def licenses(self) -> Place:
        """The licence of every file, row-aligned with the documents; only where licences are found out."""
        return self.place.child("licenses")

    @property
    def known(self) -> Place:
        """The file of a known corpus that each file is in, row-aligned; only where a build is made against one."""
        return self.place.child("known")

    @property
    def functions(self) -> Place:
        """Functions and their links, laid out like a dataset; only where functions are looked for."""
        return self.place.child("functions")

    @property
    def paragraphs(self) -> Place:
        """Common paragraphs: facts, row-aligned with the documents, and spans; only where they are looked for."""
        return self.place.child("paragraphs")

    @property
    def cuts(self) -> Place:
        """What is cut out of kept files; only where functions, paragraphs or benchmark tasks are."""
        return self.place.child("cuts")

    @property
    def ledger(self) -> Place:
        """Decisions, row-aligned with the documents."""
        return self.place.child("ledger")

    @property
    def tokenizer(self) -> Place:
        """The tokenizer that made the shards."""
        return self.place.child("tokenizer")

    @property
    def tokens(self) -> Place:
        """Token parts: tokens of the survivors in shuffle order within each part."""
        return self.place.child("tokens")

    @property
    def shards(self) -> Place:
        """The training shards."""
        return self.place.child("shards")

    @property
    def work(self) -> Place:
        """Scratch space of the running stage; gone when it ends."""
        return self.place.child(".work")

    def parts(self) -> int:
        """How many parts the committed documents have."""
        commit = read_json(self.documents, COMMIT)
        if commit is None:
            raise OutputError(
                f"{self.place.url}: no finished ingest here", hint="run: thresher build RECIPE …"
            )
        return len(commit["outputs"])


@dataclass(frozen=True)
class Names:
    """Names of the parts of a dataset with ``count`` parts."""

    count: int

    def part(self, index: int) -> str:
        """Documents, facts and ledger share this name."""
        return PartName("part", index, self.count, "parquet").format()

    def signatures(self, index: int) -> str:
        """MinHash signatures, in the facts folder."""
        return PartName("signatures", index, self.count, "arrow").format()

    def sets(self, index: int) -> str:
        """Shingle sets for exact verification, in the facts folder."""
        return PartName("sets", index, self.count, "arrow").format()

    def overlaps(self, index: int) -> str:
        """Evidence of benchmark tasks, in the facts folder."""
        return PartName("overlaps", index, self.count, "parquet").format()

    def excisions(self, index: int) -> str:
        """What is cut out of files that hold benchmark tasks, in the leaks folder."""
        return PartName("excisions", index, self.count, "parquet").format()

    def spans(self, index: int) -> str:
        """Secrets and personal data found, in the facts folder."""
        return PartName("spans", index, self.count, "parquet").format()

    def redactions(self, index: int) -> str:
        """Spans that are replaced in the shards, in the ledger folder."""
        return PartName("redactions", index, self.count, "parquet").format()

    def link(self, kind: str, index: int) -> str:
        """``exact``, ``edges``, ``members``, ``buckets`` or ``insides``, in the links folder."""
        return PartName(kind, index, self.count, "parquet").format()

    def tokens(self, index: int) -> str:
        """Token parts."""
        return PartName("part", index, self.count, "arrow").format()
