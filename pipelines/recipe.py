"""Recipes: everything that changes the result, as data.

A recipe is a YAML file that may ``extends:`` a built-in one and changes only what it names. It is
validated into frozen dataclasses; an error names the file, the line, what was expected and what was
found. Where and how fast a build runs is never part of a recipe.

In built-in recipes a value may be written ``{value: 0.25, status: de-facto, source: …}``; the loader
keeps these notes, so that ``thresher recipes NAME`` can say where every number comes from.
"""

from __future__ import annotations

import dataclasses
import difflib
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import yaml
from pydantic import TypeAdapter, ValidationError

from columns.errors import RecipeError
from columns.fingerprint import fingerprint
from columns.urls import refuse_login
from contamination import ContaminationConfig
from contamination.allowed import read_allowed
from filters import (
    FilterConfig,
    Rule,
    load_own,
    load_preset,
    needed,
    own_parameters,
    own_schema,
    preset_names,
)
from licensing import LICENSE_PATH
from pipelines.families import FamilyConfig, chosen, known_facts
from pipelines.guard import GuardConfig
from pipelines.ledger import EVIDENCE_RULE
from pipelines.recipefile import Note, RecipeFile, merge, read_chain, readable, recipe_names, with_preset
from pipelines.sections import DedupSection, FilterSection, LayoutConfig, LicenseSection, PrivacySection
from shards import PackConfig, TokenizerConfig, TransformConfig
from shards.exports import FORMATS
from sources import EVIDENCE, GithubChoice, GithubRepos, IngestConfig, Limits
from sources.optout import read_opt_outs
from syntax import SyntaxConfig

_EVIDENCE = Rule(
    EVIDENCE_RULE, "language", "in", (EVIDENCE,), "ours", "read for its licence only: licenses.detect"
)
OWN_KEYS = frozenset({"extends", "name", "about"})
_FORBID: dict[str, str] = {"extra": "forbid"}


@dataclass(frozen=True)
class Recipe:
    """A whole, validated recipe. ``exports``: formats of other loaders that the shards are written in, too."""

    __pydantic_config__: ClassVar[dict[str, str]] = _FORBID

    name: str
    about: str = ""
    ingest: IngestConfig = field(default_factory=IngestConfig)
    github: GithubChoice = field(default_factory=GithubChoice)
    github_repos: GithubRepos = field(default_factory=GithubRepos)
    archives: Limits = field(default_factory=Limits)
    layout: LayoutConfig = field(default_factory=LayoutConfig)
    filters: FilterSection = field(default_factory=FilterSection)
    syntax: SyntaxConfig = field(default_factory=SyntaxConfig)
    licenses: LicenseSection = field(default_factory=LicenseSection)
    privacy: PrivacySection = field(default_factory=PrivacySection)
    dedup: DedupSection = field(default_factory=DedupSection)
    contamination: ContaminationConfig = field(default_factory=ContaminationConfig)
    guard: GuardConfig = field(default_factory=GuardConfig)
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    transforms: TransformConfig = field(default_factory=TransformConfig)
    pack: PackConfig = field(default_factory=PackConfig)
    exports: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        unknown = [name for name in self.exports if name not in FORMATS]
        if unknown:
            raise ValueError(f"exports: no format {unknown[0]!r}; formats: {', '.join(FORMATS)}")

    def fingerprint(self) -> str:
        """Equal exactly when two recipes ask for the same result (name and about do not count)."""
        return fingerprint(dataclasses.replace(self, name="", about=""))

    def families(self) -> FamilyConfig:
        """What is measured: the families that the recipe asks for, and those its rules need."""
        section = self.filters
        asked = ["licenses"] * self.licenses.detect + ["privacy"] * self.privacy.find
        read = {name for code in section.own for name in own_parameters(code)}
        names = chosen(
            (*section.measure, *asked), {*read, *needed(section.resolve()), *self.dedup.keep.needs()}
        )
        return FamilyConfig(
            names, section.signals, section.lexing, section.detected, self.syntax, self.licenses.texts,
            self.privacy.config(), section.tokenizer, section.own,
        )  # fmt: skip

    def rules(self) -> FilterConfig:
        """The rules over facts, in order; licence texts that were read as evidence go first."""
        rules = self.filters.resolve()
        return dataclasses.replace(rules, rules=(_EVIDENCE, *rules.rules)) if self.licenses.detect else rules

    def reading(self) -> IngestConfig:
        """What ingest reads; licence texts too when licences are found out."""
        wanted = LICENSE_PATH if self.licenses.detect else self.ingest.evidence
        return dataclasses.replace(self.ingest, evidence=wanted)


