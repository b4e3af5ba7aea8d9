"""What watches a job that a command does: the console, the journal, and lines for machines on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.console import Console

from columns.files import Place
from columns.urls import without_login
from pipelines.journal import journal, said_of
from pipelines.logs import Log
from pipelines.metrics import Book
from pipelines.progress import Display, Observer
from pipelines.ticker import Ticker
from pipelines.tracing import tracing

ProgressKind = Annotated[
    str, typer.Option("--progress", help="bar, or json: a line on stderr about every second")
]
LogKind = Annotated[
    str,
    typer.Option("--log", help="text, or json: a line on stderr for every event", envvar="THRESHER_LOG"),
]


@dataclass(frozen=True)
class Watching:
    """What a job is shown by, and the book its figures go into."""

    display: Display
    book: Book


@contextmanager
def watched(root: Place, *, quiet: bool, progress: str, log: str) -> Iterator[Watching]:
    """Watch the job that the block does in the dataset's directory."""
    for option, said, other in (("--progress", progress, "bar"), ("--log", log, "text")):
        if said not in {"json", other}:
            raise typer.BadParameter(f"expected {other} or json, got {said}", param_hint=option)
    command = ["thresher", *sys.argv[1:]]
    with (
        journal(root, command) as notes,
        _logged(command, wanted=log == "json") as logs,
        tracing(command) as traces,
    ):
        tickers = [Ticker(sys.stderr)] if progress == "json" else []
        observers: tuple[Observer, ...] = (notes, *logs, *tickers, *traces)
        with _interrupted(told="json" not in (progress, log)):
            yield Watching(Display(Console(), quiet, observers), Book(submitted=notes.submitted))


@contextmanager
def _interrupted(*, told: bool) -> Iterator[None]:
    """Say that nothing is lost where somebody stops the job."""
    try:
        yield
    except KeyboardInterrupt:
        if told:
            typer.echo("interrupted: what is finished is kept, the same command goes on", err=True)
        raise


@contextmanager
def _logged(command: Sequence[str], *, wanted: bool) -> Iterator[list[Log]]:
    """The log, where one is wanted, with a line for the job's beginning and end."""
    if not wanted:
        yield []
        return
    log = Log(sys.stderr)
    log.say("job_began", command=[without_login(one) for one in command])
    try:
        yield [log]
    except BaseException as error:
        log.say("job_failed", "error", **said_of(error))
        raise
    log.say("job_finished")
