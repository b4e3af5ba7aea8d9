"""The command line: ``thresher``, also ``python -m pipelines``."""

from __future__ import annotations

import io
import shlex
import shutil
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from columns.errors import ThresherError
from columns.files import Place
from pipelines import story, summary
from pipelines.build import STAGES, Build, BuildOptions
from pipelines.engine import Engine
from pipelines.progress import Display
from pipelines.recipe import LoadedRecipe, load_recipe
from pipelines.recipefile import recipe_names

app = typer.Typer(
    name="thresher",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_show_locals=False,
    help="Turn source code into a training set, and be able to say why each file is or is not in it.",
    epilog="Try: **thresher recipes**, then **thresher build codex --input DIR --output build/mine**",
)
BEAM = {"allow_extra_args": True, "ignore_unknown_options": True}

RecipeName = Annotated[str, typer.Argument(help="a built-in recipe's name, or a YAML file", metavar="RECIPE")]
Inputs = Annotated[
    list[str],
    typer.Option(
        "--input",
        "-i",
        help="directory, git repository (git:PATH or URL[@REF]), Parquet or JSONL; repeatable",
    ),
]
StageInputs = Annotated[
    list[str] | None, typer.Option("--input", "-i", help="what ingest reads; as for build")
]
Output = Annotated[str, typer.Option("--output", "-o", help="the dataset's directory, on any filesystem")]
Runner = Annotated[str, typer.Option(help="Beam runner; unknown options are handed to it")]
Workers = Annotated[int, typer.Option(help="local workers; 0 means one per core", min=0)]
Mode = Annotated[str, typer.Option(help="local workers are 'threads' or 'processes'")]
BatchMb = Annotated[
    int, typer.Option(help="text per batch, in MB; changes speed and memory, never the result", min=1)
]
Columns = Annotated[
    list[str] | None,
    typer.Option("--column", help="map a source column: content=body (repeatable)", metavar="OURS=THEIRS"),
]
Json = Annotated[bool, typer.Option("--json", help="print JSON for machines")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="print nothing but errors")]
DatasetDir = Annotated[str, typer.Argument(help="a dataset's directory", metavar="DIR")]


