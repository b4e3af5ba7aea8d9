"""The manifest of an instruction dataset: recipe, inputs, what every step made and dropped. Written last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from columns.errors import OutputError
from columns.files import Place
from columns.fingerprint import code_fingerprint
from pipelines.dataset import MANIFEST
from pipelines.instruction.benchmarks import checked_against
from pipelines.instruction.recipe import LoadedInstruction
from pipelines.instruction.steps import Context, Step
from pipelines.instruction.systems import system_of
from pipelines.stage import COMMIT, read_json
from pipelines.wording import count, plain

FORMAT = "thresher-instruct/1"
_ROWS = "rows"


def write_manifest(place: Place, loaded: LoadedInstruction, steps: Sequence[Step], context: Context) -> None:
    """Write what the dataset is; the same bytes for the same recipe, inputs and answers."""
    inputs = [
        {"role": role, "name": one.name, "sha256": one.stamp}
        for role, ones in context.inputs.items()
        for one in ones
    ]
    manifest = {
        "format": FORMAT,
        "recipe": loaded.to_dict(),
        "inputs": inputs,
        "suites": checked_against(context.config),
        "steps": [_told(place, step) for step in steps],
        "code": code_fingerprint("columns", "contamination", "instruct", "pipelines.instruction"),
    }
    text = orjson.dumps(manifest, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)
    place.write_bytes(MANIFEST, text)


def _told(place: Place, step: Step) -> dict[str, Any]:
    commit = read_json(place.child(step.name), COMMIT) or {}
    counts = dict(commit.get("counts", {}))
    return {
        "name": step.name,
        "about": step.about,
        "rows": counts.pop(_ROWS, 0),
        "counts": counts,
        "files": commit.get("outputs", []),
    }


def is_instruction_set(place: Place) -> bool:
    """Whether a finished instruction dataset is here; what cannot be read is the command's own error to tell."""
    with suppress(Exception):
        return (read_json(place, MANIFEST) or {}).get("format") == FORMAT
    return False


def read_manifest(place: Place) -> dict[str, Any]:
    """The manifest; `OutputError` where there is none of this kind."""
    found = read_json(place, MANIFEST) or {}
    if found.get("format") != FORMAT:
        raise OutputError(
            f"{place.url}: no finished instruction dataset here", hint="build one: thresher build NAME …"
        )
    return found


def summarise(place: Place) -> dict[str, Any]:
    """Recipe, inputs and steps with their counts, for ``--json``; ``published``: what the paper counted at a step."""
    found = read_manifest(place)
    published = system_of(found["recipe"]["system"]).published
    steps = [
        {key: step[key] for key in ("name", "about", "rows", "counts")}
        | {"files": len(step["files"]), "bytes": sum(one["size"] for one in step["files"])}
        | ({"published": published[step["name"]]} if step["name"] in published else {})
        for step in found["steps"]
    ]
    return {"recipe": found["recipe"]["name"], "inputs": found["inputs"], "steps": steps}


def render(found: Mapping[str, Any], console: Console) -> None:
    """Print a summary: one line per step, and under it what it counted."""
    table = Table("step", "rows", "what", box=None, header_style="bold", pad_edge=False)
    table.columns[1].justify = "right"
    for step in found["steps"]:
        table.add_row(step["name"], count(step["rows"]), step["about"])
        for name, number in sorted(step["counts"].items()):
            table.add_row("", Text(count(number), "dim"), Text(plain(name), "dim"))
        if "published" in step:
            table.add_row("", "", Text(f"published: {step['published']}", "green"))
    console.print(table)
