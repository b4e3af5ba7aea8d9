"""The command verify: whether a dataset is whole and holds what it says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from columns.files import Place
from pipelines.cli.app import DatasetDir, Json, app, print_json
from pipelines.instruction.manifest import is_instruction_set
from pipelines.instruction.verification import verify_instruction
from pipelines.verification import Check, verify_dataset
from pipelines.verification.check import Watch
from pipelines.verification.run import SAMPLE
from pipelines.wording import counted, plain

_COLUMNS = (SpinnerColumn(), TextColumn("{task.description:<12}"), BarColumn(), MofNCompleteColumn())


@app.command()
def verify(
    directory: DatasetDir,
    sample: Annotated[
        str,
        typer.Option(
            help="how many documents are decoded and compared with their text: a number, or all",
            metavar="N|all",
        ),
    ] = str(SAMPLE),
    as_json: Json = False,
) -> None:
    """Check a dataset: checksums, counts, spans, that every survivor is in it and nothing else, and texts of a sample.

    Exit code 0 when all is well, 1 when something is wrong, 2 when this is no dataset.

    Examples:

        thresher verify build/demo

        thresher verify build/demo --sample all --json
    """
    wanted = _number(sample)
    if is_instruction_set(Place(directory)):
        _tell(verify_instruction(Place(directory)), as_json=as_json)
    with _bar(shown=not as_json) as watch:
        checks = verify_dataset(Place(directory), sample=wanted, watch=watch)
    _tell(checks, as_json=as_json)


def _tell(checks: list[Check], *, as_json: bool) -> NoReturn:
    """Print what was found, and end with its exit code."""
    passed = all(check.passed for check in checks)
    if as_json:
        print_json({"passed": passed, "checks": [check.to_dict() for check in checks]})
    else:
        _print(checks, Console())
    raise typer.Exit(0 if passed else 1)


def _number(sample: str) -> int | None:
    if sample == "all":
        return None
    if not sample.isdecimal():
        raise typer.BadParameter(f"expected a number or all, got {sample}", param_hint="--sample")
    return int(sample)


@contextmanager
def _bar(*, shown: bool) -> Iterator[Watch]:
    """A bar on a terminal, on the error stream; nothing elsewhere."""
    console = Console(stderr=True)
    with Progress(
        *_COLUMNS,
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not (shown and console.is_terminal),
    ) as progress:
        task = progress.add_task("", total=None)
        yield lambda what, done, total: progress.update(task, description=what, completed=done, total=total)


def _print(checks: list[Check], console: Console) -> None:
    for check in checks:
        mark, style = ("✗", "red") if not check.passed else ("·", "dim") if check.skipped else ("✓", "green")
        said = f"not checked: {check.skipped}" if check.skipped else check.looked
        console.print(Text.assemble((mark, style), f" {check.name:<18}", (said, "dim")), soft_wrap=True)
        for line in check.problems:
            console.print(Text(f"    {plain(line)}", "red"), soft_wrap=True)
    wrong = sum(not check.passed for check in checks)
    last = f"{counted(wrong, 'check')} failed" if wrong else "the dataset is whole"
    console.print(Text(last, "bold red" if wrong else "bold green"))
