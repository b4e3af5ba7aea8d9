"""The command that says what a build would take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from columns.files import Place
from pipelines.build import STAGES, BuildOptions
from pipelines.cli.access import AccessFile, MaxBilled, Yes, access_of
from pipelines.cli.app import Changes, Json, app, print_json
from pipelines.cli.job import Columns, Inputs, RecipeName
from pipelines.cost import Cluster, StageCost
from pipelines.engine import Engine
from pipelines.plan import SAMPLE_BYTES, SAMPLE_SHARE, Plan, Prices
from pipelines.plan import plan as planned
from pipelines.prices import load_prices
from pipelines.progress import Display
from pipelines.recipe import load_recipe
from pipelines.wording import count, size

Cost = Annotated[float, typer.Option(min=0, help="in your currency; 0 leaves it out")]
SampleSize = Annotated[int, typer.Option(help="least listed bytes to build as a sample, in MB", min=1)]
SampleShare = Annotated[
    float, typer.Option(help="share of the listed bytes to build as a sample", min=0, max=1)
]
Machines = Annotated[int, typer.Option(help="machines on Dataflow", min=1)]
MachineCores = Annotated[int, typer.Option(help="cores of each", min=1)]
MachineMemory = Annotated[float, typer.Option(help="memory of each, in GB", min=1)]
MachineDisk = Annotated[float, typer.Option(help="disk of each, in GB", min=0)]
MachineSpeed = Annotated[
    float, typer.Option(help="how fast a core there is beside one of this machine", min=0.01)
]
StartSeconds = Annotated[float, typer.Option(help="until the workers of a job work", min=0)]
PriceFile = Annotated[
    str | None, typer.Option(help="Dataflow's prices, in the form of pipelines/prices.yaml", metavar="FILE")
]


@app.command()
def plan(
    recipe: RecipeName,
    inputs: Inputs,
    workers: Annotated[int, typer.Option(help="cores of the real run", min=1)] = 1,
    sample_mb: SampleSize = SAMPLE_BYTES >> 20,
    sample_share: SampleShare = SAMPLE_SHARE,
    machines: Machines = Cluster.workers,
    machine_cores: MachineCores = Cluster.cores,
    machine_memory_gb: MachineMemory = Cluster.memory_gb,
    machine_disk_gb: MachineDisk = Cluster.disk_gb,
    machine_speed: MachineSpeed = Cluster.speed,
    start_seconds: StartSeconds = Cluster.start_seconds,
    prices: PriceFile = None,
    price_core_hour: Cost = 0.0,
    price_memory_gb_hour: Cost = 0.0,
    price_shuffle_gb: Cost = 0.0,
    column: Columns = None,
    changes: Changes = None,
    access: AccessFile = None,
    max_bytes_billed: MaxBilled = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Say what a build would take: build a sample of its inputs for real, throw it away, and scale it up.

    Duplicates grow with a corpus: what is kept, and tokens, are at most what is said.

    A BigQuery query runs for the sample too, and is billed: its cost is shown and asked for first. With a
    "destination" in the access file its result is kept, and the build reads that.

    Example:

        thresher plan codex --input 'parquet:stack/*.parquet' --workers 64 --price-core-hour 0.05

        thresher plan codex --input 'parquet:gs://bucket/*.parquet' --machines 32 --prices ours.yaml
    """
    console = Console(stderr=True)
    display = Display(console, quiet=as_json or not console.is_terminal)
    options = BuildOptions(
        tuple(inputs),
        Place("."),
        tuple(column or ()),
        STAGES,
        access=access_of(access, max_bytes_billed, yes, quiet=as_json),
    )
    names = ("vcpu_hour", "memory_gb_hour", "shuffle_gb")
    given = dict(zip(names, (price_core_hour, price_memory_gb_hour, price_shuffle_gb), strict=True))
    found = planned(
        load_recipe(recipe, changes or ()), options, Engine(), display, workers=workers,
        prices=Prices(price_core_hour, price_memory_gb_hour, price_shuffle_gb),
        limit=sample_mb << 20, share=sample_share,
        cluster=Cluster(machines, machine_cores, machine_memory_gb, machine_disk_gb, machine_speed, start_seconds),
        table=load_prices(prices, {name: price for name, price in given.items() if price}),
    )  # fmt: skip
    if as_json:
        print_json(found.to_dict())
    else:
        _print(found, Console())


