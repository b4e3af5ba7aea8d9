"""Order: which row of which source is sample k of the global stream, for any k, computed and not stored.

A pure function of the sources, the stages, the shuffle and the seed. World size, workers, prefetch and batch
size do not enter it, so a run is resumed from one number, ``position``, by any number of ranks.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numba import njit

from columns.errors import InputError
from training.mixture import Cycle, Stage, whole_weights
from training.permutation import LARGEST, PERMUTATION, permute, subkey

STATE_VERSION = 1


@dataclass(frozen=True)
class Shuffle:
    """How far rows are mixed: over the whole source, or, with ``window_rows``, within windows.

    With windows, blocks of ``block_rows`` neighbouring rows are shuffled over the whole source, and rows
    within each run of ``window_rows``: a reader then needs the shards of one window at a time, which is what
    object storage wants. ``window_rows`` must be a multiple of ``block_rows``.
    """

    window_rows: int | None = None
    block_rows: int = 1024

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        if self.block_rows < 1:
            raise ValueError(f"block_rows: expected at least 1, got {self.block_rows}")
        if self.window_rows is not None and (self.window_rows < 1 or self.window_rows % self.block_rows):
            raise ValueError(
                f"window_rows: expected a multiple of block_rows {self.block_rows}, got {self.window_rows}"
            )


@dataclass(frozen=True)
class Member:
    """A source as the order sees it: its name, its number of rows, and a fingerprint of its content."""

    name: str
    rows: int
    fingerprint: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.rows <= LARGEST:
            raise ValueError(f"rows: expected 1 to 2**62 in {self.name!r}, got {self.rows}")


@dataclass(frozen=True)
class _Leg:
    """A stage laid out: where it begins and ends in the stream, its cycle, what was taken before it."""

    start: int
    stop: int
    cycle: Cycle
    taken: list[int]


class _Plan(NamedTuple):
    """The legs as arrays for the kernel; ``taken`` and ``weights`` are ``int64[stages, sources]``."""

    starts: np.ndarray
    taken: np.ndarray
    cycle_starts: np.ndarray
    cycle_sources: np.ndarray
    cycle_turns: np.ndarray
    weights: np.ndarray
    rows: np.ndarray
    keys: np.ndarray
    block_rows: int
    window_rows: int


@dataclass(frozen=True)
class Order:
    """The global stream of samples. ``shuffle=None`` keeps the rows of each source in the order of its shards.

    Building one costs milliseconds per stage, whatever the number of rows. ValueError for stages that name
    no source, name one that is not there, or follow a stage without an end.

    >>> order = Order((Member("code", 6),), (Stage({"code": 1}, samples=12),), seed=1)
    >>> sources, rows = order.locate(0, 6)
    >>> sorted(rows.tolist()), order.counts(9), order.length
    ([0, 1, 2, 3, 4, 5], {'code': 9}, 12)
    """

    members: tuple[Member, ...]
    stages: tuple[Stage, ...]
    seed: int = 0
    shuffle: Shuffle | None = field(default_factory=Shuffle)

    def __post_init__(self) -> None:
        names = [member.name for member in self.members]
        if len(set(names)) != len(names) or not names:
            raise ValueError(f"members: expected sources of different names, got {names}")
        if not self.stages:
            raise ValueError("stages: expected at least one, got none")
        for stage in self.stages:
            if unknown := sorted(set(stage.weights) - set(names)):
                raise ValueError(f"weights: expected sources of {names}, got {unknown}")
        if LARGEST in [leg.stop for leg in self._legs[:-1]]:
            raise ValueError(
                "samples: expected a number, got none in a stage that repeats and is not the last"
            )

    @cached_property
    def _legs(self) -> list[_Leg]:
        legs: list[_Leg] = []
        start, taken = 0, [0] * len(self.members)
        for stage in self.stages:
            named = list(stage.weights)
            whole = dict(zip(named, whole_weights([stage.weights[name] for name in named]), strict=True))
            cycle = Cycle.of([whole.get(member.name, 0) for member in self.members])
            size = self._samples(stage, cycle, taken)
            legs.append(_Leg(start, min(start + size, LARGEST), cycle, taken))
            start += size
            taken = [before + more for before, more in zip(taken, cycle.counts(size), strict=True)]
        return legs

    def _samples(self, stage: Stage, cycle: Cycle, taken: Sequence[int]) -> int:
        """How long a stage is: as stated, or until the first source comes to the end of its epoch."""
        limit = LARGEST if stage.samples is None else stage.samples
        if stage.at_end == "repeat":
            return limit
        left = [member.rows - count % member.rows for member, count in zip(self.members, taken, strict=True)]
        ends = (cycle.position(at, left[at]) for at in range(len(left)) if cycle.weights[at])
        return min(limit, *ends)

    @property
    def end(self) -> int:
        """The number behind the last sample; 2**62 when the last stage repeats for ever."""
        return self._legs[-1].stop

    @property
    def length(self) -> int | None:
        """Samples in the stream; None when its last stage repeats for ever."""
        return None if self.end >= LARGEST else self.end

    @property
    def starts(self) -> list[int]:
        """The first sample of each stage."""
        return [leg.start for leg in self._legs]

    @cached_property
    def fingerprint(self) -> str:
        """32 hex digits over all that decides the order: sources, stages, seed, shuffle, permutation."""
        said = [PERMUTATION, self.seed, [asdict(member) for member in self.members]]
        said += [[asdict(stage) for stage in self.stages], self.shuffle and asdict(self.shuffle)]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:32]

    def counts(self, position: int) -> dict[str, int]:
        """How many of the first ``position`` samples come from each source, in closed form.

        Divided by the source's rows it is the source's epoch. ValueError beyond the stream's end.
        """
        if not 0 <= position <= self.end:
            raise ValueError(f"position: expected 0 to {self.end}, got {position}")
        leg = next(leg for leg in reversed(self._legs) if leg.start <= position)
        pairs = zip(leg.taken, leg.cycle.counts(position - leg.start), strict=True)
        names = (member.name for member in self.members)
        return dict(zip(names, (before + more for before, more in pairs), strict=True))

    def locate(self, first: int, count: int, step: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Samples ``first, first + step, …``, ``count`` of them: ``(source int32[count], row int64[count])``.

        Rows are numbered within their source. Cost: about 30 ns a sample, at any position; no memory but
        the result's. ValueError for samples beyond the stream's end.
        """
        last = first + (count - 1) * step
        if first < 0 or (count and last >= self.end):
            raise ValueError(f"samples: expected 0 to {self.end - 1}, got {first} to {last}")
        sources, rows = np.empty(count, np.int32), np.empty(count, np.int64)
        _locate(first, step, sources, rows, self._plan)
        return sources, rows

    @cached_property
    def _plan(self) -> _Plan:
        cycles = [leg.cycle for leg in self._legs]
        return _Plan(
            starts=np.array([leg.start for leg in self._legs], np.int64),
            taken=np.array([leg.taken for leg in self._legs], np.int64),
            cycle_starts=np.cumsum([0, *(len(cycle.sources) for cycle in cycles)], dtype=np.int64),
            cycle_sources=np.concatenate([cycle.sources for cycle in cycles]),
            cycle_turns=np.concatenate([cycle.turns for cycle in cycles]),
            weights=np.array([cycle.weights for cycle in cycles], np.int64),
            rows=np.array([member.rows for member in self.members], np.int64),
            keys=np.array([_key(self.seed, member.name) for member in self.members], np.uint64),
            block_rows=self.shuffle.block_rows if self.shuffle else 0,
            window_rows=(self.shuffle.window_rows or 0) if self.shuffle else 0,
        )

    def state(self, position: int) -> dict[str, Any]:
        """What to save: a plain dict of version, seed, position, each source's epoch, the order's fingerprint."""
        taken = self.counts(position)
        return {
            "version": STATE_VERSION,
            "seed": self.seed,
            "position": position,
            "epochs": {member.name: taken[member.name] // member.rows for member in self.members},
            "order": self.fingerprint,
        }

    def position(self, state: Mapping[str, Any]) -> int:
        """The position that a saved state stands for; `InputError` for a state of another order or dataset."""
        if state.get("version") != STATE_VERSION:
            raise InputError(f"loader state: version expected {STATE_VERSION}, got {state.get('version')}")
        if state.get("seed") != self.seed:
            raise InputError(f"loader state: seed expected {self.seed}, got {state.get('seed')}")
        if state.get("order") != self.fingerprint:
            what = f"loader state: order expected {self.fingerprint}, got {state.get('order')}"
            raise InputError(
                what, hint="saved over other shards, stages, weights or another shuffle than these"
            )
        found = state.get("position")
        if not isinstance(found, int) or not 0 <= found <= self.end:
            raise InputError(f"loader state: position expected 0 to {self.end}, got {found}")
        return found


def _key(seed: int, name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"order/{seed}/{name}".encode()).digest()[:8], "little")


