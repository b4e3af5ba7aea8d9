"""Patience: when to ask again, how long to wait, and how to say so."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol, TypeVar

from columns.hashing import unit_hash
from sources.github.refusals import Passing, Refusal

FIRST_WAIT = 1.0
LONGEST_WAIT = 60.0

Answer = TypeVar("Answer")


class Clock(Protocol):
    """The time, and waiting for it to pass."""

    def now(self) -> float:
        """Seconds since 1970."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class WallClock:
    """The machine's clock."""

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


def say(message: str) -> None:
    """Tell the user, on standard error."""
    print(message, file=sys.stderr, flush=True)


def pause(key: str, attempt: int) -> float:
    """Seconds before the next attempt: doubling from 1 to 60, of which a hash of key and attempt takes up to half.

    >>> 1 <= pause("a/b", 1) <= 2 and pause("a/b", 1) == pause("a/b", 1) != pause("a/c", 1)
    True
    """
    whole = min(LONGEST_WAIT, FIRST_WAIT * 2**attempt)
    share = float(unit_hash("github/pause", [f"{key}/{attempt}".encode()])[0]) / 2**64
    return whole * (1 - share / 2)


def patiently(work: Callable[[], Answer], *, key: str, attempts: int, clock: Clock, longest: float) -> Answer:
    """Do the work, again after a pause when it fails in a passing way; `Refusal` after the last attempt."""
    for attempt in range(attempts):
        try:
            return work()
        except Passing as failure:
            reason = failure.reason
            wait = pause(key, attempt) if failure.after is None else failure.after
            if wait > longest:
                raise Refusal("failed", f"{reason}; the server asks for a wait of {wait:.0f} s") from None
        if attempt + 1 < attempts:
            clock.sleep(wait)
    raise Refusal("failed", f"{reason} ({attempts} attempts)")


def wait_text(seconds: float, until: float) -> str:
    """How long and until when, for people.

    >>> wait_text(90, 90)
    '90 s, until 00:01:30 UTC'
    """
    return f"{seconds:.0f} s, until {datetime.fromtimestamp(until, UTC):%H:%M:%S} UTC"
