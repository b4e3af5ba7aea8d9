"""Cleaning: declared rules over tasks, each of which marks and counts; nothing is removed.

PanGu-Coder2 cleans 100K tasks down to 68K by rules that it does not publish (arXiv 2307.14936, section 4.1).
These are ours.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pyarrow as pa

from instruct.evolve.evolving import EVOLVED
from instruct.evolve.methods import FORBIDDEN
from instruct.evolve.nearness import near_duplicates, shingles
from instruct.evolve.refusal import is_refusal

RULES: Mapping[str, str] = {
    "no_answer": "the model gave no text",
    "too_short": "fewer than min_words words",
    "forbidden": "a text of the prompt that evolved tasks must not contain",
    "refusal": "an apology or a word about being a model, in fewer than 80 words",
    "not_python": "asks for another programming language and not for Python",
    "too_long": "over max_tokens tokens",
    "duplicate": "the same as an earlier task, but for case, spaces and punctuation",
    "near_duplicate": "shingles with a Jaccard similarity of at least near_threshold to an earlier kept task",
    "leak": "a benchmark's task is in it",
}
"""Rules over tasks, in the order in which they drop."""

CLEANED = EVOLVED.append(
    pa.field("duplicate_of", pa.string(), metadata={"about": "the earlier task that it repeats; null: none"})
).append(
    pa.field("leaks", pa.list_(pa.string()), metadata={"about": "benchmark tasks found in it, as suite/task"})
)

_NAMED = (
    "javascript|typescript|java|php|perl|golang|kotlin|scala|haskell|html|css|sql|bash|matlab|vba|powershell"
)
_OTHER = re.compile(
    rf"\b(?:{_NAMED})\b|(?<!\w)c(?:\+\+|#)|\b(?:in|using|with) (?:c|r|go|rust|ruby|swift|julia)\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class CleaningConfig:
    """Which rules apply, and their limits."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    rules: tuple[str, ...] = tuple(RULES)
    min_words: int = 5
    max_tokens: int = 8192
    near_words: int = 3
    near_threshold: float = 0.7

    def __post_init__(self) -> None:
        unknown = [name for name in self.rules if name not in RULES]
        if unknown:
            raise ValueError(f"rules: expected some of {', '.join(RULES)}, got {unknown[0]}")
        if not 0 < self.near_threshold <= 1:
            raise ValueError(f"near_threshold: expected over 0, at most 1, got {self.near_threshold}")
        if self.near_words < 1:
            raise ValueError(f"near_words: expected at least 1, got {self.near_words}")


def clean(
    tasks: pa.Table,
    config: CleaningConfig,
    *,
    tokens: Callable[[str], int],
    leaks: Callable[[Sequence[str]], list[list[str]]],
) -> tuple[pa.Table, Counter[str]]:
    """`EVOLVED` rows as `CLEANED` ones: the same rows, each with the first rule that drops it.

    Earlier rows win, so tasks come in the order of their rounds. ``tokens`` counts a text's tokens; ``leaks`` names the
    benchmark tasks in texts (`instruct.evolve.LeakCheck`). Counts: rows per rule that drops them first.
    """
    rows = tasks.to_pylist()
    for row in rows:
        row["dropped"] = row["dropped"] or _own(row["instruction"] or "", config, tokens)
    _mark_duplicates(rows, config)
    _mark_near(rows, config)
    _mark_leaks(rows, config, leaks)
    counts = Counter(f"dropped {row['dropped']}" for row in rows if row["dropped"])
    counts["kept"] = sum(row["dropped"] is None for row in rows)
    return pa.Table.from_pylist(rows, schema=CLEANED), counts


def normalised(text: str) -> str:
    """A text without what exact comparison should not see: case, spaces, punctuation, forms of letters.

    >>> normalised("Add two  numbers!") == normalised("add TWO numbers")
    True
    """
    return " ".join(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))


def _own(text: str, config: CleaningConfig, tokens: Callable[[str], int]) -> str | None:
    """The first rule that a text breaks by itself."""
    lowered = text.lower()
    checks: Mapping[str, Callable[[], bool]] = {
        "no_answer": lambda: not text.strip(),
        "too_short": lambda: len(_WORD.findall(text)) < config.min_words,
        "forbidden": lambda: any(word in lowered for word in FORBIDDEN),
        "refusal": lambda: is_refusal(text),
        "not_python": lambda: "python" not in lowered and _OTHER.search(text) is not None,
        "too_long": lambda: tokens(text) > config.max_tokens,
    }
    return next((name for name, broken in checks.items() if name in config.rules and broken()), None)


def _mark_duplicates(rows: Sequence[dict[str, Any]], config: CleaningConfig) -> None:
    first: dict[str, str] = {}
    for row in _left(rows) if "duplicate" in config.rules else ():
        known = first.setdefault(normalised(row["instruction"]), row["id"])
        if known != row["id"]:
            row["dropped"], row["duplicate_of"] = "duplicate", known


def _mark_near(rows: Sequence[dict[str, Any]], config: CleaningConfig) -> None:
    left = _left(rows) if "near_duplicate" in config.rules else []
    sets = shingles([row["instruction"] for row in left], config.near_words)
    for row, near in zip(left, near_duplicates(sets, config.near_threshold), strict=True):
        if near is not None:
            row["dropped"], row["duplicate_of"] = "near_duplicate", left[near]["id"]


def _mark_leaks(
    rows: Sequence[dict[str, Any]],
    config: CleaningConfig,
    leaks: Callable[[Sequence[str]], list[list[str]]],
) -> None:
    left = _left(rows) if "leak" in config.rules else []
    for row, found in zip(left, leaks([row["instruction"] for row in left]), strict=True):
        row["leaks"] = found
        row["dropped"] = "leak" if found else None


def _left(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["dropped"] is None]
