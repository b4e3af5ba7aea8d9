"""Plan: what a build would take, from a build of a sample of its inputs: documents, tokens, bytes, time, price.

The sample, a thousandth of the listed bytes or more, is built for real, in a folder that is removed. Which units are in
it is decided by hash, so a plan of the same inputs is one of the same files. Everything is scaled by listed bytes: a
corpus has a larger share of duplicates than its samples have, so what is kept is at most what is said here, and so are
tokens. What each job took becomes time and price on Dataflow by `pipelines.cost`.

What services bill is said by the sources themselves, for the whole and before anything is billed. A sample of a table
reads its sampled streams and no others; a query runs as a whole.
"""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from columns.files import Place
from columns.hashing import unit_hash
from pipelines.build import BuildOptions
from pipelines.cost import Cluster, Meter, StageCost, by_stage, cpu_seconds, grown
from pipelines.engine import Engine
from pipelines.finished import Finished
from pipelines.ingest import Inputs
from pipelines.metered import MeteredBuild, MeteredEngine
from pipelines.prices import PriceTable, load_prices
from pipelines.progress import Display
from pipelines.recipe import LoadedRecipe
from sources import Access, Estimate

SAMPLE_BYTES = 64 << 20
SAMPLE_SHARE = 0.001
_KEPT = ("documents", "facts", "links", "leaks", "ledger", "shards", "tokens")


@dataclass(frozen=True)
class Prices:
    """What an hour of a core, an hour of a GB of memory and a shuffled GB cost; zero for what is free or unknown.

    ``memory_gb`` per core. The prices are the user's: they differ by region, contract and year.
    """

    core_hour: float = 0.0
    memory_gb_hour: float = 0.0
    shuffle_gb: float = 0.0
    memory_gb: float = 3.75

    def of(self, core_hours: float, shuffle_bytes: float) -> float:
        """The price of some work.

        >>> round(Prices(core_hour=0.05, shuffle_gb=0.01).of(10, 2e9), 2)
        0.52
        """
        memory = core_hours * self.memory_gb * self.memory_gb_hour
        return core_hours * self.core_hour + memory + shuffle_bytes / 1e9 * self.shuffle_gb


@dataclass(frozen=True)
class Plan:
    """A sample's figures and those of the whole, scaled by ``factor``; bytes, files, tokens, CPU seconds.

    ``hours`` and ``price`` are those of ``workers`` cores like this machine's that are always busy. ``stages``: what
    each takes on ``cluster``, machines of Dataflow, at ``prices``. ``sources``: what reading the whole of the inputs
    bills, by input; ``price`` holds it too, those of stages do not.
    """

    listed_bytes: int
    sample_bytes: int
    factor: float
    sample: Mapping[str, float]
    whole: Mapping[str, float]
    workers: int
    hours: float
    price: float
    sources: tuple[Estimate, ...] = ()
    stages: tuple[StageCost, ...] = ()
    cluster: Cluster = field(default_factory=Cluster)
    prices: PriceTable = field(default_factory=load_prices)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``--json``."""
        billed = [dataclasses.asdict(one) | {"price": one.price} for one in self.sources]
        return dataclasses.asdict(self) | {"sources": billed}


def sampled(inputs: Inputs, limit: int) -> Inputs:
    """The inputs with some of their units, by hash, until ``limit`` bytes are in: at least one unit."""
    names = [f"{unit.location}\n{unit.name}\n{at}".encode() for at, unit in enumerate(inputs.units)]
    order = sorted(zip(unit_hash("plan", names).tolist(), range(len(names)), strict=True))
    chosen: list[int] = []
    total = 0
    for _, at in order:
        if chosen and total >= limit:
            break
        chosen.append(at)
        total += inputs.units[at].bytes
    units = tuple(inputs.units[at] for at in sorted(chosen))
    return dataclasses.replace(inputs, units=units, total_bytes=total)


@dataclass
class _SampledBuild(MeteredBuild):
    """A build of some of what its sources list."""

    limit: int = SAMPLE_BYTES
    share: float = SAMPLE_SHARE
    listed: int = 0
    taken: int = 0
    units: int = 0

    def list_inputs(self) -> Inputs:
        inputs = super().list_inputs()
        some = sampled(inputs, max(self.limit, int(self.share * inputs.total_bytes)))
        self.listed, self.taken, self.units = inputs.total_bytes, some.total_bytes, len(inputs.units)
        return some

    def _promise(self, stage: str) -> None:
        """Say nothing of what near-duplicates will be found: nobody gets this build's result."""


def plan(
    loaded: LoadedRecipe,
    options: BuildOptions,
    engine: Engine,
    display: Display,
    *,
    workers: int,
    prices: Prices,
    limit: int = SAMPLE_BYTES,
    share: float = SAMPLE_SHARE,
    cluster: Cluster | None = None,
    table: PriceTable | None = None,
) -> Plan:
    """Build a sample of the inputs and scale what it took to ``workers`` cores; `ThresherError` as of a build.

    The sample has ``share`` of the listed bytes, and at least ``limit``. ``cluster`` and ``table`` are Dataflow's.
    """
    estimates: list[Estimate] = []
    cluster, table, meter = cluster or Cluster(), table or load_prices(), Meter()
    with tempfile.TemporaryDirectory(prefix="thresher-plan-") as folder:
        place = Place(f"{folder}/sample")
        sampling = dataclasses.replace(options, place=place, access=_noting(options.access, estimates))
        metered = MeteredEngine.of(engine, meter)
        build = _SampledBuild(loaded, sampling, metered, display, meter=meter, limit=limit, share=share)
        before, started = cpu_seconds(), time.monotonic()
        build.run()
        found = _figures(Finished.open(place), meter) | {"cpu_seconds": cpu_seconds() - before}
        found["seconds"] = time.monotonic() - started
    factor = build.listed / max(build.taken, 1)
    jobs = grown(meter.jobs, factor, build.units, loaded.recipe.layout.count(build.listed))
    whole = {name: value * factor for name, value in found.items() if name not in ("seconds", "cpu_seconds")}
    whole["cpu_seconds"] = sum(job.cpu_seconds for job in jobs)
    whole["shuffle_bytes"] = sum(job.shuffled for job in jobs)
    core_hours = whole["cpu_seconds"] / 3600
    price = prices.of(core_hours, whole["shuffle_bytes"]) + sum(one.price for one in estimates)
    stages = tuple(by_stage(jobs, cluster, table))
    return Plan(
        build.listed, build.taken, factor, found, whole, workers, core_hours / workers, price, tuple(estimates),
        stages, cluster, table,
    )  # fmt: skip


def _noting(access: Access, estimates: list[Estimate]) -> Access:
    """The same access, which notes every estimate that is confirmed."""

    def confirm(estimate: Estimate) -> bool:
        estimates.append(estimate)
        return access.confirm is None or access.confirm(estimate)

    return dataclasses.replace(access, confirm=confirm)


def _figures(dataset: Finished, meter: Meter) -> dict[str, float]:
    """What a finished sample holds, and what passed its exchanges."""
    found: dict[str, float] = {"files": dataset.section("documents", "files")}
    found["kept_files"] = dataset.section("tokens", "documents") or 0
    found["tokens"] = dataset.section("tokens", "produced") or 0
    for name in _KEPT:
        place = dataset.place.child(name)
        found[f"{name}_bytes"] = sum(place.size(file) for file in place.names())
    return found | {"shuffle_bytes": sum(job.shuffled for job in meter.jobs)}
