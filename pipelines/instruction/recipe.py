"""Recipes of instruction data: a YAML file with ``instruct: SYSTEM`` and that system's own section.

As with every recipe, what changes the result is in it, values may be written with status and source, and a file may
``extends:`` a built-in one. Where models are, and what may be spent, is an option of the command.
"""

from __future__ import annotations

import dataclasses
import difflib
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from columns.errors import RecipeError
from columns.urls import refuse_login
from pipelines.instruction.systems import system_names, system_of
from pipelines.recipefile import INSTRUCTIONS, Note, RecipeFile, merge, names_on, read_chain, readable

_FRAME = frozenset({"extends", "name", "about", "instruct", "parts"})
_PARTS = 4


@dataclass(frozen=True)
class Instruction:
    """A whole, validated recipe of instruction data: the system, its section, and over how many parts rows go."""

    name: str
    about: str
    system: str
    parts: int
    config: Any


@dataclass(frozen=True)
class LoadedInstruction:
    """A recipe with the notes to its values, keyed by dotted path."""

    recipe: Instruction
    notes: Mapping[str, Note]

    def values(self) -> Iterator[tuple[str, Any, Note]]:
        """Every value with where it comes from."""
        yield "instruct", self.recipe.system, Note()
        yield "parts", self.recipe.parts, self.notes.get("parts", Note())
        for path, value in _leaves(self.recipe.config, ""):
            yield path, value, self.notes.get(path, Note())

    def to_dict(self) -> dict[str, Any]:
        """Plain data for the manifest."""
        notes = {path: dataclasses.asdict(note) for path, note in sorted(self.notes.items())}
        return {**dataclasses.asdict(self.recipe), "notes": notes}


def _leaves(value: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for item in dataclasses.fields(value):
        found = getattr(value, item.name)
        if dataclasses.is_dataclass(found):
            yield from _leaves(found, f"{prefix}{item.name}.")
        else:
            yield f"{prefix}{item.name}", found


def instruction_names() -> list[str]:
    """Names of the built-in recipes of instruction data."""
    return names_on(INSTRUCTIONS)


def is_instruction(name: str) -> bool:
    """Whether a name, or a YAML file, is a recipe of instruction data."""
    if name in instruction_names():
        return True
    path = Path(name)
    if path.suffix not in {".yaml", ".yml"} or not path.is_file():
        return False
    try:
        data = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError, ValueError):
        return False
    if not isinstance(data, dict):
        return False
    parent = str(data.get("extends", ""))
    beside = path.parent / parent
    return (
        "instruct" in data
        or parent in instruction_names()
        or (beside != path and is_instruction(str(beside)))
    )


def load_instruction(name: str, changes: Sequence[str] = ()) -> LoadedInstruction:
    """Load a built-in recipe by name, or a YAML file by path; ``changes`` are ``KEY=VALUE`` texts as of ``--set``.

    `RecipeError` says what is wrong, in which file and line, and what is allowed.
    """
    chain = read_chain(refuse_login(name), shelf=INSTRUCTIONS)
    data: dict[str, Any] = {}
    lines: dict[tuple[str, ...], int] = {}
    notes: dict[str, Note] = {}
    for source in chain:
        data = merge(
            {key: value for key, value in data.items() if key not in {"extends", "name", "about"}},
            source.data,
        )
        lines, notes = {**lines, **source.lines}, {**notes, **source.notes}
    data.setdefault("name", Path(chain[-1].origin).stem)
    for text in changes:
        path, value = _change(text)
        data, notes = merge(data, value), {**notes, path: Note("ours", "--set")}
    return LoadedInstruction(_validated(RecipeFile(chain[-1].origin, data, lines, notes)), notes)


def _change(text: str) -> tuple[str, dict[str, Any]]:
    """A ``KEY=VALUE`` as its dotted path and as data to merge."""
    key, equals, written = refuse_login(text).partition("=")
    steps = key.strip().split(".")
    if not equals or not all(steps):
        raise RecipeError(f"--set {text}: expected KEY=VALUE", hint="for example: --set parts=8")
    try:
        value = yaml.safe_load(written)
    except yaml.YAMLError as error:
        raise RecipeError(f"--set {text}: the value is not YAML", hint="quote it as YAML does") from error
    for step in reversed(steps):
        value = {step: value}
    return ".".join(steps), value


def _validated(source: RecipeFile) -> Instruction:
    data = source.data
    system = data.get("instruct")
    if system not in system_names():
        near = difflib.get_close_matches(str(system), system_names(), 1)
        raise RecipeError(
            f"{source.where('instruct')}: instruct: no such system: {system}",
            hint=f"did you mean {near[0]}?" if near else f"systems: {', '.join(system_names())}",
        )
    parts = data.get("parts", _PARTS)
    if type(parts) is not int or not 1 <= parts <= 4096:
        raise RecipeError(f"{source.where('parts')}: parts: expected a number from 1 to 4096, got {parts!r}")
    kind: Any = system_of(system).config
    section = {key: value for key, value in data.items() if key not in _FRAME}
    try:
        config: Any = TypeAdapter(kind).validate_python(section)
    except ValidationError as error:
        raise readable(error.errors()[0], source, lambda path: _allowed(kind, path)) from error
    return Instruction(str(data["name"]), str(data.get("about", "")), system, parts, config)


def _allowed(kind: Any, path: tuple[str, ...]) -> list[str]:
    """The keys that a section may have."""
    top = not path
    for step in path:
        kind = typing.get_type_hints(kind).get(step) if dataclasses.is_dataclass(kind) else None
    known = [item.name for item in dataclasses.fields(kind)] if dataclasses.is_dataclass(kind) else []
    return [*sorted(_FRAME), *known] if top else known
