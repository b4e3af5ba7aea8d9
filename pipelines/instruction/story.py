"""Story: one row of an instruction dataset through all steps, and where it was dropped (``thresher explain``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console
from rich.table import Table
from rich.text import Text

from columns.errors import InputError, OutputError
from columns.files import Place
from columns.tables import read_whole
from pipelines.instruction.manifest import read_manifest
from pipelines.instruction.steps import part_names
from pipelines.wording import plain

NAMED = ("id", "task_id", "prompt_id", "parent_id", "problem_id", "qualname")
DROPPED = "dropped"
_MOST_ROWS, _MOST_CHARS = 12, 300


@dataclass(frozen=True)
class Chapter:
    """What one step made of the row: its rows, at most a dozen."""

    step: str
    about: str
    rows: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class InstructionStory:
    """All chapters, and the sentence on how it ended."""

    row: str
    chapters: tuple[Chapter, ...]
    verdict: str

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``--json``."""
        steps = [{"step": one.step, "about": one.about, "rows": list(one.rows)} for one in self.chapters]
        return {"row": self.row, "verdict": self.verdict, "steps": steps}


def tell(place: Place, row: str) -> InstructionStory:
    """Everything that a dataset knows of one row, by its id or the end of it; `InputError` for one that it has not."""
    steps = read_manifest(place)["steps"]
    chapters = [Chapter(step["name"], step["about"], _rows(place.child(step["name"]), row)) for step in steps]
    found = tuple(chapter for chapter in chapters if chapter.rows)
    if not found:
        raise InputError(f"{place.url}: no row {row}", hint=_example(place, steps))
    return InstructionStory(row, found, _verdict(found, steps[-1]["name"]))


def _example(place: Place, steps: list[Mapping[str, Any]]) -> str:
    """An id that can be asked for."""
    for step in steps:
        folder = place.child(step["name"])
        for name in part_names(folder):
            table = _part(folder, name)
            known = [key for key in NAMED if key in table.column_names]
            if table.num_rows and known:
                return f"give an id or the end of one, for example {table.column(known[0])[0].as_py()}"
    return "no step has rows"


def _part(place: Place, name: str) -> pa.Table:
    """One part; `OutputError` for one that is broken."""
    try:
        return read_whole(place, name)
    except pa.ArrowException as error:
        raise OutputError(
            f"{place.url}/{name}: not a whole Parquet file",
            hint="run the same build again: it makes the step anew",
        ) from error


def _rows(place: Place, row: str) -> tuple[dict[str, Any], ...]:
    found: list[dict[str, Any]] = []
    for name in part_names(place):
        table = _part(place, name)
        found += table.filter(_named(table, row)).slice(0, _MOST_ROWS - len(found)).to_pylist()
    return tuple({key: _readable(value) for key, value in one.items()} for one in found)


def _named(table: pa.Table, row: str) -> pa.ChunkedArray | pa.Array:
    """Which rows a person means: those whose id, or whose origin's id, ends so."""
    mask: Any = pa.array([False] * table.num_rows, pa.bool_())
    for name in NAMED:
        if name in table.column_names and pa.types.is_string(table.schema.field(name).type):
            mask = pc.or_(mask, pc.fill_null(pc.ends_with(table.column(name), row), False))
    return mask


def _readable(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value


def _verdict(chapters: tuple[Chapter, ...], last: str) -> str:
    for chapter in chapters:
        said = [row.get(DROPPED) for row in chapter.rows]
        if said and all(said):
            return f"dropped at {chapter.step}: {said[0]}"
    end = chapters[-1].step
    return "kept" if end == last else f"not dropped by a rule; last seen at {end}"


def render(story: InstructionStory, console: Console) -> None:
    """Print a story; long values are shortened, --json has them whole."""
    for chapter in story.chapters:
        console.print(Text.assemble((chapter.step, "bold"), f"  {plain(chapter.about)}"))
        for row in chapter.rows:
            table = Table(box=None, show_header=False, pad_edge=False)
            for key, value in row.items():
                if value is not None and value != []:
                    table.add_row(Text(f"  {key}", "dim"), Text(plain(_short(value))))
            console.print(table)
    console.print(Text.assemble((plain(story.row), "bold"), f": {plain(story.verdict)}"))


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= _MOST_CHARS else f"{text[:_MOST_CHARS]}… ({len(text):,} characters)"
