"""What-if: what another recipe would keep and drop, from stored facts and links; no content is read.

``thresher what-if DIR --set filters.line_max=800``. The decisions are those that a build with the changed
recipe makes, file by file; only tokens of files that were never tokenised are an estimate.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console
from rich.table import Table
from rich.text import Text

from columns.files import Place
from pipelines.corpus import Corpus, load_corpus
from pipelines.decisions import DecideConfig, decide_stage
from pipelines.recipe import Recipe
from pipelines.settings import check_measured, check_settings, has_effect
from pipelines.shift import Amount, Example, Fates, Shift, Sums, examples_of, language_shifts, rule_shifts
from pipelines.stored import Stored, in_threads
from pipelines.terminal import fitting, print_file, print_text, setting, short, table
from pipelines.tokencount import count_tokens_of
from pipelines.wording import count, counted, plain, share, size

EXAMPLES = 10
LISTED = 20


@dataclass(frozen=True)
class WhatIf:
    """Two recipes over the same files; ``estimated`` names the amounts whose tokens are partly estimates."""

    settings: tuple[str, ...]
    without_effect: tuple[str, ...]
    read: Amount
    before: Amount
    after: Amount
    gained: Amount
    lost: Amount
    rules: tuple[Shift, ...]
    languages: tuple[Shift, ...]
    gained_examples: tuple[Example, ...]
    lost_examples: tuple[Example, ...]
    estimated: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``--json``."""
        return dataclasses.asdict(self)


def what_if(place: Place, base: Recipe, changed: Recipe, *, examples: int = EXAMPLES) -> WhatIf:
    """Decide about every file again with ``changed`` where the dataset was made with ``base``.

    Raises `RecipeError` for settings that need facts or links which are not stored, `OutputError` when measure
    or link is not finished. About 30 bytes of memory a file, 300 for each that has a copy; one second for half
    a million files.
    """
    settings = check_settings(base, changed)
    stored = Stored.open(place)
    old, new = DecideConfig.of(base), DecideConfig.of(changed)
    everything = "--set 'filters.measure=[all]' --set licenses.detect=true"
    again = f"thresher build {base.name} --input … --output {place.url} {everything}"
    check_measured(new.filters, stored.measured(), again)
    corpus, fates = _fates(stored, old, new)
    tokens = count_tokens_of(corpus, fates.before == fates.kept)
    stays, goes = fates.before == fates.kept, fates.after == fates.kept
    gained, lost = ~stays & goes, stays & ~goes
    total = Sums(corpus.size, tokens)
    masks = {"before": stays, "after": goes, "gained": gained, "lost": lost}
    return WhatIf(
        settings=tuple(str(one) for one in settings if has_effect(one)),
        without_effect=tuple(str(one) for one in settings if not has_effect(one)),
        read=total.of(np.ones(corpus.files, bool)), before=total.of(stays), after=total.of(goes),
        gained=total.of(gained), lost=total.of(lost),
        rules=tuple(rule_shifts(total, fates, gained, lost)),
        languages=tuple(language_shifts(total, corpus, (stays, goes, gained, lost))),
        gained_examples=examples_of(corpus, fates, np.flatnonzero(gained), examples),
        lost_examples=examples_of(corpus, fates, np.flatnonzero(lost), examples),
        estimated=tuple(name for name, mask in masks.items() if tokens and (mask & ~tokens.known).any()),
    )  # fmt: skip


def _fates(stored: Stored, old: DecideConfig, new: DecideConfig) -> tuple[Corpus, Fates]:
    """Both decisions; the ledger already has the first one where it was made with this very recipe."""
    decided = decide_stage(stored.dataset, old, stored.upstream()).finished()
    corpus = load_corpus(stored, [new] if decided else [new, old])
    names = list(dict.fromkeys([*new.rules(), *old.rules()]))
    after = _renumbered(corpus.decide(0, new), new.rules(), names)
    before = (
        ledger_rules(stored, names) if decided else _renumbered(corpus.decide(1, old), old.rules(), names)
    )
    return corpus, Fates(names, before, after)


def _renumbered(rule: np.ndarray, rules: Sequence[str], names: Sequence[str]) -> np.ndarray:
    places = [names.index(name) for name in rules]
    return np.array([*places, len(names)], np.int16)[rule]


def ledger_rules(stored: Stored, names: Sequence[str]) -> np.ndarray:
    """The rule that the ledger names for each file, as an index into ``names``; their number where it is kept."""
    values = pa.array(names, pa.string())

    def read(part: int) -> np.ndarray:
        column = stored.ledger(part, ["rule"], ["rule"]).column("rule").combine_chunks()
        places = pc.fill_null(pc.index_in(column.dictionary, value_set=values), len(names))
        found = pc.fill_null(places.take(column.indices), len(names))
        return np.asarray(found).astype(np.int16)

    return np.concatenate(in_threads(read, stored.parts))


