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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar

import yaml
from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from columns.errors import RecipeError
from columns.fingerprint import fingerprint
from contamination import ContaminationConfig
from dedup import BandConfig, KeepConfig, MinHashConfig
from filters import FilterConfig, SignalsConfig, load_preset, preset_names
from shards import PackConfig, TokenizerConfig
from sources import IngestConfig

OWN_KEYS = frozenset({"extends", "name", "about"})
NOTE_KEYS = frozenset({"value", "status", "source", "note"})
MOST_DEEP = 8
_FORBID: dict[str, str] = {"extra": "forbid"}


@dataclass(frozen=True)
class LayoutConfig:
    """How a dataset is cut into parts: target text bytes per part, the least number of parts, or the number itself.

    Without ``parts`` the number is a power of two that follows the listed size of the inputs, so it seldom
    changes when inputs grow a little. Give ``parts`` to have equal datasets from differently packed inputs.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = _FORBID

    part_bytes: int = 16 << 20
    least_parts: int = 8
    parts: int | None = None

    def __post_init__(self) -> None:
        if self.part_bytes < 1 << 16:
            raise ValueError(f"part_bytes: expected at least 65536, got {self.part_bytes}")
        if self.parts is not None and not 1 <= self.parts <= 1 << 20:
            raise ValueError(f"parts: expected 1 to {1 << 20}, got {self.parts}")

    def count(self, total_bytes: int) -> int:
        """Parts for so much text: by ``part_bytes``, but enough to keep several workers busy.

        >>> LayoutConfig().count(3 << 20), LayoutConfig().count(1 << 30), LayoutConfig(parts=5).count(1)
        (4, 64, 5)
        """
        if self.parts is not None:
            return self.parts
        small = -(-total_bytes // (1 << 20))
        wanted = max(1, -(-total_bytes // self.part_bytes), min(self.least_parts, small))
        return 1 << (wanted - 1).bit_length()


@dataclass(frozen=True)
class FilterSection:
    """A filter preset by name, and what this recipe changes of it."""

    __pydantic_config__: ClassVar[dict[str, str]] = _FORBID

    preset: str = "codex"
    values: dict[str, float] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    signals: SignalsConfig = field(default_factory=SignalsConfig)

    def __post_init__(self) -> None:
        if self.preset not in preset_names():
            raise ValueError(f"preset: expected one of {', '.join(preset_names())}, got {self.preset!r}")
        known = [rule.name for rule in load_preset(self.preset).rules]
        for name in (*self.values, *self.without):
            if name not in known:
                raise ValueError(f"rule {name!r}: preset {self.preset} has {', '.join(known)}")

    def resolve(self) -> FilterConfig:
        """The preset with this recipe's changes; changed values are marked as ours."""
        rules = []
        for rule in load_preset(self.preset).rules:
            if rule.name in self.without:
                continue
            value = self.values.get(rule.name, rule.value)
            same = value == rule.value
            rules.append(
                rule if same else dataclasses.replace(rule, value=value, status="ours", source="this recipe")
            )
        return FilterConfig(rules=tuple(rules))


@dataclass(frozen=True)
class DedupSection:
    """Which duplicates are looked for, how, and which file of a group stays."""

    __pydantic_config__: ClassVar[dict[str, str]] = _FORBID

    exact: bool = True
    near: bool = True
    minhash: MinHashConfig = field(default_factory=MinHashConfig)
    bands: BandConfig = field(default_factory=BandConfig)
    keep: KeepConfig = field(default_factory=KeepConfig)

    def __post_init__(self) -> None:
        needed = self.bands.bands * self.bands.rows
        if needed > self.minhash.num_perm:
            raise ValueError(f"bands x rows: expected at most num_perm {self.minhash.num_perm}, got {needed}")


@dataclass(frozen=True)
class Recipe:
    """A whole, validated recipe."""

    __pydantic_config__: ClassVar[dict[str, str]] = _FORBID

    name: str
    about: str = ""
    ingest: IngestConfig = field(default_factory=IngestConfig)
    layout: LayoutConfig = field(default_factory=LayoutConfig)
    filters: FilterSection = field(default_factory=FilterSection)
    dedup: DedupSection = field(default_factory=DedupSection)
    contamination: ContaminationConfig = field(default_factory=ContaminationConfig)
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    pack: PackConfig = field(default_factory=PackConfig)

    def fingerprint(self) -> str:
        """Equal exactly when two recipes ask for the same result (name and about do not count)."""
        return fingerprint(dataclasses.replace(self, name="", about=""))


@dataclass(frozen=True)
class Note:
    """Where a value comes from."""

    status: str = "ours"
    source: str = "Thresher's default"


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
        for rule in self.recipe.filters.resolve().rules:
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


@dataclass(frozen=True)
class _Source:
    """One YAML text, parsed: plain data, the line of every key, and the notes."""

    origin: str
    data: dict[str, Any]
    lines: Mapping[tuple[str, ...], int]
    notes: Mapping[str, Note]


def recipe_names() -> list[str]:
    """Names of the built-in recipes."""
    folder = resources.files("pipelines") / "recipes"
    return sorted(item.name.removesuffix(".yaml") for item in folder.iterdir() if item.name.endswith(".yaml"))


