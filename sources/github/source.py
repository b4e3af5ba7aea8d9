"""The GitHub source: repositories of a list as units of blobs, each pinned to its commit."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple

from columns.errors import InputError
from columns.urls import without_login
from sources.archives import Limits
from sources.bigquery import BigQueryConfig
from sources.bigquery.cost import Confirm
from sources.config import IngestConfig
from sources.git.blobs import Blob
from sources.git.source import TooManyEntries, sized_blobs
from sources.github.choice import GithubChoice
from sources.github.config import GithubConfig
from sources.github.crawl import Crawl, Watch
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
from sources.github.outcomes import outcomes
from sources.github.patience import Clock, WallClock, say
from sources.github.states import State
from sources.github.units import GithubUnit, TarballUnit
from sources.tables.jsonl import TYPICAL_RATIO
from sources.unit import Listing, Skipped, Unit, chunks, stamp

FORM = "github:LIST_FILE, github:QUERY.sql, github:OWNER/NAME[@REF], github:org:NAME or github:search:QUERY"


@dataclass(frozen=True)
class GithubSource:
    """Repositories by a list's or a query's path, ``owner/name``, ``org:NAME`` or ``search:QUERY``.

    ``bigquery``: how a query is run; ``confirm`` gets its estimate before it is billed.
    ``limits``: what is too much for a tarball.
    ``watch`` is told how many repositories have got their state, and of how many; by any thread, one at a time.

    >>> GithubSource("pallets/flask@3.0.0").spec
    'github:pallets/flask@3.0.0'
    """

    where: str
    choice: GithubChoice = field(default_factory=GithubChoice)
    github: GithubConfig = field(default_factory=GithubConfig.from_environment)
    bigquery: BigQueryConfig = field(default_factory=BigQueryConfig)
    limits: Limits = field(default_factory=Limits)
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
            states = crawl.run(wanted)
            present = _present(states, skipped)
            unread: dict[str, str] = {}
            if self.github.transport == "tarball":
                listing = _tarballs(crawl, present, self.limits, skipped)
            else:
                listing = _listing(crawl, present, config, skipped, unread)
            listing = replace(listing, repositories=outcomes(states, unread))
        except BaseException:
            crawl.close()
            raise
        return replace(listing, held=(crawl.settle(),))

    def _wanted(self, config: IngestConfig, crawl: Crawl, skipped: Skipped) -> Iterator[Wanted]:
        kind, _, rest = self.where.partition(":")
        if kind == "org" and rest:
            return from_organisation(rest, crawl.api, skipped)
        if kind == "search" and rest:
            return from_search(rest, crawl.api, skipped)
        path = os.path.expanduser(self.where)
        if path.lower().endswith(QUERY):
            return from_query(path, config, self.bigquery, self.confirm, skipped)
        listed = os.path.exists(self.where) or self.where.lower().endswith(SUFFIXES)
        entry = None if listed else from_entry(self.where)
        if entry is not None:
            return iter([entry])
        if not listed and not any(sign in path for sign in "*?[") and "://" not in path:
            raise InputError(f"github:{self.where}: neither a list nor a repository", hint=f"use {FORM}")
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


_FAILED = "repository_"


class _Read(NamedTuple):
    """One repository listed: its blobs with what reading costs, and what was left out."""

    blobs: list[tuple[Blob, int]]
    skipped: Skipped


def _listing(
    crawl: Crawl, states: list[State], config: IngestConfig, skipped: Skipped, unread: dict[str, str]
) -> Listing:
    """``unread`` gets those that were fetched and cannot be listed, with what they are instead of done."""
    units: list[Unit] = []
    files = total = 0
    for state, read in zip(states, crawl.each(partial(_read, crawl, config), states), strict=True):
        folder, name = crawl.shelf(state.name).folder, state.now or state.name
        units += [
            GithubUnit(name, folder, size, state.commit, tuple(blobs), state.facts, crawl.origin(state))
            for blobs, size in chunks(read.blobs)
        ]
        skipped.update(read.skipped)
        failed = [reason for reason in read.skipped if reason.startswith(_FAILED)]
        unread.update({state.name: failed[0].removeprefix(_FAILED)} if failed else {})
        files, total = files + len(read.blobs), total + sum(size for _, size in read.blobs)
    return Listing(tuple(units), skipped, files, total, stamp=stamp(_identities(states)), pinned=_pin(states))


def _tarballs(crawl: Crawl, states: list[State], limits: Limits, skipped: Skipped) -> Listing:
    """A unit per tarball; what is in it is known when it is read."""
    limits = replace(limits, members=min(limits.members, crawl.choice.max_entries))
    units = []
    for state in states:
        path, name = crawl.drawer(state.name).path(state.commit), state.now or state.name
        packed = os.path.getsize(path)
        origin = crawl.origin(state)
        size = packed * TYPICAL_RATIO
        units.append(TarballUnit(name, path, size, state.commit, packed, limits, state.facts, origin))
    total = sum(unit.bytes for unit in units)
    identity = stamp([("tarball", limits), *_identities(states)])
    return Listing(tuple(units), skipped, len(units), total, stamp=identity, pinned=_pin(states))


def _identities(states: list[State]) -> list[tuple[object, ...]]:
    return [(state.now or state.name, state.commit, *state.facts) for state in states]


def _pin(states: list[State]) -> str:
    """The spec of the one repository at its commit; none for several."""
    return f"github:{states[0].now or states[0].name}@{states[0].commit}" if len(states) == 1 else ""


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