def render(found: WhatIf, console: Console) -> None:
    """Print what another recipe would do; names from the dataset are shown as harmless text."""
    for one in found.settings[:LISTED]:
        print_text(console, setting(one), "bold")
    if len(found.settings) > LISTED:
        more = counted(len(found.settings) - LISTED, "more setting")
        print_text(console, f"and {more} (--json lists all)", "dim")
    for one in found.without_effect:
        print_text(console, f"{setting(one)}: changes no file's verdict", "dim")
    if not found.settings and not found.without_effect:
        print_text(console, "nothing changes: the recipe has these values already", "yellow")
    console.print(_totals(found))
    if found.estimated:
        print_text(console, "≈ partly estimated: files that are dropped now were never tokenised", "dim")
    _print_shifts(found, console)
    _print_examples("gained", found.gained_examples, found.gained, console)
    _print_examples("lost", found.lost_examples, found.lost, console)


def _totals(found: WhatIf) -> Table:
    made = table("", ("files", "bytes", "tokens", "of all files"))
    rows = (
        ("kept before", found.before, ""),
        ("gained", found.gained, "+"),
        ("lost", found.lost, "−"),
        ("kept after", found.after, ""),
    )
    for name, amount, sign in rows:
        tokens = _tokens(amount, estimated=name.split()[-1] in found.estimated)
        cells = (count(amount.files), size(amount.bytes), tokens, share(amount.files, found.read.files))
        made.add_row(name, *(f"{sign if amount.files else ''}{cell}" for cell in cells))
    return made


def _tokens(amount: Amount, *, estimated: bool) -> str:
    if amount.tokens is None:
        return "–"
    return f"≈{short(amount.tokens)}" if estimated and amount.tokens else count(amount.tokens)


def _changed(shift: Shift) -> bool:
    return bool(shift.gained.files or shift.lost.files)


def _print_shifts(found: WhatIf, console: Console) -> None:
    """The rules and languages that gain or lose files, with as many columns as fit."""
    groups = {"rule drops": found.rules, "language keeps": found.languages}
    changed = {title: [one for one in shifts if _changed(one)] for title, shifts in groups.items()}
    if not any(changed.values()):
        return
    choices = [
        [_shift_table(title, shifts[:LISTED], units, found.estimated) for title, shifts in changed.items()]
        for units in (("bytes", "tokens"), ("bytes",), ())
    ]
    for title, made in zip(changed, fitting(console, choices), strict=True):
        console.print()
        console.print(made)
        if len(changed[title]) > LISTED:
            print_text(console, f"and {count(len(changed[title]) - LISTED)} more (--json lists all)", "dim")
        if title == "rule drops":
            _print_others(found.rules, console)


def _shift_table(
    title: str, shifts: Sequence[Shift], units: Sequence[str], estimated: Sequence[str]
) -> Table:
    sides = [side for side in ("gained", "lost") if any(getattr(one, side).files for one in shifts)]
    made = table(title, ["before", "after", *(name for side in sides for name in (side, *units))])
    for shift in shifts:
        cells = [count(shift.before.files), count(shift.after.files)]
        for side in sides:
            cells += _amount(getattr(shift, side), side, units, estimated=side in estimated)
        made.add_row(Text(plain(shift.name) or "unknown"), *cells)
    return made


def _amount(amount: Amount, side: str, units: Sequence[str], *, estimated: bool) -> list[str]:
    tokens = "–" if amount.tokens is None else f"{'≈' * estimated}{short(amount.tokens)}"
    said = {"bytes": size(amount.bytes), "tokens": tokens}
    shown = [count(amount.files), *(said[unit] for unit in units)]
    return [f"{'+' if side == 'gained' else '−'}{cell}" if amount.files else "" for cell in shown]


def _print_others(rules: Sequence[Shift], console: Console) -> None:
    """That rules which gain and lose nothing drop more or fewer files, and why."""
    others = [rule for rule in rules if not _changed(rule)]
    fewer = sum(rule.after.files < rule.before.files for rule in others)
    more = sum(rule.after.files > rule.before.files for rule in others)
    said = [
        f"{counted(number, 'other rule')} {'drops' if number == 1 else 'drop'} {than} files: earlier rules {do}"
        for number, than, do in ((fewer, "fewer", "take them"), (more, "more", "leave them"))
        if number
    ]
    if said:
        print_text(console, "; ".join(said), "dim")


def _print_examples(title: str, files: Sequence[Example], total: Amount, console: Console) -> None:
    if not files:
        return
    console.print()
    print_text(console, f"{title}: {len(files)} of {counted(total.files, 'file')}", "bold")
    for (before, after), group in groupby(files, key=lambda file: (file.before, file.after)):
        print_text(console, f"{before or 'kept'} → {after or 'kept'}", "cyan")
        for file in group:
            print_file(
                console, f"{size(file.size):>9}  ", f"{file.repo}:{file.path}" if file.repo else file.path
            )