@dataclass(frozen=True)
class LoadedRecipe:
    """A recipe with the notes to its values, keyed by dotted path."""

    recipe: Recipe
    notes: Mapping[str, Note]

    def values(self) -> Iterator[tuple[str, Any, Note]]:
        """Every value with where it comes from; filter rules carry their own citation."""
        for path, value in _leaves(self.recipe, ""):
            if not path.startswith("filters.") and path not in OWN_KEYS:
                yield path, value, self.notes.get(path, Note())
        for rule in self.recipe.rules().rules:
            yield f"filters.{rule.name}", str(rule), Note(rule.status, rule.source)
        for path, value in _leaves(self.recipe.filters.signals, "filters.signals."):
            yield path, value, self.notes.get(path, Note("de-facto", "CodeParrot preprocessing.py"))


def _leaves(value: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for item in dataclasses.fields(value):
        found = getattr(value, item.name)
        if dataclasses.is_dataclass(found):
            yield from _leaves(found, f"{prefix}{item.name}.")
        else:
            yield f"{prefix}{item.name}", found


def load_recipe(name: str, changes: Sequence[str] = ()) -> LoadedRecipe:
    """Load a built-in recipe by name, or a YAML file by path; `RecipeError` says what is wrong where.

    ``changes`` are ``KEY=VALUE`` texts as of ``--set``; the name of a filter rule stands for its threshold.

    >>> load_recipe("codex", ["filters.line_max=800"]).recipe.filters.values
    {'line_max': 800}
    """
    chain = read_chain(refuse_login(name))
    data: dict[str, Any] = {}
    lines: dict[tuple[str, ...], int] = {}
    notes: dict[str, Note] = {}
    for source in chain:
        data = merge({key: data[key] for key in data if key not in OWN_KEYS}, _with_files(source))
        lines = {**lines, **source.lines}
        notes = _noted(notes, source)
    last = chain[-1]
    data.pop("extends", None)
    data.setdefault("name", Path(last.origin).stem)
    return _changed(RecipeFile(last.origin, data, lines, notes), changes)


def recorded_recipe(
    section: Mapping[str, Any], changes: Sequence[str] = (), *, trust_own: bool = False
) -> LoadedRecipe:
    """The recipe that a manifest's ``recipe`` section records, with ``changes`` as of `load_recipe`.

    Own code is Python, and validating a recipe runs it: `RecipeError` for a recipe that has some, unless ``trust_own``.
    """
    own = [code["name"] for code in section["filters"].get("own") or ()]
    if own and not trust_own:
        raise RecipeError(
            f"the dataset's recipe holds Python code ({', '.join(own)}), which this command would run",
            hint="--trust-own-code, if you trust where the dataset comes from",
        )
    plain = {key: value for key, value in section.items() if key != "notes"}
    described = ("rules", "own_rules")
    plain["filters"] = {key: value for key, value in plain["filters"].items() if key not in described}
    notes = {path: Note(**note) for path, note in section["notes"].items()}
    return _changed(RecipeFile("manifest.json", plain, {}, notes), changes)


def _noted(notes: Mapping[str, Note], source: RecipeFile) -> dict[str, Note]:
    changed = {".".join(path) for path in source.lines}
    said = {} if source.origin in recipe_names() else dict.fromkeys(changed, Note("ours", "this recipe"))
    return {path: note for path, note in notes.items() if path not in changed} | said | dict(source.notes)


def _with_files(source: RecipeFile) -> dict[str, Any]:
    """The file's data, with what the files it names hold in the place of their paths: own code and lists."""
    found = dataclasses.replace(source, data=_with_own(source))
    for section, key, read in (
        ("ingest", "opt_out", read_opt_outs),
        ("contamination", "allow", read_allowed),
    ):
        found = dataclasses.replace(found, data=_with_list(found, section, key, read))
    return found.data


def _with_list(
    source: RecipeFile, section: str, key: str, read: Callable[[Path], Iterable[Any]]
) -> dict[str, Any]:
    values = source.data.get(section)
    path = values.get(key) if isinstance(values, dict) else None
    if not isinstance(path, str):
        return source.data
    entries = [dataclasses.asdict(one) for one in read(Path(source.origin).parent / path)]
    return merge(source.data, {section: {key: entries}})


def _with_own(source: RecipeFile) -> dict[str, Any]:
    """The file's data, with the text of the Python files it names in the place of their paths."""
    filters = source.data.get("filters")
    paths = filters.get("own") if isinstance(filters, dict) else None
    if not paths:
        return source.data
    if not (isinstance(paths, list) and all(isinstance(path, str) for path in paths)):
        raise RecipeError(f"{source.where('filters', 'own')}: filters.own: expected a list of .py files")
    facts, codes = known_facts(), []
    for path in paths:
        code = load_own(Path(source.origin).parent / path, facts)
        facts |= set(own_schema(code).names)
        codes.append(dataclasses.asdict(code))
    return merge(source.data, {"filters": {"own": codes}})


def _changed(source: RecipeFile, changes: Sequence[str]) -> LoadedRecipe:
    """Apply ``--set`` texts, then validate."""
    data, notes = source.data, dict(source.notes)
    for text in changes:
        path, value = _setting(refuse_login(text), data)
        change: Any = value
        for step in reversed(path):
            change = {step: change}
        changed = with_preset(RecipeFile("--set", change, {}, {}))
        data = merge(data, _with_files(changed))
        notes |= {**changed.notes, ".".join(path): Note("ours", "--set")}
    origin = f"{source.origin} with --set" if changes else source.origin
    return LoadedRecipe(_validate(data, dataclasses.replace(source, origin=origin)), notes)


def _setting(text: str, data: Mapping[str, Any]) -> tuple[tuple[str, ...], Any]:
    """Where in the recipe a ``KEY=VALUE`` belongs, and the value."""
    key, equals, written = text.partition("=")
    try:
        value = yaml.safe_load(written)
    except yaml.YAMLError as error:
        raise RecipeError(f"--set {text}: the value is not YAML", hint="quote it as YAML does") from error
    path = tuple(key.strip().split("."))
    if not equals or not all(path):
        raise RecipeError(f"--set {text}: expected KEY=VALUE", hint="for example: --set filters.line_max=800")
    known = {item.name for item in dataclasses.fields(FilterSection)}
    filters = data.get("filters") or {}
    if len(path) != 2 or path[0] != "filters" or path[1] in known or not isinstance(filters, dict):
        return path, value
    added = [item for item in filters.get("add") or () if isinstance(item, dict)]
    if path[1] in [item.get("name") for item in added]:
        return ("filters", "add"), _added(added, path[1], value)
    rule = _rule_of(filters.get("preset", FilterSection.preset), path[1], text)
    if value is False or value is None:
        return ("filters", "without"), [*(filters.get("without") or ()), rule.name]
    if rule.op in {"gt", "ge", "lt", "le"} and (value is True or not isinstance(value, int | float)):
        hint = f"now: {rule}; for example: --set {key}=0.5, or {key}=off"
        raise RecipeError(f"--set {text}: expected a number, or off", hint=hint)
    return ("filters", "values", rule.name), value


def _added(rules: Sequence[dict[str, Any]], name: str, value: Any) -> list[dict[str, Any]]:
    """The recipe's own rules with another value for one of them, or without it."""
    kept = [rule for rule in rules if rule.get("name") != name or (value is not False and value is not None)]
    return [rule | {"value": value} if rule.get("name") == name else rule for rule in kept]


def _rule_of(preset: str, name: str, text: str) -> Rule:
    rules = {rule.name: rule for rule in load_preset(preset).rules} if preset in preset_names() else {}
    if name in rules:
        return rules[name]
    near = difflib.get_close_matches(
        name, [*rules, *(item.name for item in dataclasses.fields(FilterSection))], 1
    )
    hint = f"did you mean filters.{near[0]}?" if near else f"its rules: thresher recipes {preset}"
    raise RecipeError(f"--set {text}: the recipe has no rule {name}", hint=hint)


@cache
def _adapter() -> TypeAdapter[Recipe]:
    return TypeAdapter(Recipe)


def _validate(data: dict[str, Any], source: RecipeFile) -> Recipe:
    try:
        return _adapter().validate_python(data)
    except ValidationError as error:
        raise readable(error.errors()[0], source, _allowed) from error


def _allowed(path: tuple[str, ...]) -> list[str]:
    kind: Any = Recipe
    for step in path:
        kind = typing.get_type_hints(kind).get(step) if dataclasses.is_dataclass(kind) else None
    return [item.name for item in dataclasses.fields(kind)] if dataclasses.is_dataclass(kind) else []
