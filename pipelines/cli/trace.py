"""The command that traces a project's tests into problems."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from columns.files import Place
from columns.tables import write_table
from pipelines import preflight
from pipelines.cli.app import Json, app, print_json
from pipelines.wording import count


@app.command()
def trace(
    project: Annotated[Path, typer.Argument(help="the folder of a project's source code", metavar="PROJECT")],
    output: Annotated[
        str, typer.Option("--output", "-o", help="where problems and the funnel are written", metavar="DIR")
    ],
    python: Annotated[
        Path | None, typer.Option("--python", help="the interpreter that runs the tests (this one)")
    ] = None,
    site_packages: Annotated[
        list[Path] | None,
        typer.Option(
            "--site-packages", help="installed packages that the tests may import (repeatable)", metavar="DIR"
        ),
    ] = None,
    fetch_wheels: Annotated[
        bool,
        typer.Option("--fetch-wheels", help="download wheels of what the project requires; none is built"),
    ] = False,
    name: Annotated[str, typer.Option("--repo", help="the project's name in the rows (the folder's)")] = "",
    commit: Annotated[
        str,
        typer.Option(
            "--commit", help="commit or version in the rows (what is checked out, or the project's version)"
        ),
    ] = "",
    workers: Annotated[int, typer.Option("--workers", help="sandboxes at once; 0 means one per core")] = 0,
    as_json: Json = False,
) -> None:
    """Run a project's tests in the sandbox, trace its functions, and write those that replay as problems with tests.

    Examples:

        thresher trace ~/src/toolz --output build/toolz

        thresher trace ~/src/humanize --output build/humanize --python python3.12 --fetch-wheels
    """
    from instruct.tracing import Project, revision, trace_project

    place = Place(output)
    preflight.check_output(place)
    named = Project(name or project.resolve().name, commit or revision(project))
    found = trace_project(
        project,
        project=named,
        python=_interpreter(python),
        site_packages=site_packages or (),
        fetch=fetch_wheels,
        workers=workers,
    )
    summary = found.summary
    write_table(place, "functions.parquet", found.functions.to_batches(), found.functions.schema)
    write_table(place, "problems.parquet", found.problems.to_batches(), found.problems.schema)
    place.write_bytes("problems.jsonl", _lines(found.problems.to_pylist()))
    place.write_bytes("trace.json", orjson.dumps(summary, option=orjson.OPT_INDENT_2))
    if as_json:
        print_json(summary)
    else:
        _print(Console(), summary)


def _interpreter(python: Path | None) -> Path | None:
    """A program's name is looked up like a shell does it."""
    from shutil import which

    found = which(str(python)) if python is not None else None
    return Path(found) if found else python


def _lines(rows: list[dict[str, Any]]) -> bytes:
    from instruct.problems import humaneval_row

    return b"".join(orjson.dumps(humaneval_row(row)) + b"\n" for row in rows)


def _print(console: Console, summary: dict[str, Any]) -> None:
    for run in summary["commands"]:
        told = (
            run["outcome"] if run["problem"] in ("", "exception") else f"{run['problem']}: {run['outcome']}"
        )
        console.print(
            f"[bold]{escape(run['command'])}[/bold] ({escape(run['from'])}): {escape(told)}", soft_wrap=True
        )
    if summary["problem"]:
        console.print(f"[yellow]{escape(summary['problem'])}[/yellow]")
    if summary["missing"]:
        console.print(f"not installed: {escape(', '.join(summary['missing']))}", soft_wrap=True)
    funnel = summary["funnel"]
    table = Table("step", "functions", "lost there, and why", box=None, header_style="bold", pad_edge=False)
    table.columns[1].justify = "right"
    table.columns[2].overflow = "fold"
    for step, left in funnel["left"].items():
        why = ", ".join(f"{count(n)} {reason}" for reason, n in funnel["lost"].get(step, {}).items())
        table.add_row(step, count(left), escape(why))
    console.print(table)
    console.print(f"{count(summary['problems'])} problems with {count(summary['tests'])} tests")
