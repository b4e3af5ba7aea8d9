"""Recipe files: YAML text to plain data, with the line of every key and where every value comes from."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic_core import ErrorDetails

from columns.errors import InputError, RecipeError
from columns.urls import refuse_login

NOTE_KEYS = frozenset({"value", "status", "source", "note"})
MOST_DEEP = 8

Shelf = tuple[str, ...]
"""A folder of this package that holds built-in recipes."""
RECIPES: Shelf = ("recipes",)
INSTRUCTIONS: Shelf = ("instruction", "recipes")


@dataclass(frozen=True)
class Note:
    """Where a value comes from."""

    status: str = "ours"
    source: str = "Thresher's default"


@dataclass(frozen=True)
class RecipeFile:
    """One YAML text, parsed: plain data, the line of every key, and the notes."""

    origin: str
    data: dict[str, Any]
    lines: Mapping[tuple[str, ...], int]
    notes: Mapping[str, Note]

    def where(self, *path: str) -> str:
        """The file and the line of a key, as errors name it."""
        line = next((self.lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self.lines), None)
        return self.origin if line is None else f"{self.origin}, line {line}"


def recipe_names() -> list[str]:
    """Names of the built-in recipes."""
    return names_on(RECIPES)


def names_on(shelf: Shelf) -> list[str]:
    """Names of the built-in recipes in a folder of the package."""
    folder = resources.files("pipelines").joinpath(*shelf)
    return sorted(item.name.removesuffix(".yaml") for item in folder.iterdir() if item.name.endswith(".yaml"))


def preset_names() -> list[str]:
    """Names of the presets for near-duplicates (`dedup.presets`)."""
    folder = resources.files("dedup") / "presets"
    return sorted(item.name.removesuffix(".yaml") for item in folder.iterdir() if item.name.endswith(".yaml"))


def with_preset(source: RecipeFile) -> RecipeFile:
    """The file with the near-duplicate preset that its ``dedup.preset`` names under its own values."""
    section = source.data.get("dedup")
    name = section.get("preset") if isinstance(section, dict) else None
    if not name:
        return source
    if name not in preset_names():
        near = difflib.get_close_matches(str(name), preset_names(), 1)
        hint = f"did you mean {near[0]}?" if near else f"presets: {', '.join(preset_names())}"
        raise RecipeError(
            f"{source.where('dedup', 'preset')}: dedup.preset: no such preset: {name}", hint=hint
        )
    preset = _parse(
        f"preset {name}", (resources.files("dedup") / "presets" / f"{name}.yaml").read_text("utf-8")
    )
    own = {".".join(path) for path in source.lines}
    notes = {f"dedup.{path}": note for path, note in preset.notes.items() if f"dedup.{path}" not in own}
    data = merge({"dedup": preset.data}, source.data)
    return RecipeFile(source.origin, data, source.lines, {**notes, **source.notes})


def read_chain(name: str, seen: tuple[str, ...] = (), *, shelf: Shelf = RECIPES) -> list[RecipeFile]:
    """A recipe after the ones it extends, by built-in name or by path; `RecipeError` says what is wrong where."""
    if name in seen:
        raise RecipeError(
            f"recipe {name} extends itself: {' -> '.join((*seen, name))}", hint="remove one extends"
        )
    source = with_preset(_parse(*_read(name, shelf)))
    parent = source.data.get("extends")
    if parent is None:
        return [source]
    if not isinstance(parent, str):
        line = source.lines.get(("extends",), 1)
        raise RecipeError(f"{source.origin}, line {line}: extends: expected a recipe's name, got {parent!r}")
    beside = Path(name).parent / parent
    target = str(beside) if parent.endswith((".yaml", ".yml")) and not Path(parent).is_absolute() else parent
    return [*read_chain(target, (*seen, name), shelf=shelf), source]


def _read(name: str, shelf: Shelf) -> tuple[str, str]:
    if name in names_on(shelf):
        return name, resources.files("pipelines").joinpath(*shelf, f"{name}.yaml").read_text("utf-8")
    path = Path(name)
    if path.suffix in {".yaml", ".yml"} and path.is_file():
        try:
            return name, path.read_text("utf-8")
        except (UnicodeDecodeError, OSError) as error:
            raise RecipeError(f"{name}: cannot be read as UTF-8 text: {error}") from error
    known = [*names_on(RECIPES), *names_on(INSTRUCTIONS)]
    near = difflib.get_close_matches(name, known, 1)
    suggestion = f"did you mean {near[0]}?" if near else f"built-in: {', '.join(known)}; or give a .yaml file"
    raise RecipeError(f"no such recipe: {name}", hint=suggestion)


def _parse(origin: str, text: str) -> RecipeFile:
    _refuse_logins(origin, text)
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise RecipeError(f"{origin}: not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(node, yaml.MappingNode):
        raise RecipeError(f"{origin}: expected a mapping of sections", hint="see: thresher recipes codex")
    lines: dict[tuple[str, ...], int] = {}
    notes: dict[str, Note] = {}
    data = _plain(node, (), lines, notes, origin)
    return RecipeFile(origin, data, lines, notes)


def _refuse_logins(origin: str, text: str) -> None:
    """A recipe is copied into the manifest, so no URL in it may hold a login."""
    for number, line in enumerate(text.splitlines(), 1):
        try:
            refuse_login(line.strip())
        except InputError as error:
            raise RecipeError(f"{origin}, line {number}: {error.what}", hint=error.hint) from None


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


def merge(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Plain data with a change laid over it: mappings are joined, everything else is replaced.

    >>> merge({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}})
    {'a': {'b': 3, 'c': 2}}
    """
    merged = dict(base)
    for key, value in change.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], value) if both else value
    return merged


def readable(
    error: ErrorDetails, source: RecipeFile, allowed: Callable[[tuple[str, ...]], list[str]]
) -> RecipeError:
    """What is wrong with a recipe: the file and line, the key, and what is allowed there (``allowed`` of a path)."""
    path = tuple(str(step) for step in error["loc"])
    blamed = (*path, error["msg"].removeprefix("Value error, ").partition(":")[0])
    where = source.where(*blamed)
    if error["type"] in {"unexpected_keyword_argument", "extra_forbidden"}:
        known = allowed(path[:-1])
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
