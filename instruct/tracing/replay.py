"""Recorded calls made again with the standalone function, in fresh sandboxes: what does not return the same is lost.

Three runs, each in a state of its own and in another order of the calls, so a function that remembers earlier calls,
or depends on time, chance or the order of a set, does not come through. Values are compared here, by exact type and
value, on plain data. Source: Codex, arXiv 2107.03374, section 4.3 (repeated verification); three runs is ours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from columns.hashing import unit_hash
from instruct.sandbox import Calls, Returned
from instruct.tracing.calls import Call
from instruct.tracing.records import read_literal
from instruct.tracing.tracer import NotPlain, literal

__all__ = ["Caller", "Replayed", "Work", "exactly", "replay"]


class Caller(Protocol):
    """What makes calls: an `instruct.sandbox.Sandbox`."""

    def call(self, calls: Iterable[Calls]) -> Iterator[tuple[Returned, ...]]:
        """Each program's calls, in order."""
        ...


@dataclass(frozen=True)
class Work:
    """A standalone function and its calls."""

    code: str
    entry_point: str
    calls: tuple[Call, ...]


@dataclass(frozen=True)
class Replayed:
    """The calls that returned the recorded value in every run, and why others did not."""

    kept: tuple[Call, ...]
    reasons: tuple[tuple[str, int], ...]
    mutated: bool

    @property
    def reason(self) -> str:
        """The most frequent reason, of equal ones the first by name; "" where every call is kept."""
        return min(self.reasons, key=lambda one: (-one[1], one[0]), default=("", 0))[0]


def exactly(one: object, other: object) -> bool:
    """Whether two plain values have the same types and values throughout; the order of dicts and sets is no matter.

    >>> exactly({"a": 1, "b": 0.0}, {"b": 0.0, "a": 1}), exactly([1], [True]), exactly(0.0, -0.0)
    (True, False, False)
    """
    try:
        return literal(_ordered(one)) == literal(_ordered(other))
    except (NotPlain, RecursionError):
        return False


def _ordered(value: object) -> object:
    """The value with the items of its dicts in one order."""
    if type(value) is dict:
        items = sorted(value.items(), key=lambda item: literal(item[0]))
        return {key: _ordered(one) for key, one in items}
    if type(value) is list:
        return [_ordered(one) for one in value]
    return tuple(_ordered(one) for one in value) if type(value) is tuple else value


def replay(sandbox: Caller, works: Sequence[Work], *, runs: int = 3) -> list[Replayed]:
    """Make every call ``runs`` times; the result does not depend on the sandbox's workers.

    A sandbox may end a program at its limits: the calls after that count as ``timeout``, ``died`` or ``memory``.
    """
    orders = [[_order(len(work.calls), run) for run in range(runs)] for work in works]
    jobs = (
        Calls(work.code, work.entry_point, tuple(_values(work.calls[at]) for at in order))
        for work, runs_of in zip(works, orders, strict=True)
        for order in runs_of
    )
    answers = iter(sandbox.call(jobs))
    return [
        _judged(work, [(order, next(answers)) for order in runs_of])
        for work, runs_of in zip(works, orders, strict=True)
    ]


def _values(call: Call) -> tuple[tuple[object, ...], dict[str, object]]:
    return call.args, dict(call.kwargs)


def _order(count: int, run: int) -> list[int]:
    """As recorded, the other way round, then shuffled by hash."""
    if run < 2:
        return list(range(count))[:: 1 if run == 0 else -1]
    hashes = unit_hash(f"replay/{run}", [str(at).encode() for at in range(count)])
    return sorted(range(count), key=lambda at: int(hashes[at]))


def _judged(work: Work, answers: list[tuple[list[int], tuple[Returned, ...]]]) -> Replayed:
    reasons: dict[int, str] = {}
    mutated = False
    for order, returned in answers:
        for at, one in zip(order, returned, strict=False):
            mutated = mutated or one.mutated
            same = not one.problem and exactly(one.value, read_literal(work.calls[at].returned))
            if not same:
                reasons.setdefault(at, one.problem or "differs")
        for at in set(order[len(returned) :]):
            reasons.setdefault(at, "died")
    kept = tuple(call for at, call in enumerate(work.calls) if at not in reasons)
    return Replayed(kept, tuple(sorted(Counter(reasons.values()).items())), mutated)
