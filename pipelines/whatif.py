"""What-if: what another recipe would keep and drop, from stored facts and links; no content is read.

``thresher what-if DIR --set filters.line_max=800``. The decisions are those that a build with the changed
recipe makes, file by file; only tokens of files that were never tokenised are an estimate.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
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
from pipelines.tokencount import count_tokens_of
from pipelines.wording import count, counted, plain, share, size

EXAMPLES = 10
LISTED = 20


@dataclass(frozen=True)
class WhatIf:
    """Two recipes over the same files; ``about`` names the amounts whose tokens are partly estimated."""

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
    about: tuple[str, ...]

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
    check_measured(new.filters, stored.schema.names)
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
        about=tuple(name for name, mask in masks.items() if tokens and (mask & ~tokens.known).any()),
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
    for setting in found.settings:
        console.print(Text(plain(setting), "bold", overflow="fold"))
    for setting in found.without_effect:
        console.print(Text(f"{plain(setting)}: changes no file's verdict", "dim", overflow="fold"))
    console.print(_totals(found))
    for title, shifts in (("rule", found.rules), ("language", found.languages)):
        changed = [
            shift for shift in shifts if shift.gained.files or shift.lost.files or shift.before != shift.after
        ]
        if changed:
            console.print(_shift_table(title, changed[:LISTED], found.about))
        if len(changed) > LISTED:
            console.print(Text(f"and {count(len(changed) - LISTED)} more (--json lists all)", "dim"))
    for title, files, total in (
        ("gained", found.gained_examples, found.gained), ("lost", found.lost_examples, found.lost)
    ):  # fmt: skip
        if files:
            console.print(_example_table(f"{title}: {len(files)} of {counted(total.files, 'file')}", files))


def _totals(found: WhatIf) -> Table:
    table = _table("", ("files", "bytes", "tokens", "of the files read"))
    rows = (
        ("kept before", found.before, ""),
        ("gained", found.gained, "+"),
        ("lost", found.lost, "−"),
        ("kept after", found.after, ""),
    )
    for name, amount, sign in rows:
        tokens = _tokens(amount, about=name.split()[-1] in found.about)
        part = share(amount.files, found.read.files)
        table.add_row(
            name, f"{sign}{count(amount.files)}", f"{sign}{size(amount.bytes)}", f"{sign}{tokens}", part
        )
    return table


def _table(title: str, numbers: Sequence[str]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(title, overflow="fold")
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _tokens(amount: Amount, *, about: bool) -> str:
    if amount.tokens is None:
        return "–"
    return f"about {count(amount.tokens)}" if about and amount.tokens else count(amount.tokens)


def _shift_table(title: str, shifts: Sequence[Shift], about: Sequence[str]) -> Table:
    verb = "drops" if title == "rule" else "keeps"
    table = _table(title, (f"{verb} before", "after", "gained", "bytes", "tokens", "lost", "bytes", "tokens"))
    for shift in shifts:
        cells = [count(shift.before.files), count(shift.after.files)]
        for name, amount, sign in (("gained", shift.gained, "+"), ("lost", shift.lost, "−")):
            said = _tokens(amount, about=name in about)
            shown = (f"{sign}{count(amount.files)}", f"{sign}{size(amount.bytes)}", f"{sign}{said}")
            cells += shown if amount.files else ("", "", "")
        table.add_row(Text(plain(shift.name) or "unknown"), *cells)
    return table


def _example_table(title: str, files: Sequence[Example]) -> Table:
    table = _table(title, ("size",))
    table.add_column("rule", overflow="fold")
    for file in files:
        name = plain(f"{file.repo}:{file.path}" if file.repo else file.path)
        table.add_row(Text(name), size(file.size), f"{file.before or 'kept'} → {file.after or 'kept'}")
    return table