def load_recipe(name: str) -> LoadedRecipe:
    """Load a built-in recipe by name, or a YAML file by path; `RecipeError` says what is wrong where.

    >>> load_recipe("codex").recipe.pack.seq_len
    2048
    """
    chain = _chain(name, ())
    data: dict[str, Any] = {}
    lines: dict[tuple[str, ...], int] = {}
    notes: dict[str, Note] = {}
    for source in chain:
        data = _merge({key: data[key] for key in data if key not in OWN_KEYS}, source.data)
        lines = {**lines, **source.lines}
        changed = {".".join(path) for path in source.lines}
        said = {} if source.origin in recipe_names() else dict.fromkeys(changed, Note("ours", "this recipe"))
        notes = (
            {path: note for path, note in notes.items() if path not in changed} | said | dict(source.notes)
        )
    last = chain[-1]
    data.pop("extends", None)
    data.setdefault("name", Path(last.origin).stem)
    return LoadedRecipe(_validate(data, last, lines), notes)


def _chain(name: str, seen: tuple[str, ...]) -> list[_Source]:
    if name in seen:
        raise RecipeError(
            f"recipe {name} extends itself: {' -> '.join((*seen, name))}", hint="remove one extends"
        )
    source = _parse(*_read(name))
    parent = source.data.get("extends")
    if parent is None:
        return [source]
    if not isinstance(parent, str):
        line = source.lines.get(("extends",), 1)
        raise RecipeError(f"{source.origin}, line {line}: extends: expected a recipe's name, got {parent!r}")
    beside = Path(name).parent / parent
    target = str(beside) if parent.endswith((".yaml", ".yml")) and not Path(parent).is_absolute() else parent
    return [*_chain(target, (*seen, name)), source]


def _read(name: str) -> tuple[str, str]:
    if name in recipe_names():
        return name, (resources.files("pipelines") / "recipes" / f"{name}.yaml").read_text("utf-8")
    path = Path(name)
    if path.suffix in {".yaml", ".yml"} and path.is_file():
        try:
            return name, path.read_text("utf-8")
        except (UnicodeDecodeError, OSError) as error:
            raise RecipeError(f"{name}: cannot be read as UTF-8 text: {error}") from error
    near = difflib.get_close_matches(name, recipe_names(), 1)
    suggestion = (
        f"did you mean {near[0]}?" if near else f"built-in: {', '.join(recipe_names())}; or give a .yaml file"
    )
    raise RecipeError(f"no such recipe: {name}", hint=suggestion)


def _parse(origin: str, text: str) -> _Source:
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise RecipeError(f"{origin}: not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(node, yaml.MappingNode):
        raise RecipeError(f"{origin}: expected a mapping of sections", hint="see: thresher recipes codex")
    lines: dict[tuple[str, ...], int] = {}
    notes: dict[str, Note] = {}
    data = _plain(node, (), lines, notes, origin)
    return _Source(origin, data, lines, notes)


def _plain(node: yaml.Node, path: tuple[str, ...], lines: dict, notes: dict, origin: str) -> Any:
    if not isinstance(node, yaml.MappingNode):
        try:
            return yaml.SafeLoader("").construct_object(node, deep=True)
        except (yaml.YAMLError, ValueError) as error:
            line = node.start_mark.line + 1
            raise RecipeError(f"{origin}, line {line}: {' '.join(str(error).split())}") from error
    if len(path) > MOST_DEEP:
        raise RecipeError(f"{origin}, line {node.start_mark.line + 1}: nested too deep")
    keys = [str(key.value) for key, _ in node.value]
    if "value" in keys and set(keys) <= NOTE_KEYS and len(set(keys)) == len(keys):
        items = {str(key.value): value for key, value in node.value}
        status, source = (str(items[k].value) if k in items else "" for k in ("status", "source"))
        notes[".".join(path)] = Note(status or "ours", source or origin)
        return _plain(items["value"], path, lines, notes, origin)
    result = {}
    for key, value in node.value:
        inner = (*path, str(key.value))
        if inner in lines and str(key.value) in result:
            raise RecipeError(f"{origin}, line {key.start_mark.line + 1}: {key.value} is given twice")
        lines[inner] = key.start_mark.line + 1
        result[str(key.value)] = _plain(value, inner, lines, notes, origin)
    return result


def _merge(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in change.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


@cache
def _adapter() -> TypeAdapter[Recipe]:
    return TypeAdapter(Recipe)


def _validate(data: dict[str, Any], source: _Source, lines: Mapping[tuple[str, ...], int]) -> Recipe:
    try:
        return _adapter().validate_python(data)
    except ValidationError as error:
        raise _readable(error.errors()[0], source, lines) from error


def _readable(error: ErrorDetails, source: _Source, lines: Mapping[tuple[str, ...], int]) -> RecipeError:
    path = tuple(str(step) for step in error["loc"])
    blamed = (*path, error["msg"].removeprefix("Value error, ").partition(":")[0])
    line = next((lines[blamed[:n]] for n in range(len(blamed), 0, -1) if blamed[:n] in lines), None)
    where = source.origin if line is None else f"{source.origin}, line {line}"
    if error["type"] in {"unexpected_keyword_argument", "extra_forbidden"}:
        known = _allowed(path[:-1])
        near = difflib.get_close_matches(path[-1], known, 1)
        hint = f"did you mean {near[0]}? " if near else ""
        return RecipeError(
            f"{where}: unknown key {'.'.join(path)}", hint=f"{hint}allowed here: {', '.join(known)}"
        )
    name = ".".join(path) or "recipe"
    if error["type"] == "value_error":
        return RecipeError(f"{where}: {name}: {error['msg'].removeprefix('Value error, ')}")
    return RecipeError(f"{where}: {name}: {error['msg']}; got {_short(error['input'])}")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _allowed(path: tuple[str, ...]) -> list[str]:
    kind: Any = Recipe
    for step in path:
        kind = typing.get_type_hints(kind).get(step) if dataclasses.is_dataclass(kind) else None
    return [item.name for item in dataclasses.fields(kind)] if dataclasses.is_dataclass(kind) else []
