"""The commands that ask of stored facts what other rules would do: what-if, compare, diff and sample."""

from __future__ import annotations

import dataclasses
import difflib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
import yaml
from rich.console import Console
from rich.markup import escape

from columns.errors import OutputError, RecipeError
from columns.files import Place
from filters import load_preset, preset_names
from pipelines import compare as comparing
from pipelines import diff as differing
from pipelines import sampling, whatif
from pipelines.cli.app import Changes, DatasetDir, Json, app, print_json
from pipelines.families import known_facts
from pipelines.finished import Finished
from pipelines.recipe import LoadedRecipe, Recipe, load_recipe, recorded_recipe
from pipelines.recipefile import recipe_names
from pipelines.sections import FilterSection
from pipelines.settings import unmeasured
from pipelines.stored import Stored

Examples = Annotated[int, typer.Option(help="example files to show each way", min=0)]


@app.command("what-if")
def what_if(
    directory: DatasetDir,
    changes: Changes = None,
    recipe: Annotated[
        str | None, typer.Option("--recipe", help="another recipe, in the place of the dataset's own")
    ] = None,
    examples: Examples = whatif.EXAMPLES,
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
    _check_rules(changes or (), load_recipe(recipe) if recipe else recorded_recipe(section))
    changed = load_recipe(recipe, changes or ()) if recipe else recorded_recipe(section, changes or ())
    _check_measured(changed.recipe, section["name"], directory)
    found = whatif.what_if(place, recorded_recipe(section).recipe, changed.recipe, examples=examples)
    if as_json:
        print_json(found.to_dict())
    else:
        whatif.render(found, Console())


def _check_rules(changes: Sequence[str], loaded: LoadedRecipe) -> None:
    """`RecipeError` for a --set of a rule that the recipe does not have, or of a threshold that is no number."""
    keys = dict(text.partition("=")[::2] for text in changes)
    preset = keys.get("filters.preset", loaded.recipe.filters.preset)
    rules = {rule.name: rule for rule in load_preset(preset).rules} if preset in preset_names() else {}
    known = {field.name for field in dataclasses.fields(FilterSection)}
    for key, value in keys.items():
        section, _, name = key.strip().partition(".")
        if section != "filters" or "." in name or name in known:
            continue
        if name not in rules:
            near = difflib.get_close_matches(name, [*rules, *known], 1)
            hint = f"did you mean filters.{near[0]}?" if near else f"its rules: thresher recipes {preset}"
            raise RecipeError(f"--set {key}={value}: the recipe has no rule {name}", hint=hint)
        if rules[name].op in ("gt", "ge", "lt", "le") and not _is_threshold(value):
            hint = f"now: {rules[name]}; for example: --set {key}=0.5, or {key}=off"
            raise RecipeError(f"--set {key}={value}: expected a number, or off", hint=hint)


def _is_threshold(text: str) -> bool:
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return False
    return value is None or value is False or (isinstance(value, int | float) and not isinstance(value, bool))


def _check_measured(recipe: Recipe, built: str, directory: str) -> None:
    """`RecipeError` when a rule needs a fact that is not stored: names the command, or the nearest fact there is."""
    stored = Stored.open(Place(directory)).schema.names
    for rule, facts in unmeasured(recipe.rules(), stored)[:1]:
        what = f"rule {rule}: {', '.join(facts)} is not measured in {directory}"
        again = f"thresher build {built} --input … --output {directory} --set 'filters.measure=[all]'"
        hint = f"repeat the build with everything measured: {again}"
        for fact in sorted(set(facts) - known_facts()):
            what = f"rule {rule}: there is no fact {fact}"
            near = difflib.get_close_matches(fact, sorted(known_facts()), 1)
            hint = f"did you mean {near[0]}?" if near else "the facts of a file: thresher explain DIR FILE"
        raise RecipeError(what, hint=hint)


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
    found = comparing.compare(Place(directory), {name: load_recipe(name).recipe for name in names})
    if as_json:
        print_json(found.to_dict())
    else:
        comparing.render(found, Console(), by_bytes=by_bytes)


@app.command()
def diff(
    before: Annotated[str, typer.Argument(help="a dataset's directory", metavar="RUN_A")],
    after: Annotated[str, typer.Argument(help="another one", metavar="RUN_B")],
    examples: Examples = differing.EXAMPLES,
    as_json: Json = False,
) -> None:
    """Say which files changed their verdict between two datasets, and why; --json lists every file, one per line.

    Example:

        thresher diff build/june build/july
    """
    found = differing.diff(Place(before), Place(after), examples=examples)
    if not as_json:
        differing.render(found, Console())
        return
    sys.stdout.buffer.write(_json_line({"summary": found.to_dict()}))
    for change in found.changes():
        sys.stdout.buffer.write(_json_line(change))


def _json_line(value: Any) -> bytes:
    return orjson.dumps(value, default=str, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


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