def _say_version(value: bool) -> None:
    if value:
        print(f"thresher {version('thresher')}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    pass


def _build(
    context: typer.Context,
    recipe: str,
    inputs: list[str],
    output: str,
    runner: str,
    workers: int,
    mode: str,
    batch_mb: int,
    columns: list[str] | None,
    quiet: bool,
    stages: tuple[str, ...],
) -> Build:
    if mode not in {"threads", "processes"}:
        raise typer.BadParameter(f"expected threads or processes, got {mode}", param_hint="--mode")
    loaded = load_recipe(recipe)
    display = Display(Console(), quiet=quiet)
    engine = Engine(runner, workers, mode, tuple(context.args), batch_mb << 20)
    options = BuildOptions(tuple(inputs), Place(output), tuple(columns or ()), stages)
    return Build(loaded, options, engine, display)


@app.command(context_settings=BEAM)
def build(
    context: typer.Context,
    recipe: RecipeName,
    inputs: Inputs,
    output: Output,
    runner: Runner = "DirectRunner",
    workers: Workers = 0,
    mode: Mode = "threads",
    batch_mb: BatchMb = 8,
    column: Columns = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Do the whole job: ingest, measure, link, decide, shard, manifest and report.

    Finished stages are kept: run the same command again after an interruption, or after changing the recipe.

    Examples:

        thresher build codex --input ~/src --output build/mine

        thresher build my.yaml -i git:https://host/repo.git@main -i 'parquet:stack/*.parquet' -o gs://bucket/set
            --runner DataflowRunner --project my-project --region europe-west4
    """
    job = _build(
        context, recipe, inputs, output, runner, workers, mode, batch_mb, column, quiet or as_json, STAGES
    )
    job.run()
    _show(summary.summarise(Place(output)), as_json=as_json, quiet=quiet)
    if not (quiet or as_json):
        _next_steps(output, Console())


@app.command(context_settings=BEAM)
def run(
    context: typer.Context,
    stage: Annotated[str, typer.Argument(help=" | ".join(STAGES))],
    recipe: RecipeName,
    output: Output,
    inputs: StageInputs = None,
    runner: Runner = "DirectRunner",
    workers: Workers = 0,
    mode: Mode = "threads",
    batch_mb: BatchMb = 8,
    column: Columns = None,
    quiet: Quiet = False,
) -> None:
    """Run one stage (ingest, measure, link, decide or shard); the stages before it must be finished.

    Example:

        thresher run measure codex --input ~/src --output build/mine
    """
    if stage not in STAGES:
        raise typer.BadParameter(f"expected one of {', '.join(STAGES)}, got {stage}", param_hint="STAGE")
    if stage == "ingest" and not inputs:
        raise typer.BadParameter("ingest needs at least one", param_hint="--input")
    _build(
        context, recipe, inputs or [], output, runner, workers, mode, batch_mb, column, quiet, (stage,)
    ).run()


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
        _print_recipe(load_recipe(name), as_json=as_json)
        return
    found = {known: load_recipe(known).recipe.about for known in recipe_names()}
    if as_json:
        _print_json(found)
        return
    table = Table("recipe", "what it builds", box=None, header_style="bold")
    for known, about in found.items():
        table.add_row(known, about)
    Console().print(table)


def _print_recipe(loaded: LoadedRecipe, *, as_json: bool) -> None:
    rows = list(loaded.values())
    if as_json:
        _print_json([{"key": k, "value": v, "status": n.status, "source": n.source} for k, v, n in rows])
        return
    console = Console()
    console.print(f"[bold]{escape(loaded.recipe.name)}[/bold]: {escape(loaded.recipe.about)}")
    table = Table("value of", "is", "status", "source", box=None, header_style="bold", pad_edge=False)
    colours = {"published": "green", "de-facto": "yellow", "ours": "cyan"}
    for key, value, note in rows:
        shown = ", ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
        table.add_row(
            key, escape(shown), f"[{colours.get(note.status, '')}]{note.status}[/]", escape(note.source)
        )
    console.print(table)


@app.command()
def explain(
    directory: DatasetDir,
    file: Annotated[str, typer.Argument(help="path, end of a path, repo:path or doc id")],
    as_json: Json = False,
) -> None:
    """Tell one file's whole story: signals, thresholds, verdict, duplicates, overlaps, where its tokens are.

    Example:

        thresher explain build/demo json/decoder.py
    """
    told = story.tell(Place(directory), file)
    if as_json:
        _print_json(told.to_dict())
    else:
        story.render(told, Console())


@app.command()
def inspect(directory: DatasetDir, as_json: Json = False) -> None:
    """Print a dataset's funnel and totals.

    Example:

        thresher inspect build/demo --json | jq .tokens
    """
    _show(summary.summarise(Place(directory)), as_json=as_json, quiet=False)


def _show(found: dict[str, Any], *, as_json: bool, quiet: bool) -> None:
    if as_json:
        _print_json(found)
    elif not quiet:
        summary.render(found, Console())


def _next_steps(output: str, console: Console) -> None:
    path = Path(output)
    shown = output if "://" in output else str(path)
    console.print(f"\ndataset: [bold]{escape(shown)}[/bold]\n\ntry next:")
    for command in _commands(shown):
        console.print(f"  {escape(command)}", soft_wrap=True, highlight=False)


def _commands(shown: str) -> tuple[str, ...]:
    program, viewer = _program(), "open" if sys.platform == "darwin" else "xdg-open"
    file = shlex.quote(summary.example_file(Place(shown)))
    place = shlex.quote(shown)
    return (
        f"{program} explain {place} {file}",
        f"{program} inspect {place} --json",
        f"{viewer} {place}/report.html",
    )


def _program() -> str:
    """How this program can be started again from here: by name where it is on the path, else by its file."""
    started = Path(sys.argv[0])
    if started.name != "thresher":
        return "python -m pipelines"
    found = shutil.which("thresher")
    if found is None or Path(found).resolve() != started.resolve():
        here = started.absolute()
        return str(here.relative_to(Path.cwd())) if here.is_relative_to(Path.cwd()) else str(here)
    return "thresher"


def _print_json(value: Any) -> None:
    text = orjson.dumps(value, default=str, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)
    sys.stdout.write(text.decode() + "\n")


def main() -> None:
    """Run the command line; a user's mistake is one clear line and exit code 2, never a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        app(prog_name="thresher")
    except ThresherError as error:
        console = Console(stderr=True)
        console.print(f"[red]error:[/red] {escape(error.what)}", highlight=False, soft_wrap=True)
        if error.hint:
            console.print(f"[cyan]hint:[/cyan] {escape(error.hint)}", highlight=False, soft_wrap=True)
        sys.exit(2)
    except BrokenPipeError:
        sys.exit(0)
