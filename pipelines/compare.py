"""Compare: what each of several recipes would keep of the same files, from stored facts; no content is read.

``thresher compare DIR --recipes codex,starcoder,opencoder``. Filters are compared alone and with all rules:
duplicates by each recipe's choice of what stays, over the links that are stored. What cannot be applied,
because its facts are not measured here, is named.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from columns.files import Place
from pipelines.corpus import Corpus, load_corpus
from pipelines.decisions import DecideConfig
from pipelines.ledger import CONTAMINATED_RULE
from pipelines.recipe import Recipe
from pipelines.settings import unmeasured
from pipelines.stored import Stored
from pipelines.wording import count, plain, share, size

LISTED = 25


@dataclass(frozen=True)
class Retained:
    """Files and bytes that stay."""

    files: int
    bytes: int


@dataclass(frozen=True)
class Row:
    """One language, or all of them (``name`` is empty for unknown): what each recipe keeps, in their order."""

    name: str
    read: Retained
    filters: tuple[Retained, ...]
    all_rules: tuple[Retained, ...]


@dataclass(frozen=True)
class NotApplied:
    """A rule of a recipe that is left out, and why."""

    recipe: str
    rule: str
    why: str


@dataclass(frozen=True)
class Comparison:
    """Retention by language and recipe; ``notes`` says what a recipe asks for beyond its rules."""

    recipes: tuple[str, ...]
    total: Row
    languages: tuple[Row, ...]
    not_applied: tuple[NotApplied, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``--json``."""
        return dataclasses.asdict(self)


def compare(place: Place, recipes: Mapping[str, Recipe]) -> Comparison:
    """What each recipe keeps of a dataset's files; raises `OutputError` when measure or link is not finished.

    Files that were never read because the dataset's own recipe did not want them are in no figure.
    """
    stored = Stored.open(place)
    stored.upstream()
    known = stored.schema.names
    configs, left_out = [], []
    for name, recipe in recipes.items():
        config = DecideConfig.of(recipe)
        missing = unmeasured(config.filters, known)
        left_out += [NotApplied(name, one.rule, f"not measured: {', '.join(one.facts)}") for one in missing]
        configs.append(_without(config, {one.rule for one in missing}))
    corpus = load_corpus(stored, configs)
    alone = [_filtered(corpus, at, config) for at, config in enumerate(configs)]
    decided = [corpus.decide(at, config) == len(config.rules()) for at, config in enumerate(configs)]
    total, languages = _rows(corpus, alone, decided)
    return Comparison(tuple(recipes), total, languages, tuple(left_out), tuple(_notes(recipes)))


def _without(config: DecideConfig, names: set[str]) -> DecideConfig:
    rules = tuple(rule for rule in config.filters.rules if rule.name not in names)
    return dataclasses.replace(config, filters=dataclasses.replace(config.filters, rules=rules))


def _filtered(corpus: Corpus, at: int, config: DecideConfig) -> np.ndarray:
    """Which files pass the filters alone."""
    rules = config.rules()
    return np.isin(corpus.own[at], [len(rules), rules.index(CONTAMINATED_RULE)])


def _rows(
    corpus: Corpus, alone: Sequence[np.ndarray], decided: Sequence[np.ndarray]
) -> tuple[Row, tuple[Row, ...]]:
    read, *kept = (_by_language(corpus, mask) for mask in (np.ones(corpus.files, bool), *alone, *decided))
    names = [*corpus.languages, "all languages"]
    rows = [
        Row(
            name, read[at], tuple(one[at] for one in kept[: len(alone)]),
            tuple(one[at] for one in kept[len(alone) :]),
        )
        for at, name in enumerate(names)
    ]  # fmt: skip
    present = [row for row in rows[:-1] if row.read.files]
    return rows[-1], tuple(sorted(present, key=lambda row: (-row.read.bytes, row.name)))


def _by_language(corpus: Corpus, mask: np.ndarray) -> list[Retained]:
    """What a mask keeps of each language, then of all."""
    language, groups = corpus.language[mask], len(corpus.languages)
    files = np.bincount(language, minlength=groups).tolist()
    sizes = np.bincount(language, corpus.size[mask], groups).astype(np.int64).tolist()
    found = [Retained(*pair) for pair in zip(files, sizes, strict=True)]
    return [*found, Retained(sum(files), sum(sizes))]


def _notes(recipes: Mapping[str, Recipe]) -> list[str]:
    found = [
        f"{name} is made for {', '.join(recipe.ingest.languages)}; its rules are applied to every language here"
        for name, recipe in recipes.items() if recipe.ingest.languages
    ]  # fmt: skip
    bands = {_pairs_of(recipe) for recipe in recipes.values() if recipe.dedup.near}
    if len(bands) > 1:
        found.append(
            "near-duplicates: all recipes use the pairs that this dataset has, not their own parameters"
        )
    return found


def _pairs_of(recipe: Recipe) -> tuple[object, ...]:
    """What makes a recipe's near-duplicate pairs."""
    return (recipe.dedup.minhash, dataclasses.replace(recipe.dedup.bands, threshold=0.0))


def render(found: Comparison, console: Console) -> None:
    """Print the retention table; names from the dataset are shown as harmless text."""
    console.print(_table(found, "files"))
    console.print()
    console.print(_table(found, "bytes"))
    for rule in found.not_applied:
        said = f"{rule.recipe}: rule {rule.rule} is not applied ({rule.why})"
        console.print(Text(plain(said), "yellow", overflow="fold"))
    if found.not_applied:
        console.print(Text("to measure it: build with filters.measure: [all]", "cyan"))
    for note in found.notes:
        console.print(Text(plain(note), "dim", overflow="fold"))


def _table(found: Comparison, unit: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(f"{unit} kept by", overflow="fold")
    table.add_column("read", justify="right", no_wrap=True)
    for name in found.recipes:
        table.add_column(plain(name), justify="right", overflow="fold")
        table.add_column("all rules", justify="right", overflow="fold", style="dim")
    for row in (found.total, *found.languages[:LISTED]):
        table.add_row(Text(plain(row.name) or "unknown"), *_cells(row, unit))
    if len(found.languages) > LISTED:
        table.add_row(Text(f"and {count(len(found.languages) - LISTED)} more (--json lists all)", "dim"))
    return table


def _cells(row: Row, unit: str) -> list[str]:
    whole = getattr(row.read, unit)
    cells = [count(whole) if unit == "files" else size(whole)]
    for alone, decided in zip(row.filters, row.all_rules, strict=True):
        cells += [share(getattr(alone, unit), whole), share(getattr(decided, unit), whole)]
    return cells
