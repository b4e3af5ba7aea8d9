"""One line that a CI file holds, and where."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["NEEDS", "RUNS", "Found", "line_of"]

RUNS, NEEDS = "runs", "needs"


@dataclass(frozen=True)
class Found:
    """A line of shell that CI ``runs``, or a requirement that it ``needs``."""

    kind: str
    text: str
    file: str
    line: int


def line_of(text: str, wanted: str, start: int = 1) -> int:
    """The number of the first line from ``start`` on that holds some text; ``start`` where none does.

    >>> line_of("a\\nb = 1", "b")
    2
    """
    lines = text.split("\n")
    return next((at for at in range(start, len(lines) + 1) if wanted in lines[at - 1]), start)
