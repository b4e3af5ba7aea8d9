"""Shift: what changes between two decisions about the same files, by rule, by language and file by file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipelines.corpus import Corpus
from pipelines.stored import by_part
from pipelines.tokencount import TokenCounts


@dataclass(frozen=True)
class Amount:
    """Files, their bytes, and their tokens; None where nothing was tokenised."""

    files: int
    bytes: int
    tokens: int | None


@dataclass(frozen=True)
class Shift:
    """What happens to the files of a rule or of a language.

    Of a language ``before`` and ``after`` are kept; of a rule they are what it drops. ``gained`` files are
    dropped before (by this rule) and kept after, ``lost`` ones the other way round.
    """

    name: str
    before: Amount
    after: Amount
    gained: Amount
    lost: Amount


@dataclass(frozen=True)
class Example:
    """A file whose fate changes; the rules are empty where it is kept."""

    repo: str
    path: str
    language: str
    size: int
    before: str
    after: str


class Fates(NamedTuple):
    """The rule that drops each file before and after, as indices into ``names``; `kept` for none."""

    names: list[str]
    before: np.ndarray
    after: np.ndarray

    @property
    def kept(self) -> int:
        """The index of no rule."""
        return len(self.names)

    def shown(self, rule: int) -> str:
        """A rule's name; empty for none."""
        return self.names[rule] if rule < len(self.names) else ""


class Sums:
    """Sums of files, bytes and tokens."""

    def __init__(self, size: np.ndarray, tokens: TokenCounts | None) -> None:
        self.size = size
        self.tokens = tokens

    def of(self, mask: np.ndarray) -> Amount:
        """The sums where a mask is true."""
        return self.by(np.zeros(len(mask), np.int16), mask, 1)[0]

    def by(self, group: np.ndarray, mask: np.ndarray, groups: int) -> list[Amount]:
        """The sums by group where a mask is true."""
        group, rows = group[mask], np.flatnonzero(mask)
        files = np.bincount(group, minlength=groups)
        size = np.bincount(group, self.size[rows], groups)
        tokens = None if self.tokens is None else np.bincount(group, self.tokens.tokens[rows], groups)
        return [
            Amount(int(files[at]), int(size[at]), None if tokens is None else round(tokens[at]))
            for at in range(groups)
        ]


def rule_shifts(total: Sums, fates: Fates, gained: np.ndarray, lost: np.ndarray) -> Iterator[Shift]:
    """What happens to the files of each rule, in the order of decision."""
    count, all_files = len(fates.names) + 1, np.ones(len(gained), bool)
    sums = (
        total.by(fates.before, all_files, count), total.by(fates.after, all_files, count),
        total.by(fates.before, gained, count), total.by(fates.after, lost, count),
    )  # fmt: skip
    for name, *amounts in zip(fates.names, *sums, strict=False):
        if amounts[0].files or amounts[1].files:
            yield Shift(name, *amounts)


def language_shifts(total: Sums, corpus: Corpus, masks: Sequence[np.ndarray]) -> Iterator[Shift]:
    """What happens to each language, the largest first; the masks are kept before and after, gained, lost."""
    sums = [total.by(corpus.language, mask, len(corpus.languages)) for mask in masks]
    shifts = [Shift(name, *amounts) for name, *amounts in zip(corpus.languages, *sums, strict=True)]
    present = [shift for shift in shifts if shift.before.files or shift.after.files]
    yield from sorted(present, key=lambda shift: (-shift.before.bytes, shift.name))


def examples_of(corpus: Corpus, fates: Fates, changed: np.ndarray, most: int) -> tuple[Example, ...]:
    """Some of the changed files: in turn one of each pair of rules, the most frequent pair first."""
    chosen = np.sort(spread(fates.before[changed].astype(np.int64) << 16 | fates.after[changed], most))
    positions = changed[chosen]
    found = []
    for part, at in by_part(corpus.row(positions)):
        rows = corpus.stored.facts(part, ["repo", "path", "language"]).take(pa.array(at)).to_pylist()
        for row, position in zip(rows, (corpus.starts[part] + at).tolist(), strict=True):
            repo, path, language = (row[name] or "" for name in ("repo", "path", "language"))
            before, after = (fates.shown(int(side[position])) for side in (fates.before, fates.after))
            found.append(Example(repo, path, language, int(corpus.size[position]), before, after))
    return tuple(sorted(found, key=lambda one: (one.before, one.after, one.repo, one.path)))


def spread(kinds: np.ndarray, most: int) -> np.ndarray:
    """Positions of up to ``most`` entries, spread over the kinds."""
    order = np.argsort(kinds, kind="stable")
    _, starts, counts = np.unique(kinds[order], return_index=True, return_counts=True)
    turn = np.arange(len(order)) - np.repeat(starts, counts)
    return order[np.lexsort((-np.repeat(counts, counts), turn))][:most]
