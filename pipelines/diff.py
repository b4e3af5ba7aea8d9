"""Diff: which files changed verdict between two runs, and why.

``thresher diff RUN_A RUN_B``. Files are paired by repository and path; a ref may differ. Of a file with two
verdicts the reason is given: another value in the recipe, another value of the signal, another keeper.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from columns.files import Place
from pipelines.decisions import DecideConfig
from pipelines.finished import Finished
from pipelines.pairing import Pairs, Side, pair_up
from pipelines.reasons import Reasons, Run
from pipelines.recipe import Recipe, recorded_recipe
from pipelines.settings import differences
from pipelines.shift import spread
from pipelines.terminal import print_file, print_indented, print_text, setting, table
from pipelines.whatif import ledger_rules
from pipelines.wording import count, counted

EXAMPLES = 12
CHUNK = 20_000
SAME, NEW, GONE, CONTENT, DROPPED, KEPT, OTHER = range(7)
KINDS = (
    "same",
    "new",
    "gone",
    "content changed",
    "kept → dropped",
    "dropped → kept",
    "dropped by another rule",
)


@dataclass(frozen=True)
class Kind:
    """How many files share a fate; the rules are empty where the file is kept or not there."""

    kind: str
    before: str
    after: str
    files: int


@dataclass(frozen=True)
class Change:
    """One file whose verdict or text is another, and why."""

    kind: str
    repo: str
    path: str
    ref_before: str
    ref_after: str
    before: str
    after: str
    content_changed: bool
    why: str


@dataclass(frozen=True)
class Diff:
    """Two runs compared; `changes` gives every file, part by part."""

    files_before: int
    files_after: int
    kept_before: int
    kept_after: int
    same: int
    content_changed: int
    settings: tuple[str, ...]
    kinds: tuple[Kind, ...]
    examples: tuple[Change, ...]
    fates: _Fates | None = field(repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """The summary and the examples as plain data; for all files see `changes`."""
        plain_data = dataclasses.asdict(dataclasses.replace(self, fates=None))
        return {name: value for name, value in plain_data.items() if name != "fates"}

    def changes(self) -> Iterator[dict[str, Any]]:
        """Every changed file as plain data, a chunk in memory at a time."""
        if self.fates is None:
            return
        changed = np.flatnonzero(self.fates.kind != SAME)
        order = np.lexsort((self.fates.other[changed], self.fates.one[changed]))
        for start in range(0, len(changed), CHUNK):
            chunk = changed[order[start : start + CHUNK]]
            yield from (dataclasses.asdict(change) for change in self.fates.read(chunk))


@dataclass(frozen=True)
class _Fates:
    """Every file of both runs: positions (-1 where it is not there), rules as indices into ``names``, its kind."""

    reasons: Reasons
    names: list[str]
    one: np.ndarray
    other: np.ndarray
    before: np.ndarray
    after: np.ndarray
    kind: np.ndarray
    changed: np.ndarray

    def rule(self, index: int) -> str:
        """A rule's name; empty for none."""
        return self.names[index] if 0 <= index < len(self.names) else ""

    def read(self, at: np.ndarray) -> list[Change]:
        """The changes at some positions of these arrays, in their order."""
        found = []
        lines = [
            run.lines(rows[at])
            for run, rows in ((self.reasons.one, self.one), (self.reasons.other, self.other))
        ]
        for position, before, after in zip(at.tolist(), *lines, strict=True):
            kind, changed = int(self.kind[position]), bool(self.changed[position])
            rules = self.rule(int(self.before[position])), self.rule(int(self.after[position]))
            line = after or before or {}
            found.append(
                Change(
                    KINDS[kind], line["repo"] or "", line["path"] or "", (before or {}).get("ref") or "",
                    (after or {}).get("ref") or "", *rules, changed,
                    self.reasons.why(before, after, *rules, changed=changed),
                )
            )  # fmt: skip
        return found


def diff(one: Place, other: Place, *, examples: int = EXAMPLES, trust_own: bool = False) -> Diff:
    """Compare the ledgers of two finished datasets; raises `OutputError` when a place holds none,
    `RecipeError` when a recipe has own code and ``trust_own`` is not given.

    Memory: about 100 bytes a file of both runs; see `pipelines.pairing`.
    """
    sections = [Finished.open(place).section("recipe") for place in (one, other)]
    recipes = [recorded_recipe(section, trust_own=trust_own).recipe for section in sections]
    sides = [Side.open(place) for place in (one, other)]
    pairs = pair_up(*sides)
    configs = [DecideConfig.of(recipe) for recipe in recipes]
    names = list(dict.fromkeys([*configs[1].rules(), *configs[0].rules()]))
    rules = [ledger_rules(side.stored, names) for side in sides]
    reasons = _reasons(sides, recipes, pairs, rules, names)
    fates = _fates(reasons, names, pairs, rules)
    changed = np.flatnonzero(fates.kind != SAME)
    chosen = changed[spread(_codes(fates, changed), examples)]
    shown = sorted(
        fates.read(np.sort(chosen)), key=lambda one: (one.kind, one.before, one.after, one.repo, one.path)
    )
    return Diff(
        files_before=len(sides[0].ids), files_after=len(sides[1].ids),
        kept_before=int((rules[0] == len(names)).sum()), kept_after=int((rules[1] == len(names)).sum()),
        same=int((fates.kind == SAME).sum()),
        content_changed=int(pairs.changed.sum()), settings=tuple(map(str, differences(*recipes))),
        kinds=tuple(_kinds(fates, changed)), examples=tuple(shown), fates=fates,
    )  # fmt: skip


