"""The commands that look: recipes, curve, explain and inspect."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from columns.files import Place
from pipelines import story, summary
from pipelines.cli.app import Changes, DatasetDir, Json, app, print_json
from pipelines.cli.instruction import show_instruction
from pipelines.instruction import story as instruction_story
from pipelines.instruction.manifest import is_instruction_set
from pipelines.instruction.recipe import (
    LoadedInstruction,
    instruction_names,
    is_instruction,
    load_instruction,
)
from pipelines.promise import chosen_bands, curve_of, near_duplicates
from pipelines.recipe import LoadedRecipe, load_recipe
from pipelines.recipefile import Note, recipe_names
from pipelines.status import kernel_seconds, kernels_line

LISTED = 6


@app.command()
def recipes(
    name: Annotated[str | None, typer.Argument(help="a recipe to print", autocompletion=recipe_names)] = None,
    as_json: Json = False,
) -> None:
    """List the built-in recipes, or print one with the source of every value.

    Examples:

        thresher recipes

        thresher recipes codex
    """
    if name is not None:
        _print_recipe(load_instruction(name) if is_instruction(name) else load_recipe(name), as_json=as_json)
        return
    found = {known: load_recipe(known).recipe.about for known in recipe_names()}
    made = {known: load_instruction(known).recipe.about for known in instruction_names()}
    if as_json:
        print_json({**found, **made})
        return
    for title, some in (("recipe", found), ("instruction data", made)):
        table = Table(title, "what it builds", box=None, header_style="bold")
        for known, about in some.items():
            table.add_row(known, about)
        Console().print(table)


def _print_recipe(loaded: LoadedRecipe | LoadedInstruction, *, as_json: bool) -> None:
    rows = list(loaded.values())
    if as_json:
        print_json([{"key": k, "value": v, "status": n.status, "source": n.source} for k, v, n in rows])
        return
    console = Console()
    console.print(f"[bold]{escape(loaded.recipe.name)}[/bold]: {escape(loaded.recipe.about)}")
    table = Table("value of", "is", "status", "source", box=None, header_style="bold", pad_edge=False)
    for key, value, note in sorted(rows, key=_place):
        table.add_row(
            key,
            escape(_shown(value)),
            f"[{summary.COLOURS.get(note.status, '')}]{note.status}[/]",
            escape(note.source),
        )
    console.print(table)


def _place(row: tuple[str, Any, Note]) -> int:
    """Rules first, then what the recipe says, then what it leaves as it is."""
    key, _, note = row
    return 0 if key.startswith("filters.") else 2 if note == Note() else 1


def _shown(value: Any) -> str:
    if not isinstance(value, tuple | list):
        return str(value)
    more = f" and {len(value) - LISTED} more" if len(value) > LISTED else ""
    return ", ".join(map(str, value[:LISTED])) + more


@app.command()
def curve(
    recipe: Annotated[
        str | None, typer.Argument(help="a recipe whose bands are shown", metavar="RECIPE")
    ] = None,
    threshold: Annotated[float, typer.Option(help="similarity to choose bands for", min=0, max=1)] = 0.7,
    num_perm: Annotated[int, typer.Option(help="values of a signature", min=1, max=4096)] = 256,
    least_recall: Annotated[
        float,
        typer.Option(help="share of the pairs at the threshold that must become candidates", min=0, max=1),
    ] = 0.99,
    changes: Changes = None,
    as_json: Json = False,
) -> None:
    """Show which pairs bands find, miss and compare needlessly: a recipe's, or the best ones for a threshold.

    Examples:

        thresher curve codex

        thresher curve --threshold 0.8 --num-perm 128 --least-recall 0.95
    """
    if recipe is None:
        section = chosen_bands(threshold, num_perm, least_recall)
    else:
        section = load_recipe(recipe, changes or ()).recipe.dedup
    if as_json:
        print_json(curve_of(section))
    else:
        Console().print("\n".join(near_duplicates(section)), markup=False, highlight=False)


@app.command()
def explain(
    directory: DatasetDir,
    file: Annotated[
        str, typer.Argument(help="path, end of a path, repo:path or doc id; of instruction data an id")
    ],
    as_json: Json = False,
) -> None:
    """Tell one file's whole story: rules, facts, verdict, duplicates, overlaps, where its tokens are.

    Example:

        thresher explain build/demo json/decoder.py
    """
    if is_instruction_set(Place(directory)):
        row = instruction_story.tell(Place(directory), file)
        if as_json:
            print_json(row.to_dict())
        else:
            instruction_story.render(row, Console())
        return
    told = story.tell(Place(directory), file)
    if as_json:
        print_json(told.to_dict())
    else:
        story.render(told, Console())


@app.command()
def inspect(directory: DatasetDir, as_json: Json = False) -> None:
    """Print a dataset's funnel and totals.

    Example:

        thresher inspect build/demo --json | jq .tokens
    """
    if is_instruction_set(Place(directory)):
        show_instruction(directory, as_json=as_json, quiet=False)
        return
    found, kernels = summary.summarise(Place(directory)), kernel_seconds(Place(directory))
    if as_json:
        print_json({**found, "kernels": kernels})
        return
    console = Console()
    summary.render(found, console)
    if kernels:
        console.print(f"[bold]kernels[/bold]    {kernels_line(kernels)}", highlight=False)
