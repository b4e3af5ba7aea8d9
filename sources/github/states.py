"""States: what became of each repository, one line per change in a file that only grows.

A line is written with one call and counts when its newline is there, so a run that is killed at any moment loses
at most the repository it was at. A round is one look at the whole list; a run that was interrupted goes on
with its round, and what the round has done already is not asked about again.
"""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from columns.errors import InputError
from sources.github.facts import Facts
from sources.github.refusals import STATES, Condition
from sources.stopping import Stopped

FILE = "states.jsonl"

_WASTE = 4


class State(NamedTuple):
    """What became of a repository.

    ``state``: one of `sources.github.refusals.STATES`, ``reason`` in words when nothing was fetched; ``now``: its
    name today, another one when it has moved; ``commit``: what the store holds, "" for nothing; ``limit``: blobs
    over so many bytes were left out, -1 of a tarball; ``bytes``: fetched for it so far; ``etag``: of its metadata;
    ``round``: when it was looked at.
    """

    name: str
    state: Condition
    reason: str = ""
    now: str = ""
    commit: str = ""
    limit: int = 0
    bytes: int = 0
    etag: str = ""
    facts: Facts = Facts()
    round: int = 0


class States:
    """The states of a store, locked for one process at a time."""

    def __init__(self, store: str) -> None:
        os.makedirs(store, exist_ok=True)
        self._path = Path(store, FILE)
        self._lock = os.open(Path(store, "lock"), os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.lockf(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise InputError(
                f"{store}: another run is using this store", hint="wait, or name another folder"
            ) from None
        self._turn = threading.Lock()
        self.round = 1
        self._known: dict[str, State] = {}
        self._load()
        self._sink = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def get(self, name: str) -> State | None:
        """The last state of a repository."""
        return self._known.get(name.lower())

    def all(self) -> list[State]:
        """Every repository's last state, by name."""
        return [self._known[key] for key in sorted(self._known)]

    def put(self, state: State) -> State:
        """Remember a state, in this round."""
        kept = state._replace(round=self.round)
        self._append(_record(kept))
        self._known[kept.name.lower()] = kept
        return kept

    def end_round(self) -> None:
        """The whole list has been looked at; the next run looks again."""
        self._append({"end_of_round": self.round})
        self.round += 1

    def close(self) -> None:
        """Close the file and let others use the store; `Stopped` for who still wants to write."""
        self._close_sink()
        os.close(self._lock)

    def settle(self) -> int:
        """Close the file, and let others only read what is in the store until the returned descriptor is closed."""
        self._close_sink()
        fcntl.lockf(self._lock, fcntl.LOCK_SH)
        return self._lock

    def _close_sink(self) -> None:
        with self._turn:
            os.close(self._sink)
            self._sink = -1

    def _append(self, record: dict[str, Any]) -> None:
        rest = orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
        with self._turn:
            if self._sink < 0:
                raise Stopped
            while rest:
                rest = rest[os.write(self._sink, rest) :]

    def _load(self) -> None:
        if not self._path.exists():
            return
        raw = self._path.read_bytes()
        whole = raw[: raw.rfind(b"\n") + 1]
        records = 0
        for line in whole.splitlines():
            records += 1
            self._take(line)
        if len(whole) < len(raw) or records > _WASTE * (len(self._known) + 1):
            self._rewrite()

    def _take(self, line: bytes) -> None:
        try:
            record = orjson.loads(line)
            if "end_of_round" in record:
                self.round = int(record["end_of_round"]) + 1
                return
            state = State(**{**record, "facts": Facts(**record["facts"])})
        except (orjson.JSONDecodeError, TypeError, KeyError, ValueError):
            raise InputError(
                f"{self._path}: not a file of states", hint="remove the folder to fetch everything again"
            ) from None
        if state.state in STATES:
            self._known[state.name.lower()] = state

    def _rewrite(self) -> None:
        lines = [_record(state) for state in self.all()]
        if self.round > 1:
            lines.insert(0, {"end_of_round": self.round - 1})
        temporary = self._path.with_name(f".tmp-{FILE}")
        temporary.write_bytes(
            b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines)
        )
        os.replace(temporary, self._path)


def _record(state: State) -> dict[str, Any]:
    return {**state._asdict(), "facts": state.facts._asdict()}
