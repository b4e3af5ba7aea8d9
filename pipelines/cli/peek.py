"""The command peek: what the shards of a dataset spell."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from columns.files import Place
from pipelines import peek as looking
from pipelines.cli.app import DatasetDir, Json, app, print_json


@app.command()
def peek(
    directory: DatasetDir,
    number: Annotated[int, typer.Option("--n", "-n", help="rows to show", min=1)] = 3,
    seed: Annotated[int, typer.Option(help="another seed, other rows")] = 0,
    doc: Annotated[
        str | None,
        typer.Option(
            help="show one document instead: path, end of a path, repo:path or doc id", metavar="PATH"
        ),
    ] = None,
    lines: Annotated[int, typer.Option(help="lines to show of each piece; 0 for all", min=0)] = looking.LINES,
    as_json: Json = False,
) -> None:
    """Show decoded rows of the shards: document by document, with special tokens and padding.

    Examples:

        thresher peek build/demo --n 5

        thresher peek build/demo --doc json/decoder.py --lines 0
    """
    place = Place(directory)
    rows = looking.peek(place, number, seed) if doc is None else looking.peek_document(place, doc)
    if as_json:
        print_json([row.to_dict() for row in rows])
    else:
        looking.render(rows, Console(), lines=lines or None)
