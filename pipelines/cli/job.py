"""The commands that do the job: build and run."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from columns.files import Place
from columns.fingerprint import fingerprint
from columns.versions import current_place
from pipelines import summary
from pipelines.build import STAGES, Build, BuildOptions
from pipelines.cli.access import AccessFile, MaxBilled, Yes, access_of
from pipelines.cli.app import Changes, Json, app, print_json
from pipelines.cli.instruction import (
    Models,
    Spending,
    build_instruction,
    is_instruction,
    model_access,
    show_instruction,
)
from pipelines.cli.watching import LogKind, ProgressKind, Watching, watched
from pipelines.engine import Engine
from pipelines.finished import Finished
from pipelines.recipe import load_recipe
from sources import Access

BEAM = {"allow_extra_args": True, "ignore_unknown_options": True}

RecipeName = Annotated[str, typer.Argument(help="a built-in recipe's name, or a YAML file", metavar="RECIPE")]
Inputs = Annotated[
    list[str],
    typer.Option(
        "--input",
        "-i",
        help="directory, git repository (git:PATH or URL[@REF]), Parquet, JSONL, archive, github:LIST or "
        "bigquery:TABLE; repeatable (docs/inputs.md)",
    ),
]
BuildInputs = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        "-i",
        help="directory, git repository (git:PATH or URL[@REF]), Parquet, JSONL, archive, github:LIST or "
        "bigquery:TABLE (docs/inputs.md); for instruction data ROLE=PATH; repeatable",
    ),
]
StageInputs = Annotated[
    list[str] | None, typer.Option("--input", "-i", help="what ingest reads; as for build")
]
Output = Annotated[str, typer.Option("--output", "-o", help="the dataset's directory, on any filesystem")]
Runner = Annotated[
    str, typer.Option(help="direct, portable or dataflow (docs/engines.md); unknown options are handed to it")
]
Workers = Annotated[int, typer.Option(help="workers on this machine; 0 means one per core", min=0)]
Mode = Annotated[str, typer.Option(help="local workers are 'threads' or 'processes'")]
BatchMb = Annotated[
    int, typer.Option(help="text per batch, in MB; changes speed and memory, never the result", min=1)
]
Columns = Annotated[
    list[str] | None,
    typer.Option("--column", help="map a source column: content=body (repeatable)", metavar="OURS=THEIRS"),
]
Reuse = Annotated[
    str | None,
    typer.Option("--reuse", help="an older dataset: only texts that it has not are measured", metavar="DIR"),
]
Against = Annotated[
    list[str] | None,
    typer.Option(
        "--against",
        help="what you already have: the folder of an index, or redis://HOST?basename=NAME (repeatable)",
        metavar="INDEX",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="print nothing but errors")]


def _build(
    recipe: str,
    inputs: list[str],
    output: str,
    engine: Engine,
    columns: list[str] | None,
    changes: list[str] | None,
    watching: Watching,
    stages: tuple[str, ...],
    reuse: str | None = None,
    against: list[str] | None = None,
    access: Access | None = None,
) -> Build:
    loaded = load_recipe(recipe, changes or ())
    old = current_place(Place(reuse)) if reuse else None
    options = BuildOptions(
        tuple(inputs),
        Place(output),
        tuple(columns or ()),
        stages,
        old,
        tuple(against or ()),
        access or Access(),
    )
    return Build(loaded, options, engine, watching.display, alone=True)


def _engine(
    context: typer.Context,
    output: str,
    runner: str,
    workers: int,
    mode: str,
    batch_mb: int,
    watching: Watching,
) -> Engine:
    if mode not in {"threads", "processes"}:
        raise typer.BadParameter(f"expected threads or processes, got {mode}", param_hint="--mode")
    purpose = fingerprint(output)[:8]
    return Engine(runner, workers, mode, tuple(context.args), batch_mb << 20, purpose, watching.book)


@app.command(context_settings=BEAM)
def build(
    context: typer.Context,
    recipe: RecipeName,
    output: Output,
    inputs: BuildInputs = None,
    runner: Runner = "DirectRunner",
    workers: Workers = 0,
    mode: Mode = "threads",
    batch_mb: BatchMb = 8,
    column: Columns = None,
    changes: Changes = None,
    reuse: Reuse = None,
    against: Against = None,
    access: AccessFile = None,
    max_bytes_billed: MaxBilled = None,
    yes: Yes = False,
    model: Models = None,
    budget: Spending = None,
    as_json: Json = False,
    quiet: Quiet = False,
    progress: ProgressKind = "bar",
    log: LogKind = "text",
) -> None:
    """Do the whole job: ingest, measure, link, decide, shard, manifest and report.

    Finished stages are kept: run the same command again after an interruption, or after changing the recipe.

    Examples:

        thresher build codex --input ~/src --output build/mine

        thresher build my.yaml -i git:https://host/repo.git@main -i 'parquet:stack/*.parquet' -o gs://bucket/set
            --runner DataflowRunner --project my-project --region europe-west4

        thresher build pangu-coder2 -i seeds=alpaca.json --model teacher=answers.jsonl
            --model student=http://127.0.0.1:8000/v1 -o build/pangu
    """
    made = _is_made(recipe, inputs, [*(model or ()), *(budget or ())])
    silent = quiet or as_json
    with watched(Place(output), quiet=silent, progress=progress, log=log) as watching:
        engine = _engine(context, output, runner, workers, mode, batch_mb, watching)
        if made:
            asked = model_access(model or (), budget or ())
            build_instruction(recipe, changes or (), inputs or (), output, asked, engine, watching.display)
        else:
            services = access_of(access, max_bytes_billed, yes, quiet=silent)
            _build(
                recipe,
                inputs or [],
                output,
                engine,
                column,
                changes,
                watching,
                STAGES,
                reuse,
                against,
                services,
            ).run()
    _show(output, made=made, as_json=as_json, quiet=quiet)


def _is_made(recipe: str, inputs: list[str] | None, asked: list[str]) -> bool:
    """Whether a recipe is of instruction data; refuses options that its kind does not know, and a build of nothing."""
    made = is_instruction(recipe)
    if asked and not made:
        raise typer.BadParameter(f"recipe {recipe} asks no model", param_hint="--model, --budget")
    if not (inputs or made):
        raise typer.BadParameter("expected at least one", param_hint="--input")
    return made


def _show(output: str, *, made: bool, as_json: bool, quiet: bool) -> None:
    """Print what was built, and what can be asked of it."""
    if made:
        show_instruction(output, as_json=as_json, quiet=quiet)
        return
    found = summary.summarise(Place(output))
    if as_json:
        print_json(found)
    elif not quiet:
        summary.render(found, Console())
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
    changes: Changes = None,
    against: Against = None,
    access: AccessFile = None,
    max_bytes_billed: MaxBilled = None,
    yes: Yes = False,
    quiet: Quiet = False,
    progress: ProgressKind = "bar",
    log: LogKind = "text",
) -> None:
    """Run one stage (ingest, measure, link, decide or shard); the stages before it must be finished.

    Example:

        thresher run measure codex --input ~/src --output build/mine
    """
    if stage not in STAGES:
        raise typer.BadParameter(f"expected one of {', '.join(STAGES)}, got {stage}", param_hint="STAGE")
    if stage == "ingest" and not inputs:
        raise typer.BadParameter("ingest needs at least one", param_hint="--input")
    with watched(Place(output), quiet=quiet, progress=progress, log=log) as watching:
        engine = _engine(context, output, runner, workers, mode, batch_mb, watching)
        services = access_of(access, max_bytes_billed, yes, quiet=quiet)
        stages = (stage,)
        _build(
            recipe, inputs or [], output, engine, column, changes, watching, stages, None, against, services
        ).run()


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
        *([f"{program} what-if {place} --set {shlex.quote(change)}"] if (change := _change(shown)) else []),
        f"{program} compare {place}",
        f"{viewer} {place}/report.html",
    )


def _change(shown: str) -> str:
    """A change of the recipe to try: lines half as long; empty where no rule is about the longest line."""
    rules = [rule for rule in Finished.open(Place(shown)).rules() if rule.name == "line_max" and rule.value]
    return f"filters.line_max={rules[0].value // 2}" if rules else ""


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