@njit(cache=True)
def _locate(first, step, sources, found, plan):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    stage = 0
    for at in range(len(sources)):
        position = first + at * step
        while stage + 1 < len(plan.starts) and position >= plan.starts[stage + 1]:
            stage += 1
        begin, end = plan.cycle_starts[stage], plan.cycle_starts[stage + 1]
        full, slot = divmod(position - plan.starts[stage], end - begin)
        source = plan.cycle_sources[begin + slot]
        turn = plan.taken[stage, source] + full * plan.weights[stage, source] + plan.cycle_turns[begin + slot]
        rows = plan.rows[source]
        sources[at], found[at] = source, turn % rows
        if plan.block_rows:
            key = subkey(plan.keys[source], turn // rows)
            found[at] = _shuffled(turn % rows, rows, key, plan.block_rows, plan.window_rows)


@njit(cache=True)
def _shuffled(index, rows, key, block_rows, window_rows):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Two bijections in a row: rows within their window, then whole blocks over the source."""
    if window_rows == 0:
        return permute(index, rows, key)
    window = index // window_rows
    start = window * window_rows
    slot = start + permute(index - start, min(window_rows, rows - start), subkey(key, window))
    blocks = rows // block_rows
    if slot >= blocks * block_rows:
        return slot
    return permute(slot // block_rows, blocks, key) * block_rows + slot % block_rows