def _reasons(
    sides: Sequence[Side],
    recipes: Sequence[Recipe],
    pairs: Pairs,
    rules: Sequence[np.ndarray],
    names: list[str],
) -> Reasons:
    twins = []
    for side, here, there in ((sides[0], pairs.one, pairs.other), (sides[1], pairs.other, pairs.one)):
        twin = np.full(len(side.ids), -1, np.int64)
        twin[here] = there
        twins.append(twin)
    runs = [
        Run(side, recipe.rules(), twin, rule, names)
        for side, recipe, twin, rule in zip(sides, recipes, twins, rules, strict=True)
    ]
    return Reasons(*runs)


def _fates(reasons: Reasons, names: list[str], pairs: Pairs, rules: Sequence[np.ndarray]) -> _Fates:
    gone, new = (np.flatnonzero(run.twin < 0) for run in (reasons.one, reasons.other))
    absent = [np.full(len(rows), -1, np.int64) for rows in (gone, new)]
    one = np.concatenate([pairs.one, gone, absent[1]])
    other = np.concatenate([pairs.other, absent[0], new])
    before, after = (np.where(at < 0, -1, rule[at]) for at, rule in ((one, rules[0]), (other, rules[1])))
    changed = np.concatenate([pairs.changed, np.zeros(len(gone) + len(new), bool)])
    kept = len(names)
    here, there = before == kept, after == kept
    cases = [one < 0, other < 0, here & ~there, ~here & there, before != after, changed]
    kind = np.select(cases, [NEW, GONE, DROPPED, KEPT, OTHER, CONTENT], SAME)
    return _Fates(reasons, names, one, other, before, after, kind, changed)


def _codes(fates: _Fates, at: np.ndarray) -> np.ndarray:
    """One number for each kind and pair of rules."""
    wide = len(fates.names) + 2
    return (fates.kind[at].astype(np.int64) * wide + fates.before[at] + 1) * wide + fates.after[at] + 1


def _kinds(fates: _Fates, changed: np.ndarray) -> Iterator[Kind]:
    _, first, counts = np.unique(_codes(fates, changed), return_index=True, return_counts=True)
    for at, files in zip(changed[first].tolist(), counts.tolist(), strict=True):
        rules = fates.rule(int(fates.before[at])), fates.rule(int(fates.after[at]))
        yield Kind(KINDS[int(fates.kind[at])], *rules, files)


def render(found: Diff, console: Console) -> None:
    """Print what differs; names from the datasets are shown as harmless text."""
    for one in found.settings or ("the recipes have the same values",):
        print_text(console, setting(one), "bold")
    _print_totals(found, console)
    if found.kinds:
        console.print()
        console.print(_kind_table(found.kinds))
    for (kind, *verdicts), group in groupby(
        found.examples, key=lambda one: (one.kind, one.before, one.after)
    ):
        shown = list(group)
        whole = next((one.files for one in found.kinds if _key(one) == (kind, *verdicts)), len(shown))
        console.print()
        _print_group(shown, whole, console)


def _print_totals(found: Diff, console: Console) -> None:
    made = table("", ("before", "after"))
    made.add_row("files", count(found.files_before), count(found.files_after))
    made.add_row("kept", count(found.kept_before), count(found.kept_after))
    console.print(made)
    other = found.content_changed
    said = f"{counted(other, 'file')} {'has' if other == 1 else 'have'} another text"
    print_text(console, f"{counted(found.same, 'file')} with the same text and verdict in both; {said}")
    both = found.files_before - sum(kind.files for kind in found.kinds if kind.kind == KINDS[GONE])
    if not both and found.files_before and found.files_after:
        print_text(console, "no file is in both: files are paired by repository and path, and the repository "
                   "of a directory is its name; read both from directories of the same name", "yellow")  # fmt: skip


def _kind_table(kinds: Sequence[Kind]) -> Table:
    made = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    made.add_column("files", justify="right", no_wrap=True)
    for name in ("change", "before", "after"):
        made.add_column(name, overflow="fold")
    for kind in kinds:
        made.add_row(count(kind.files), kind.kind, *_verdicts(kind))
    return made


def _key(one: Kind | Change) -> tuple[str, str, str]:
    return (one.kind, one.before, one.after)


def _print_group(changes: Sequence[Change], whole: int, console: Console) -> None:
    """Example files of one kind and pair of rules, each with its reason."""
    first = changes[0]
    before, after = _verdicts(first)
    titles = {
        KINDS[NEW]: f"new: {after}",
        KINDS[GONE]: f"gone: {before}",
        KINDS[CONTENT]: f"another text: {after}",
    }
    title = titles.get(first.kind, f"{before} → {after}")
    print_text(console, f"{title}  ({len(changes)} of {counted(whole, 'file')})", "cyan")
    for change in changes:
        print_file(console, "  ", f"{change.repo}:{change.path}" if change.repo else change.path)
        print_indented(console, change.why, 4)


def _verdicts(one: Kind | Change) -> tuple[str, str]:
    before, after = (rule or "kept" for rule in (one.before, one.after))
    return ("–" if one.kind == KINDS[NEW] else before, "–" if one.kind == KINDS[GONE] else after)
