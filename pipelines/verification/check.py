"""One thing that was checked, and what was found wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pipelines.wording import counted

LISTED = 20
Watch = Callable[[str, int, int], None]
"""Told what is looked at, how much of it is done, and how much there is."""


@dataclass(frozen=True)
class Check:
    """``looked`` says at how much was looked; ``skipped`` why nothing could be (then nothing is wrong either)."""

    name: str
    looked: str
    problems: tuple[str, ...] = ()
    skipped: str = ""

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``--json``."""
        return {
            "name": self.name, "passed": self.passed, "looked": self.looked, "skipped": self.skipped,
            "problems": list(self.problems),
        }  # fmt: skip


def some(problems: Iterable[str]) -> tuple[str, ...]:
    """The first twenty problems, and how many more there are.

    >>> some(["a", "b"]), some(["x"] * 22)[20:]
    (('a', 'b'), ('and 2 more',))
    """
    found = list(problems)
    more = (f"and {len(found) - LISTED:,} more",) if len(found) > LISTED else ()
    return (*found[:LISTED], *more)


def files_word(number: int) -> str:
    """A number of files.

    >>> files_word(1)
    '1 file'
    """
    return counted(number, "file")
