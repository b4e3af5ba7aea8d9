"""Cost: from what a sample's jobs took to what those of the whole take on Dataflow: time and price, stage by stage.

The formulas, what they leave out and how far they were off on builds of four sizes: docs/concepts/scale.md.
"""

from __future__ import annotations

import math
import resource
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pipelines.prices import PriceTable

START = 0.3  # CPU seconds that describing and starting a job takes on this machine, whatever its input
FIXED = frozenset({"tokenizer"})  # made from a sample of fixed size
ALONE = frozenset(
    {"components", "sum counts", "evidence", "choose functions", "tokenizer"}
)  # one worker does it
HERE = "here"


@dataclass(frozen=True)
class JobCost:
    """What one job took, or will take: CPU seconds, bytes shuffled, and in how many pieces it can be done at once.

    The job `HERE` is what the starting process does itself.
    """

    stage: str
    job: str
    cpu_seconds: float
    shuffled: float = 0.0
    pieces: int = 1

    def grown(self, factor: float, pieces: int) -> JobCost:
        """The same job for ``factor`` times the input: all but its start grows with it.

        >>> JobCost("measure", "measure", 10.3, 4.0).grown(100, 8)
        JobCost(stage='measure', job='measure', cpu_seconds=1000.3, shuffled=400.0, pieces=8)
        """
        growth, start = 1.0 if self.stage in FIXED else factor, min(self.cpu_seconds, START)
        cpu = start + (self.cpu_seconds - start) * growth
        alone = self.job in ALONE or self.job == HERE
        return JobCost(self.stage, self.job, cpu, self.shuffled * growth, 1 if alone else pieces)


@dataclass(frozen=True)
class Cluster:
    """The machines of a run.

    ``speed``: how fast a core is beside one of this machine. ``start_seconds``: until a job's workers work; three
    minutes to start machines and load an image is an assumption, to be replaced by what your first job takes.
    """

    workers: int = 8
    cores: int = 4
    memory_gb: float = 16.0
    disk_gb: float = 100.0
    speed: float = 1.0
    start_seconds: float = 180.0

    def __post_init__(self) -> None:
        for name in ("workers", "cores", "memory_gb", "speed"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name}: expected more than 0, got {getattr(self, name)}")

    def seconds(self, job: JobCost) -> float:
        """From a job's submission to its end: its start, and as many rounds of pieces as the cores need.

        >>> Cluster(workers=2, cores=4, start_seconds=60).seconds(JobCost("measure", "measure", 900, pieces=9))
        260.0
        """
        rounds = math.ceil(job.pieces / (self.workers * self.cores))
        start = 0.0 if job.job == HERE else self.start_seconds
        return start + job.cpu_seconds / self.speed / job.pieces * rounds

    def machines(self, job: JobCost) -> int:
        """How many machines a job keeps: no more than it has pieces for."""
        return min(self.workers, math.ceil(job.pieces / self.cores))

    def price(self, job: JobCost, prices: PriceTable) -> float:
        """What a job costs: its machines from start to end, and what it shuffles."""
        hours = self.seconds(job) / 3600
        machine = prices.machine_hour(self.cores, self.memory_gb, self.disk_gb)
        return hours * self.machines(job) * machine + job.shuffled / 1e9 * prices.shuffle_gb


@dataclass(frozen=True)
class StageCost:
    """One stage: its jobs, core hours, bytes shuffled, hours from start to end, and price."""

    stage: str
    jobs: int
    core_hours: float
    shuffled: float
    hours: float
    price: float


def by_stage(jobs: Iterable[JobCost], cluster: Cluster, prices: PriceTable) -> list[StageCost]:
    """What each stage takes, in the order they run; jobs of a stage run one after the other."""
    stages: dict[str, list[JobCost]] = {}
    for job in jobs:
        stages.setdefault(job.stage, []).append(job)
    return [
        StageCost(
            name,
            sum(job.job != HERE for job in found),
            sum(job.cpu_seconds for job in found) / 3600,
            sum(job.shuffled for job in found),
            sum(cluster.seconds(job) for job in found) / 3600,
            sum(cluster.price(job, prices) for job in found),
        )
        for name, found in stages.items()
    ]


def grown(jobs: Sequence[JobCost], factor: float, units: int, parts: int) -> list[JobCost]:
    """Jobs of a sample as those of the whole, which is read in ``units`` and kept in ``parts``."""
    return [job.grown(factor, max(units, parts) if job.stage == "ingest" else parts) for job in jobs]


@dataclass
class Meter:
    """Notes what jobs take while a build runs, job by job."""

    jobs: list[JobCost] = field(default_factory=list)
    stage: str = ""
    _begun: float = 0.0
    _noted: float = 0.0

    def begin(self, stage: str) -> None:
        """A stage begins."""
        self.stage, self._begun, self._noted = stage, cpu_seconds(), 0.0

    def job(self, name: str, cpu: float, shuffled: float) -> None:
        """A job of the stage has ended."""
        self._noted += cpu
        self.jobs.append(JobCost(self.stage, name, cpu, shuffled))

    def end(self) -> None:
        """The stage has ended: what is not its jobs' was done by the starting process."""
        rest = cpu_seconds() - self._begun - self._noted
        self.jobs.append(JobCost(self.stage, HERE, max(rest, 0.0)))


def cpu_seconds() -> float:
    """CPU seconds of this process and of those it started and that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)
