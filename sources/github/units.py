"""Units: pieces of one commit of a repository, with what is known about it, readable on any machine."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from columns.document import DOCUMENT
from sources.archives import Limits
from sources.archives.tarunit import TarUnit
from sources.config import IngestConfig
from sources.files import File, Origin, file_batches, path_text, problem_row
from sources.git.blobs import Blob, read_blobs
from sources.git.source import GitUnit
from sources.github import away
from sources.github.facts import Facts
from sources.github.refusals import Refusal
from sources.unit import Skipped, Unit

SOURCE = "github"


@dataclass(frozen=True)
class GithubUnit(GitUnit):
    """Some blobs of one commit of a repository on GitHub, in path order, with what is known about the repository.

    ``location`` is the store's; a machine that does not see it fetches the commit from ``origin`` for itself.
    """

    facts: Facts
    origin: away.Origin

    def read(self, config: IngestConfig, batch_bytes: int, skipped: Skipped) -> Iterator[pa.RecordBatch]:
        """Read the blobs; one over ``config.max_bytes`` keeps its row, without a size, as "too_large".

        Where the commit can neither be found nor fetched, every row says why.
        """
        origin = Origin(SOURCE, self.name, self.commit, f"{SOURCE} {self.commit}")
        for batch in file_batches(self._files(config.max_bytes), origin, config, batch_bytes):
            yield _with_facts(batch, self.facts)

    def _files(self, max_bytes: int) -> Iterator[File]:
        folder = self.location
        try:
            if not os.path.isdir(folder):
                folder = away.fetched(self.origin, max_bytes)
        except (Refusal, OSError) as error:
            problem = _reason(error)
            return (_lost(blob, problem) for blob in self.blobs)
        return read_blobs(folder, self.blobs, max_bytes, filtered=True)


@dataclass(frozen=True)
class TarballUnit(Unit):
    """One commit of a repository on GitHub as a tarball, read to its end; ``packed`` is its size on disk."""

    commit: str
    packed: int
    limits: Limits
    facts: Facts
    origin: away.Origin

    def read(self, config: IngestConfig, batch_bytes: int, skipped: Skipped) -> Iterator[pa.RecordBatch]:
        """Read the members below the top folder; from a break on, one row says why the rest is lost."""
        for batch in self._batches(config, batch_bytes, skipped):
            yield _with_facts(self._named(batch), self.facts)

    def _batches(self, config: IngestConfig, batch_bytes: int, skipped: Skipped) -> Iterator[pa.RecordBatch]:
        path = self.location
        try:
            if not os.path.isfile(path):
                path = away.downloaded(self.origin)
        except (Refusal, OSError) as error:
            return iter([problem_row(SOURCE, self.name, self.name, _reason(error), self.packed)])
        tar = TarUnit(self.name, path, self.bytes, self.packed, self.limits)
        return tar.read(config, batch_bytes, skipped)

    def _named(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        rows = batch.num_rows
        values = {
            "repo": [self.name] * rows,
            "ref": [self.commit] * rows,
            "path": [self._path(place) for place in batch.column("provenance").to_pylist()],
            "source": [SOURCE] * rows,
            "provenance": [f"{SOURCE} {self.commit}"] * rows,
        }
        return _with_values(batch, values)

    def _path(self, place: str) -> str:
        """A member's path below the folder that GitHub puts around a commit."""
        member = place.removeprefix(f"{self.name}/")
        return member.split("/", 1)[1] if member != place and "/" in member else member


def _reason(error: Refusal | OSError) -> str:
    said = error.reason if isinstance(error, Refusal) else error.strerror or type(error).__name__
    return f"unreadable: not fetched: {said}"


def _lost(blob: Blob, problem: str) -> File:
    return File(path_text(blob.path), None, None, problem, blob.blob_id)


def _with_facts(batch: pa.RecordBatch, facts: Facts) -> pa.RecordBatch:
    updated = datetime.fromisoformat(facts.updated) if facts.updated else None
    values = {name: getattr(facts, name) for name in ("license", "stars", "forks", "fork_of")}
    values["updated"] = updated
    return _with_values(batch, {name: [value] * batch.num_rows for name, value in values.items()})


def _with_values(batch: pa.RecordBatch, values: Mapping[str, Sequence[object]]) -> pa.RecordBatch:
    for name, column in values.items():
        place, kind = DOCUMENT.get_field_index(name), DOCUMENT.field(name)
        batch = batch.set_column(place, kind, pa.array(column, kind.type))
    return batch
