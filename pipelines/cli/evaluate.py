"""The command that runs a model's samples against a benchmark."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from columns.errors import InputError, OutputError
from pipelines.cli.app import Json, app, print_json
from pipelines.evaluating import CODEFUSION, Asked, Evaluated
from pipelines.evaluating import evaluate as measure
from pipelines.wording import plain

_MOST_LINES = 8


Suite = Annotated[
    str,
    typer.Argument(
        help="humaneval, mbpp, mtpb, codefusion-LANG, or a name for a file of HumanEval's layout",
        metavar="SUITE",
    ),
]
Samples = Annotated[
    Path, typer.Argument(help="the model's answers: JSON lines, plain or gzipped", metavar="SAMPLES")
]
Ks = Annotated[
    str,
    typer.Option(
        help="pass@k for these k (default: 1,10,100 where there are enough samples)", metavar="K,..."
    ),
]
Stops = Annotated[
    list[str] | None,
    typer.Option(
        help="cut answers here, with \\n for a line end; 'none': nowhere (repeatable)", metavar="TEXT"
    ),
]


@app.command()
def evaluate(
    suite: Suite,
    samples: Samples,
    suite_file: Annotated[
        Path | None, typer.Option(help="the suite's own file, where it is not installed", metavar="PATH")
    ] = None,
    k: Ks = "",
    stop: Stops = None,
    timeout: Annotated[
        float | None, typer.Option(help="seconds for a program (default: 3, for mtpb 20)", min=0.1)
    ] = None,
    workers: Annotated[int, typer.Option(help="programs at once; 0: one per core", min=0)] = 0,
    partial: Annotated[bool, typer.Option("--partial", help="leave out tasks that have no samples")] = False,
    temperature: Annotated[
        float | None, typer.Option(help="how samples were drawn, where they do not say it; recorded", min=0)
    ] = None,
    top_p: Annotated[float | None, typer.Option(help="as --temperature", min=0, max=1)] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="write every sample's result", metavar="FILE.jsonl")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run a model's answers to a benchmark in the sandbox, and say how many pass.

    Answers are cut at the stop sequences that the evaluation of Codex publishes (of mbpp, whole programs, nowhere),
    equal ones run once, and pass@k is the unbiased estimate. The samples' own temperature, top_p and model are
    recorded.

    Examples:

        thresher evaluate humaneval samples.jsonl

        thresher evaluate mbpp samples.jsonl.gz --suite-file mbpp.jsonl --k 1,10 -o results.jsonl

        thresher evaluate mtpb turns.jsonl --suite-file mtpb.jsonl
    """
    asked = {"temperature": temperature, "top_p": top_p}
    _check_output(output, suite)
    with _bar(quiet=as_json) as told:
        found = measure(
            Asked(suite, samples, suite_file, _ks(k), _stops(stop), timeout, workers, partial, asked, told)
        )
    if output:
        output.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in found.rows))
    if as_json:
        print_json(found.summary)
    else:
        _print(found, output)


def _ks(text: str) -> tuple[int, ...]:
    try:
        ks = tuple(int(one) for one in text.split(",") if one.strip())
    except ValueError:
        ks = (0,)
    if any(k < 1 for k in ks):
        raise InputError(f"--k {text}: expected numbers from 1", hint="for example: --k 1,10,100")
    return tuple(dict.fromkeys(ks))


def _stops(given: list[str] | None) -> tuple[str, ...] | None:
    if given is None:
        return None
    return tuple(text.replace("\\n", "\n") for text in given if text and text != "none")


def _check_output(output: Path | None, suite: str) -> None:
    """Say before an hour's work what would stop its end."""
    if output and suite.startswith(CODEFUSION):
        raise InputError(
            f"--output {output}: {suite} has shares of all predictions, no result of each",
            hint="leave --output out; --json prints every figure",
        )
    if output and (output.is_dir() or not output.absolute().parent.is_dir()):
        raise OutputError(
            f"--output {output}: cannot be written", hint="name a file in a folder that is there"
        )


@contextmanager
def _bar(*, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal; what moves it."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task("run", total=None)
        yield lambda done, wanted: bar.update(task, completed=done, total=wanted)


def _print(found: Evaluated, output: Path | None) -> None:
    console = Console()
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in found.figures:
        table.add_row(name, Text(plain(value)))
    console.print(table)
    for name, counts in found.groups.items():
        if counts:
            console.print()
            console.print(_counts(name, counts))
    if output:
        console.print(f"\nevery sample: {plain(str(output))}", highlight=False, soft_wrap=True)


def _counts(name: str, counts: Mapping[str, Any]) -> Table:
    table = Table(name, "", box=None, header_style="bold", pad_edge=False)
    table.columns[1].justify = "right"
    for key, value in list(counts.items())[:_MOST_LINES]:
        shown = f"{value:.1%}" if isinstance(value, float) else f"{value:,}"
        table.add_row(Text(plain(key.replace("\n", "\\n"))), shown)
    if len(counts) > _MOST_LINES:
        table.add_row(f"and {len(counts) - _MOST_LINES} more (--json)", "")
    return table
