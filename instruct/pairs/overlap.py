"""Overlap: which pairs repeat others, and which would show a test's answer to training.

Facts and the decision stand apart: `mark_pairs` says for every row which equal row comes first and whether a test row
has its code, and by the configuration names the rule that leaves the row out. CodeFusion's own files keep both kinds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import pyarrow as pa

from instruct.pairs.pair import PAIR, TEST

Decision = Literal["drop", "keep"]
RULES = ("unreadable", "no_nl", "leak", "duplicate")


@dataclass(frozen=True)
class OverlapConfig:
    """What is left out: ``leaks`` (rows outside the test whose code a test row has), ``duplicates`` (repeated rows).

    Rows of the test are never left out for either: what is measured stays what was published.

    ``intent_for_null``: a CoNaLa row without a rewritten intent takes the question's title; else it has no sentence.
    """

    leaks: Decision = "drop"
    duplicates: Decision = "drop"
    intent_for_null: bool = True

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}


class Overlap(NamedTuple):
    """How much of a test's code training shows: test rows, those whose code a training row has, distinct such codes."""

    test: int
    shared: int
    distinct: int


MARKED = pa.schema(
    [
        *PAIR,
        pa.field(
            "first_id",
            pa.string(),
            metadata={"about": "the first row of equal sentence and code; null: this one"},
        ),
        pa.field(
            "in_test", pa.bool_(), metadata={"about": "a test row has the same code; null for test rows"}
        ),
        pa.field(
            "dropped",
            pa.string(),
            metadata={"about": "the rule that leaves it out: unreadable, no_nl, leak, duplicate"},
        ),
    ]
)
_DEFAULT = OverlapConfig()


def count_overlap(train: Sequence[str], test: Sequence[str]) -> Overlap:
    """Exact overlap of two lists of codes, as the published counts are: 747 of 2,522 for CodeFusion's Bash files.

    >>> count_overlap(["ls", "pwd", "ls"], ["ls", "ls", "id"])
    Overlap(test=3, shared=2, distinct=1)
    """
    seen = set(train)
    return Overlap(len(test), sum(code in seen for code in test), len(seen & set(test)))


def mark_pairs(pairs: pa.Table, config: OverlapConfig = _DEFAULT) -> tuple[pa.Table, Counter[str]]:
    """Mark all pairs (or snippets) together: ``PAIR[n] -> MARKED[n]`` in the same order, and how many each rule drops.

    Rows are compared within their language, in the order they are given. Snippets have no sentence and need none.
    Costs memory for the texts.

    >>> from instruct.pairs.pair import pair_batches
    >>> row = {"lang": "bash", "nl": "list", "code": "ls"}
    >>> rows = [{"id": "1", "split": "train", **row}, {"id": "2", "split": "test", **row}]
    >>> mark_pairs(pa.Table.from_batches(pair_batches(rows)))[0]["dropped"].to_pylist()
    ['leak', None]
    """
    rows = pairs.to_pylist()
    for row in rows:
        if config.intent_for_null and row["nl"] is None:
            row["nl"] = row["intent"]
    tested = {(row["lang"], row["code"]) for row in rows if row["split"] == TEST and row["code"] is not None}
    return _marked(rows, tested, config, sentences=True)


def mark_snippets(
    snippets: pa.Table, tested: set[tuple[str, str]], config: OverlapConfig = _DEFAULT
) -> tuple[pa.Table, Counter[str]]:
    """Mark snippets: as `mark_pairs`, against (language, code) of test pairs, and without asking for a sentence."""
    return _marked(snippets.to_pylist(), tested, config, sentences=False)


def _marked(
    rows: list[dict], tested: set[tuple[str, str]], config: OverlapConfig, *, sentences: bool
) -> tuple[pa.Table, Counter[str]]:
    first: dict[tuple, str] = {}
    counts: Counter[str] = Counter()
    for row in rows:
        there = row["code"] is not None and row["problem"] is None
        key = (row["lang"], row["split"], row["nl"], row["code"])
        earlier = first.setdefault(key, row["id"]) if there else row["id"]
        row["first_id"] = earlier if earlier != row["id"] else None
        row["in_test"] = None if row["split"] == TEST else there and (row["lang"], row["code"]) in tested
        row["dropped"] = _rule(row, config, there=there, sentences=sentences)
        counts[f"{row['lang']}: {row['dropped'] or 'kept'}"] += 1
    return pa.Table.from_pylist(rows, schema=MARKED), counts


def _rule(row: dict, config: OverlapConfig, *, there: bool, sentences: bool) -> str | None:
    broken = {
        "unreadable": not there,
        "no_nl": sentences and row["nl"] is None,
        "leak": config.leaks == "drop" and bool(row["in_test"]),
        "duplicate": config.duplicates == "drop" and row["first_id"] is not None and row["split"] != TEST,
    }
    return next((rule for rule in RULES if broken[rule]), None)
