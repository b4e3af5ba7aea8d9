"""Plan: what a build would take, from a build of a sample of its inputs: documents, tokens, bytes, time, price.

The sample is built for real, in a folder that is removed. Which units are in it is decided by hash, so a plan of the
same inputs is one of the same files. Everything is scaled by listed bytes: a corpus has a larger share of duplicates
than its samples have, so what is kept is at most what is said here, and so are tokens.

What services bill is said by the sources themselves, for the whole and before anything is billed. A sample of a table
reads its sampled streams and no others; a query runs as a whole.
"""

from __future__ import annotations

import dataclasses
import resource
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from columns.files import Place
from columns.hashing import unit_hash
from pipelines.build import Build, BuildOptions
from pipelines.dataset import RUN
from pipelines.engine import Engine
from pipelines.finished import Finished
from pipelines.ingest import Inputs
from pipelines.progress import Display
from pipelines.recipe import LoadedRecipe
from sources import Access, Estimate

SAMPLE_BYTES = 64 << 20
BAND_ROW_BYTES = 16  # a band's hash and a row id, as the exchange of link carries them
_STAGE_START = 0.3  # seconds that a stage of a job takes to start, whatever its input
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

    ``sources``: what reading the whole of the inputs bills, by input; ``price`` holds it too.
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
class _SampledBuild(Build):
    """A build of some of what its sources list."""

    limit: int = SAMPLE_BYTES
    listed: int = 0
    taken: int = 0

    def list_inputs(self) -> Inputs:
        inputs = super().list_inputs()
        some = sampled(inputs, self.limit)
        self.listed, self.taken = inputs.total_bytes, some.total_bytes
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
) -> Plan:
    """Build a sample of the inputs and scale what it took to ``workers`` cores; `ThresherError` as of a build."""
    estimates: list[Estimate] = []
    with tempfile.TemporaryDirectory(prefix="thresher-plan-") as folder:
        place = Place(f"{folder}/sample")
        sampling = dataclasses.replace(options, place=place, access=_noting(options.access, estimates))
        build = _SampledBuild(loaded, sampling, engine, display, limit=limit)
        before, started = _cpu_seconds(), time.monotonic()
        build.run()
        spent = _cpu_seconds() - before
        found = _figures(Finished.open(place), spent)
        found["seconds"] = time.monotonic() - started
        fixed = spent * _fixed_share(place)
    factor = build.listed / max(build.taken, 1)
    whole = {name: value * factor for name, value in found.items() if name not in ("seconds", "cpu_seconds")}
    whole["cpu_seconds"] = (spent - fixed) * factor + fixed
    core_hours = whole["cpu_seconds"] / 3600
    price = prices.of(core_hours, whole["shuffle_bytes"]) + sum(one.price for one in estimates)
    hours, billed = core_hours / workers, tuple(estimates)
    return Plan(build.listed, build.taken, factor, found, whole, workers, hours, price, billed)


def _noting(access: Access, estimates: list[Estimate]) -> Access:
    """The same access, which notes every estimate that is confirmed."""

    def confirm(estimate: Estimate) -> bool:
        estimates.append(estimate)
        return access.confirm is None or access.confirm(estimate)

    return dataclasses.replace(access, confirm=confirm)


def _fixed_share(place: Place) -> float:
    """The share of the time that does not grow with the input: training the tokenizer, and starting jobs."""
    stages = {one["stage"]: one["seconds"] for one in orjson.loads(place.read(RUN))["stages"]}
    total = sum(stages.values())
    fixed = sum(
        seconds if name == "tokenizer" else min(seconds, _STAGE_START) for name, seconds in stages.items()
    )
    return fixed / total if total else 0.0


def _cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _figures(dataset: Finished, cpu_seconds: float) -> dict[str, float]:
    """What a finished sample holds and took."""
    found: dict[str, float] = {"files": dataset.section("documents", "files")}
    found["kept_files"] = dataset.section("tokens", "documents") or 0
    found["tokens"] = dataset.section("tokens", "produced") or 0
    for name in _KEPT:
        place = dataset.place.child(name)
        found[f"{name}_bytes"] = sum(place.size(file) for file in place.names())
    found["shuffle_bytes"] = _shuffled(dataset, found)
    return found | {"cpu_seconds": cpu_seconds}


def _shuffled(dataset: Finished, found: Mapping[str, float]) -> float:
    """Bytes that pass exchanges: every text once, the band rows, and nothing else worth naming."""
    dedup = dataset.section("recipe", "dedup")
    bands = dedup["bands"]["bands"] if dedup["near"] else 0
    return float(dataset.section("documents", "bytes") + found["files"] * bands * BAND_ROW_BYTES)
