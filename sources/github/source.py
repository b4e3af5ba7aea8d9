"""The GitHub source: repositories of a list as units of blobs, each pinned to its commit."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import NamedTuple

import pyarrow as pa

from columns.document import DOCUMENT
from columns.errors import InputError
from columns.urls import without_login
from sources.bigquery import BigQueryConfig
from sources.bigquery.cost import Confirm
from sources.blobs import Blob, read_blobs
from sources.config import IngestConfig
from sources.files import File, Origin, file_batches, path_text
from sources.git import GitUnit, TooManyEntries, sized_blobs
from sources.github import away
from sources.github.choice import GithubChoice
from sources.github.config import GithubConfig
from sources.github.crawl import Crawl, Watch
from sources.github.facts import Facts
from sources.github.lists import (
    QUERY,
    SUFFIXES,
    Wanted,
    distinct,
    from_entry,
    from_file,
    from_organisation,
    from_query,
    from_search,
)
from sources.github.patience import Clock, WallClock, say
from sources.github.refusals import Refusal
from sources.github.states import State
from sources.unit import Listing, Skipped, chunks, stamp

FORM = "github:LIST_FILE, github:QUERY.sql, github:OWNER/NAME[@REF], github:org:NAME or github:search:QUERY"


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
        origin = Origin("github", self.name, self.commit, f"github {self.commit}")
        for batch in file_batches(self._files(config.max_bytes), origin, config, batch_bytes):
            yield _with_facts(batch, self.facts)

    def _files(self, max_bytes: int) -> Iterator[File]:
        folder = self.location
        try:
            if not os.path.isdir(folder):
                folder = away.fetched(self.origin, max_bytes)
        except (Refusal, OSError) as error:
            reason = error.reason if isinstance(error, Refusal) else f"{error.strerror}"
            return (_lost(blob, f"unreadable: not fetched: {reason}") for blob in self.blobs)
        return read_blobs(folder, self.blobs, max_bytes, filtered=True)


@dataclass(frozen=True)
class GithubSource:
    """Repositories by a list's or a query's path, ``owner/name``, ``org:NAME`` or ``search:QUERY``.

    ``bigquery``: how a query is run; ``confirm`` gets its estimate before it is billed.
    ``watch`` is told how many repositories have got their state, and of how many; by any thread, one at a time.

    >>> GithubSource("pallets/flask@3.0.0").spec
    'github:pallets/flask@3.0.0'
    """

    where: str
    choice: GithubChoice = field(default_factory=GithubChoice)
    github: GithubConfig = field(default_factory=GithubConfig.from_environment)
    bigquery: BigQueryConfig = field(default_factory=BigQueryConfig)
    confirm: Confirm | None = field(default=None, repr=False, compare=False)
    clock: Clock = field(default_factory=WallClock, repr=False, compare=False)
    say: Callable[[str], None] = field(default=say, repr=False, compare=False)
    watch: Watch | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if without_login(self.where) != self.where:
            raise InputError(
                f"github:{without_login(self.where)}: a URL with a login",
                hint="repositories are fetched without one; leave the part before '@' out",
            )

    @property
    def spec(self) -> str:
        """The canonical text of this source."""
        return f"github:{self.where}"

    def units(self, config: IngestConfig, *, workdir: str | None = None) -> Listing:
        """Bring the store up to date and list its blobs; a repository that is not read is counted with its state.

        An interrupted call goes on where it was; until the listing is discarded, no other process changes the store.
        `InputError` for a list that cannot be read, tokens that are all refused, or a store that another run is using.
        """
        crawl = Crawl(
            self.github, self.choice, config.max_bytes, clock=self.clock, say=self.say, watch=self.watch
        )
        try:
            skipped: Skipped = Counter()
            wanted = distinct(self._wanted(config, crawl, skipped), skipped)
            listing = _listing(crawl, _present(crawl.run(wanted), skipped), config, skipped)
        except BaseException:
            crawl.close()
            raise
        return replace(listing, held=(crawl.settle(),))

    def _wanted(self, config: IngestConfig, crawl: Crawl, skipped: Skipped) -> Iterator[Wanted]:
        kind, _, rest = self.where.partition(":")
        if kind == "org":
            return from_organisation(rest, crawl.api, skipped)
        if kind == "search":
            return from_search(rest, crawl.api, skipped)
        path = os.path.expanduser(self.where)
        if path.lower().endswith(QUERY):
            return from_query(path, config, self.bigquery, self.confirm, skipped)
        listed = os.path.exists(self.where) or self.where.lower().endswith(SUFFIXES)
        entry = None if listed else from_entry(self.where)
        if entry is not None:
            return iter([entry])
        return from_file(path, config, self.choice, skipped)


def _present(states: list[State], skipped: Skipped) -> list[State]:
    """The repositories that were fetched, each once under its name of today, by that name."""
    kept: dict[str, State] = {}
    for state in states:
        key = (state.now or state.name).lower()
        if state.state not in ("done", "moved"):
            skipped[f"repository_{state.state}"] += 1
        elif not state.commit:
            skipped["empty_repository"] += 1
        elif key in kept:
            skipped["duplicate_repository"] += 1
            kept[key] = min(kept[key], state, key=lambda one: (one.state, one.name))
        else:
            kept[key] = state
    return [kept[key] for key in sorted(kept)]


class _Read(NamedTuple):
    """One repository listed: its blobs with what reading costs, and what was left out."""

    blobs: list[tuple[Blob, int]]
    skipped: Skipped


def _listing(crawl: Crawl, states: list[State], config: IngestConfig, skipped: Skipped) -> Listing:
    units: list[GithubUnit] = []
    files = total = 0
    for state, read in zip(states, crawl.each(partial(_read, crawl, config), states), strict=True):
        folder, name = crawl.shelf(state.name).folder, state.now or state.name
        units += [
            GithubUnit(name, folder, size, state.commit, tuple(blobs), state.facts, crawl.origin(state))
            for blobs, size in chunks(read.blobs)
        ]
        skipped.update(read.skipped)
        files, total = files + len(read.blobs), total + sum(size for _, size in read.blobs)
    identities = [(state.now or state.name, state.commit, *state.facts) for state in states]
    pinned = f"github:{states[0].now or states[0].name}@{states[0].commit}" if len(states) == 1 else ""
    return Listing(tuple(units), skipped, files, total, stamp=stamp(identities), pinned=pinned)


def _read(crawl: Crawl, config: IngestConfig, state: State) -> _Read:
    """A repository's blobs; none, and counted, when it cannot be listed or is made to exhaust its readers."""
    skipped: Skipped = Counter()
    folder = crawl.shelf(state.name).folder
    try:
        return _Read(sized_blobs(folder, state.commit, config, skipped, crawl.choice.max_entries), skipped)
    except TooManyEntries:
        return _Read([], Counter(repository_too_large=1))
    except InputError:
        return _Read([], Counter(repository_failed=1))


def _lost(blob: Blob, problem: str) -> File:
    return File(path_text(blob.path), None, None, problem, blob.blob_id)


def _with_facts(batch: pa.RecordBatch, facts: Facts) -> pa.RecordBatch:
    updated = datetime.fromisoformat(facts.updated) if facts.updated else None
    values = {name: getattr(facts, name) for name in ("license", "stars", "forks", "fork_of")}
    values["updated"] = updated
    for name, value in values.items():
        place, kind = DOCUMENT.get_field_index(name), DOCUMENT.field(name)
        batch = batch.set_column(place, kind, pa.array([value] * batch.num_rows, kind.type))
    return batch
