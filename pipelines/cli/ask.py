"""The commands that ask of stored facts what other rules would do: what-if, compare, diff and sample."""

from __future__ import annotations

import dataclasses
import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.markup import escape

from columns.errors import OutputError
from columns.files import Place
from pipelines import compare as comparing
from pipelines import diff as differing
from pipelines import sampling, whatif
from pipelines.cli.app import Changes, DatasetDir, Json, TrustOwn, app, current_directory, print_json
from pipelines.finished import Finished
from pipelines.recipe import load_recipe, recorded_recipe
from pipelines.recipefile import recipe_names

Examples = Annotated[int, typer.Option(help="example files to show each way", min=0)]


@app.command("what-if")
def what_if(
    directory: DatasetDir,
    changes: Changes = None,
    recipe: Annotated[
        str | None, typer.Option("--recipe", help="another recipe, in the place of the dataset's own")
    ] = None,
    examples: Examples = whatif.EXAMPLES,
    trust_own_code: TrustOwn = False,
    as_json: Json = False,
) -> None:
    """Say what another threshold, rule or recipe would keep and drop, from stored facts, in seconds.

    No content is read and nothing is written. Tokens of files that have none yet are estimated ("about").

    Examples:

        thresher what-if build/demo --set filters.line_max=800 --set filters.low_alnum=off

        thresher what-if build/demo --recipe mine.yaml
    """
    if not changes and recipe is None:
        raise typer.BadParameter("nothing to change: give --set or --recipe", param_hint="--set")
    place = Place(directory)
    section = Finished.open(place).section("recipe")
    recorded = partial(recorded_recipe, section, trust_own=trust_own_code)
    changed = load_recipe(recipe, changes or ()) if recipe else recorded(changes or ())
    found = whatif.what_if(place, recorded().recipe, changed.recipe, examples=examples)
    if as_json:
        print_json(found.to_dict())
    else:
        whatif.render(found, Console())


@app.command()
def compare(
    directory: DatasetDir,
    recipes: Annotated[
        str, typer.Option("--recipes", help="names or YAML files, separated by commas", metavar="NAME,NAME")
    ] = "",
    by_bytes: Annotated[bool, typer.Option("--bytes", help="print the shares of bytes as well")] = False,
    as_json: Json = False,
) -> None:
    """Print what each recipe would keep of the same files, by language. Without --recipes: all built-in ones.

    No content is read and nothing is written. As many languages are shown as fit the terminal; --json has all.

    Example:

        thresher compare build/demo --recipes codex,starcoder,opencoder
    """
    names = [name.strip() for name in recipes.split(",") if name.strip()] or recipe_names()
    found = comparing.compare(_readable(directory), {name: load_recipe(name).recipe for name in names})
    if as_json:
        print_json(found.to_dict())
    else:
        comparing.render(found, Console(), by_bytes=by_bytes)


def _readable(directory: str) -> Place:
    """A place that can be listed; a build that stopped before its manifest can be compared too."""
    place = Place(directory)
    try:
        place.exists("manifest.json")
    except Exception as problem:
        said = " ".join(str(problem).split())
        raise OutputError(
            f"{directory}: cannot be read: {said}", hint="check the path and your login"
        ) from problem
    return place


@app.command()
def diff(
    before: Annotated[
        str, typer.Argument(help="a dataset's directory", metavar="RUN_A", callback=current_directory)
    ],
    after: Annotated[str, typer.Argument(help="another one", metavar="RUN_B", callback=current_directory)],
    examples: Examples = differing.EXAMPLES,
    trust_own_code: TrustOwn = False,
    as_json: Json = False,
) -> None:
    """Say which files changed their verdict between two datasets, and why; --json lists every file, one per line.

    Example:

        thresher diff build/june build/july
    """
    found = differing.diff(Place(before), Place(after), examples=examples, trust_own=trust_own_code)
    if not as_json:
        differing.render(found, Console())
        return
    sys.stdout.write(_json_line({"summary": found.to_dict()}))
    for change in found.changes():
        sys.stdout.write(_json_line(change))


def _json_line(value: Any) -> str:
    return orjson.dumps(value, default=str, option=orjson.OPT_SORT_KEYS).decode() + "\n"


@app.command()
def sample(
    directory: DatasetDir,
    rule: Annotated[str, typer.Option(help="a rule, or 'kept'")] = "",
    n: Annotated[int, typer.Option("--n", help="files on the sheet", min=1)] = 50,
    seed: Annotated[int, typer.Option(help="another seed draws other files")] = 0,
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            help="the sheet: .html, to label in a browser, or .csv; without it both, named by the rule",
        ),
    ] = "",
    labels: Annotated[
        str, typer.Option(help="a labelled sheet (.csv) to read back: prints the rule's precision")
    ] = "",
    as_json: Json = False,
) -> None:
    """Write a sheet of files that a rule drops, to be looked at; or read the labels back: how often is it right?

    Examples:

        thresher sample build/demo --rule line_max --n 50 --output line_max.html

        thresher sample build/demo --labels line_max-labels.csv
    """
    if bool(rule) == bool(labels):
        raise typer.BadParameter("expected one of --rule and --labels", param_hint="--rule")
    if labels:
        _estimate(labels, as_json=as_json)
        return
    sheet = sampling.draw(Place(directory), rule, n, seed)
    targets = [Path(output)] if output else [Path(f"{rule}.html"), Path(f"{rule}.csv")]
    for target in targets:
        _write(sheet, target)
    written = [str(target) for target in targets]
    if as_json:
        print_json({"rule": rule, "files": len(sheet.items), "of": sheet.population, "sheets": written})
        return
    lines = [
        f"{' and '.join(written)}: {len(sheet.items)} of {sheet.population:,} files",
        f"label each file, save the labels, then: thresher sample {directory} --labels FILE.csv",
    ]
    Console().print(escape("\n".join(lines)), highlight=False, soft_wrap=True)


def _write(sheet: sampling.Sheet, target: Path) -> None:
    writers = {".html": sampling.write_html, ".csv": sampling.write_csv}
    if target.suffix not in writers:
        raise OutputError(
            f"--output {target}: expected .html or .csv", hint=f"for example: {sheet.rule}.html"
        )
    try:
        writers[target.suffix](sheet, target)
    except OSError as error:
        raise OutputError(
            f"{target}: cannot be written: {error.strerror}", hint="choose another --output"
        ) from error


def _estimate(labels: str, *, as_json: bool) -> None:
    found = sampling.estimate(sampling.read_labels(labels))
    if as_json:
        print_json(dataclasses.asdict(found))
    else:
        sampling.render(found, Console())
