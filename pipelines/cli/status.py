"""The command that tells how a job stands: status."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from columns.files import Place
from pipelines import status as state
from pipelines.cli.app import Json, app, print_json

Root = Annotated[str, typer.Argument(help="the directory that was given as --output", metavar="DIR")]


@app.command()
def status(directory: Root, as_json: Json = False) -> None:
    """Tell how the last job of a dataset stands, what it marked and dropped, and what to do next.

    Exit code: 0 finished, 3 running, 2 failed, interrupted or unfinished. Reads only files in DIR.

    Example:

        thresher status build/mine
    """
    found = state.status(Place(directory))
    if as_json:
        print_json(found.to_dict())
    else:
        Console().print("\n".join(state.lines(found)), markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(found.exit_code)
