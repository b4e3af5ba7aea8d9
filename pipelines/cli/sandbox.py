"""The command that says how programs are isolated on this machine."""

from __future__ import annotations

from dataclasses import asdict

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from instruct.sandbox import isolation_problem
from instruct.sandbox.parts import parts
from pipelines.cli.app import Json, app, print_json


@app.command()
def sandbox(as_json: Json = False) -> None:
    """Say whether programs can be run in isolation on this machine, and which parts of it are on.

    Exit code 2 where they cannot: what is missing, and what to install. There is no way to run them without.

    Examples:

        thresher sandbox

        thresher sandbox --json
    """
    found = parts()
    problem = isolation_problem()
    if as_json:
        print_json({"available": problem is None, "parts": [asdict(part) for part in found]})
    else:
        table = Table(box=None, pad_edge=False, show_header=False)
        for part in found:
            table.add_row(
                "[green]on[/green]" if part.on else "[red]off[/red]", escape(part.name), escape(part.detail)
            )
        Console().print(table)
    if problem is not None:
        raise problem