def _print(found: Plan, console: Console) -> None:
    table = Table("", "sample", "whole, about", box=None, header_style="bold", pad_edge=False)
    for name in ("sample", "whole, about"):
        table.columns[[one.header for one in table.columns].index(name)].justify = "right"
    table.add_row("listed", size(found.sample_bytes), size(found.listed_bytes))
    for label, key, shown in (
        ("files", "files", count), ("kept, at most", "kept_files", count), ("tokens, at most", "tokens", count),
        ("documents", "documents_bytes", size), ("facts", "facts_bytes", size), ("shards", "shards_bytes", size),
        ("shuffled", "shuffle_bytes", size),
    ):  # fmt: skip
        table.add_row(label, *(shown(round(one[key])) for one in (found.sample, found.whole)))
    table.add_row("core hours", *(_amount(one["cpu_seconds"] / 3600) for one in (found.sample, found.whole)))
    console.print(table)
    console.print(
        f"\non {count(found.workers)} core{'s' if found.workers > 1 else ''} like this machine's: "
        f"{_time(found.hours)}{', if all are busy' if found.workers > 1 else ''}"
    )
    for one in found.sources:
        console.print(f"BigQuery, {one.text()}", soft_wrap=True, highlight=False, markup=False)
    if found.price:
        _print_price(found, console)
    _print_stages(found, console)


def _print_price(found: Plan, console: Console) -> None:
    console.print(f"price: {_amount(found.price)}{', with BigQuery' if found.sources else ''}")


def _print_stages(found: Plan, console: Console) -> None:
    """What each stage takes on Dataflow."""
    cluster, prices = found.cluster, found.prices
    console.print(
        f"\non Dataflow, {count(cluster.workers)} machines of {count(cluster.cores)} cores, estimated "
        "(docs/concepts/scale.md):"
    )
    table = Table(
        "stage", "jobs", "core hours", "shuffled", "time", f"price, {prices.currency or 'yours'}",
        box=None, header_style="bold", pad_edge=False,
    )  # fmt: skip
    for column in table.columns[1:]:
        column.justify = "right"
    for one in (*found.stages, _total(found.stages)):
        table.add_row(
            one.stage, count(one.jobs), _amount(one.core_hours), size(round(one.shuffled)), _time(one.hours),
            _amount(one.price),
        )  # fmt: skip
    console.print(table)
    console.print(f"prices: {prices.about()}", soft_wrap=True, highlight=False, markup=False)


def _total(stages: Sequence[StageCost]) -> StageCost:
    sums = (
        sum(getattr(one, name) for one in stages)
        for name in ("jobs", "core_hours", "shuffled", "hours", "price")
    )
    return StageCost("total", *sums)


def _amount(amount: float) -> str:
    """An amount with two digits after the point; what would be shown as nothing is said to be little.

    >>> _amount(1234.5), _amount(0.001)
    ('1,234.50', 'under 0.01')
    """
    return f"{amount:,.2f}" if amount >= 0.005 else "under 0.01"


def _time(hours: float) -> str:
    """Hours in words.

    >>> _time(0.01), _time(1.5), _time(100)
    ('1 minute', '1.5 hours', '4.2 days')
    """
    if hours < 1:
        minutes = max(1, round(hours * 60))
        return f"{minutes} minute{'s' if minutes > 1 else ''}"
    return f"{hours:.1f} hours" if hours < 48 else f"{hours / 24:.1f} days"
