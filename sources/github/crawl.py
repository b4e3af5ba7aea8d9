"""Crawl: every repository of a list brought up to date in a store, several at a time, each with its state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from threading import Lock
from typing import TypeVar

from sources.github.api import Api
from sources.github.away import Origin
from sources.github.choice import GithubChoice
from sources.github.config import GithubConfig
from sources.github.facts import Facts, facts_of_api, repository_name
from sources.github.graph import Graph
from sources.github.lists import Wanted
from sources.github.patience import Answer, Clock, patiently
from sources.github.refusals import Refusal
from sources.github.remote import OBJECT_ID, Remote, Server
from sources.github.shelf import Shelf, ShelfLimits
from sources.github.states import State, States
from sources.github.tarballs import Drawer, tarball
from sources.github.tokens import Tokens
from sources.github.web import Web
from sources.stopping import Stop, each

Item = TypeVar("Item")
Found = TypeVar("Found")
Watch = Callable[[int, int], None]


class Crawl:
    """A store being brought up to date. Blobs over ``max_bytes`` are left out where the server can do that."""

    def __init__(
        self,
        config: GithubConfig,
        choice: GithubChoice,
        max_bytes: int,
        *,
        clock: Clock,
        say: Callable[[str], None],
        watch: Watch | None = None,
    ) -> None:
        self.config = config
        self.choice = choice
        self.store = config.folder()
        self.max_bytes = max_bytes
        self._tarballs = config.transport == "tarball"
        self._limit = -1 if self._tarballs else max_bytes
        self._stop = Stop()
        self._watch = watch
        self._turn = Lock()
        self._web = Web(config, clock, self._stop)
        tokens = Tokens.from_environment(config.token_variables)
        self.api = Api(self._web, tokens, say)
        self._asks = choice.metadata == "api" or (choice.metadata == "auto" and tokens.known)
        self._graph: Graph | None = None
        self._server = Server(self._web)
        self.states = States(self.store)

    def close(self) -> None:
        """Close connections and states."""
        self._web.close()
        self.states.close()

    def settle(self) -> int:
        """Close connections and states, and keep others from changing the store; the lock's descriptor."""
        self._web.close()
        return self.states.settle()

    def run(self, wanted: Sequence[Wanted]) -> list[State]:
        """The state of each repository, in the list's order; the round ends when all have one."""
        self._graph = self._graph_of(wanted)
        found = self.each(self._watched(len(wanted)), wanted)
        self.states.end_round()
        return found

    def _graph_of(self, wanted: Sequence[Wanted]) -> Graph | None:
        """Who is asked about together: whatever has no ETag, with which REST answers for nothing."""
        if not self._asks or not self.api.tokens.known:
            return None
        return Graph(self.api, [one.name for one in wanted if self._is_news(one)])

    def _is_news(self, wanted: Wanted) -> bool:
        known = self.states.get(wanted.name)
        return known is None or (not known.etag and not self._is_done(known, wanted))

    def _is_done(self, known: State, wanted: Wanted) -> bool:
        return known.round == self.states.round and self._holds(known, wanted)

    def _watched(self, wanted: int) -> Callable[[Wanted], State]:
        """The work on one repository, telling the watch about each that has its state."""
        watch, done = self._watch, count(1)
        if watch is None:
            return self._one
        watch(0, wanted)

        def work(one: Wanted) -> State:
            found = self._one(one)
            with self._turn:
                watch(next(done), wanted)
            return found

        return work

    def each(self, work: Callable[[Item], Found], items: Sequence[Item]) -> list[Found]:
        """The results of some work, several at a time, in the items' order; the first error stops all."""
        return each(work, items, threads=self.config.connections, stop=self._stop)

    @property
    def limits(self) -> ShelfLimits:
        """What is too much of one repository."""
        return ShelfLimits(self.choice.max_pack_bytes, self.config.max_seconds, self.config.memory_bytes)

    def shelf(self, name: str) -> Shelf:
        """Where a repository's objects are."""
        return Shelf(self.store, f"{self.config.server_url}/{name}".lower(), self._stop)

    def drawer(self, name: str) -> Drawer:
        """Where a repository's tarball is."""
        return Drawer(self.store, f"{self.config.server_url}/{name}".lower(), self._stop)

    def origin(self, state: State) -> Origin:
        """Where a reader on another machine gets a repository's commit."""
        config = replace(self.config, store="")
        return Origin(config, state.now or state.name, state.commit, self.choice.max_pack_bytes)

    def _one(self, wanted: Wanted) -> State:
        known = self.states.get(wanted.name)
        if known is not None and self._is_done(known, wanted):
            return known
        before = known or State(wanted.name, "failed")
        try:
            after = self._update(wanted, before)
        except Refusal as refusal:
            after = self._refused(before, refusal)
        return self.states.put(after)

    def _refused(self, before: State, refusal: Refusal) -> State:
        """What is not there any more, or not for us, is not kept either."""
        after = before._replace(state=refusal.state, reason=refusal.reason)
        if refusal.state not in ("gone", "forbidden"):
            return after
        self.shelf(before.name).remove()
        self.drawer(before.name).remove()
        return after._replace(commit="", etag="")

    def _holds(self, known: State, wanted: Wanted) -> bool:
        if known.state not in ("done", "moved"):
            return known.state != "failed"
        fits = known.limit == self._limit and (not known.commit or self._has(known))
        return fits and wanted.ref in (None, known.commit)

    def _has(self, known: State) -> bool:
        if self._tarballs:
            return self.drawer(known.name).exists(known.commit)
        return self.shelf(known.name).exists()

    def _commit(self, remote: Remote, name: str, ref: str | None) -> str:
        """The commit to fetch. Tarballs are asked for with a token, so only of what everybody can see."""
        try:
            if self._tarballs and ref is not None and OBJECT_ID.fullmatch(ref):
                self._patiently(partial(remote.head, None), name)
            return self._patiently(partial(remote.head, ref), name)
        except Refusal as refusal:
            if not self._tarballs or refusal.state != "failed":
                raise
        return self.api.commit(name, ref)

    def _update(self, wanted: Wanted, before: State) -> State:
        described = self._described(wanted, before)
        self._check_wish(described.facts)
        remote = Remote(
            self._server, f"{self.config.server_url.rstrip('/')}/{described.now or wanted.name}.git"
        )
        commit = self._commit(remote, described.now or wanted.name, wanted.ref)
        self._check_known(before, commit)
        now = described.now or _moved_to(remote.url, wanted.name)
        state = described._replace(
            state="moved" if now else "done", now=now, reason="" if commit else "no commits"
        )
        return state if not commit else self._fetched(remote, state, before, commit)

    def _fetched(self, remote: Remote, state: State, before: State, commit: str) -> State:
        usable = before.limit == self._limit and bool(before.commit) and self._has(before)
        if usable and before.commit == commit:
            return state
        attempt = self._attempt(remote, state, commit, before.commit if usable else None)
        try:
            taken = self._patiently(attempt, state.name)
        except Refusal as refusal:
            if refusal.state != "too_large":
                raise
            return before._replace(
                state="too_large", reason=f"{commit}: {refusal.reason}", limit=self._limit, commit=""
            )
        return state._replace(commit=commit, limit=self._limit, bytes=before.bytes + taken)

    def _attempt(self, remote: Remote, state: State, commit: str, have: str | None) -> Callable[[], int]:
        if self._tarballs:
            return partial(self._take_tarball, state, commit)
        shelf = self.shelf(state.name)
        return _Attempt(self, remote, shelf, commit, None if have and shelf.worn() else have)

    def _take_tarball(self, state: State, commit: str) -> int:
        blocks = tarball(self.api, state.now or state.name, commit, self.choice.max_pack_bytes)
        return self.drawer(state.name).replace(commit, blocks)

    def _check_known(self, before: State, commit: str) -> None:
        """A commit that was too large stays so."""
        same = before.state == "too_large" and before.limit == self._limit
        if same and commit and before.reason.startswith(commit):
            raise Refusal("too_large", before.reason)

    def _described(self, wanted: Wanted, before: State) -> State:
        if not self._asks:
            facts = wanted.facts if any(v is not None for v in wanted.facts) else before.facts
            return before._replace(name=wanted.name, facts=facts, now="")
        listed = self._graph.get(wanted.name) if self._graph else None
        if listed is not None:
            now = "" if listed.name.lower() == wanted.name.lower() else listed.name
            return before._replace(name=wanted.name, facts=listed.facts, etag="", now=now)
        answer = self.api.repository(wanted.name, before.etag)
        if answer.data is None:
            return before._replace(name=wanted.name)
        name = answer.data.get("full_name") if isinstance(answer.data, dict) else None
        known = repository_name(name) if isinstance(name, str) else None
        if known is None:
            raise Refusal("failed", "the API's answer names no repository")
        now = "" if known.lower() == wanted.name.lower() else known
        return before._replace(name=wanted.name, facts=facts_of_api(answer.data), etag=answer.etag, now=now)

    def _check_wish(self, facts: Facts) -> None:
        if facts.private:
            raise Refusal("forbidden", "private")
        obstacle = self.choice.obstacle(facts)
        if obstacle:
            raise Refusal("left_out", obstacle)

    def _patiently(self, work: Callable[[], Answer], key: str) -> Answer:
        return patiently(
            work,
            key=key,
            attempts=self.config.attempts,
            clock=self._web.clock,
            longest=self.config.max_wait_seconds,
        )


class _Attempt:
    """One commit onto its shelf: what is new only, or, after a failure and at first, everything."""

    def __init__(self, crawl: Crawl, remote: Remote, shelf: Shelf, commit: str, have: str | None) -> None:
        self._crawl, self._remote, self._shelf = crawl, remote, shelf
        self._commit, self._have = commit, have

    def __call__(self) -> int:
        limits, have = self._crawl.limits, self._have
        self._have = None
        pack = self._remote.pack(self._commit, have, self._crawl.max_bytes, limits.pack_bytes)
        if have is None:
            return self._shelf.replace(self._commit, pack, limits)
        return self._shelf.add(self._commit, pack, limits)


def _moved_to(url: str, name: str) -> str:
    """The name a git server's redirect led to, or "" when it is the one that was asked for."""
    found = repository_name("/".join(url.removesuffix(".git").split("/")[-2:]))
    return found if found and found.lower() != name.lower() else ""
