"""Engines: which Beam runner does the work, and with which options. Never changes a byte of the result."""

from __future__ import annotations

import difflib
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import (
    DebugOptions,
    GoogleCloudOptions,
    PipelineOptions,
    PortableOptions,
    SetupOptions,
    _BeamArgumentParser,
)
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from columns.batch import BATCH_BYTES
from columns.errors import EnvironmentProblem, ThresherError
from columns.files import Place
from pipelines.dataflow import check_options, console_url, job_name
from pipelines.metrics import Book, counting_into
from pipelines.pool import Pool, running
from pipelines.runners import DATAFLOW, LOCAL_RUNNERS, PORTABLE, known_runner
from pipelines.stage import RunUnit, Stage, UnitRecord

OWN_OPTIONS = (
    "--input", "--output", "--runner", "--workers", "--mode", "--batch-mb", "--column", "--json", "--quiet"
)  # fmt: skip
NO_PROXY = "no_grpc_proxy"
DATAFLOW_THREADS = (
    2  # in each process, of which there is one a core: one works while the other reads and writes
)


@dataclass(frozen=True)
class Engine:
    """A runner, its worker count, its batch size and every other Beam option as typed by the user.

    ``DirectRunner`` is pinned to Beam's own `FnApiRunner`: the default would first try to download
    another engine and fall back silently. ``mode`` is ``threads`` (kernels release the GIL, so
    they scale) or ``processes``, which is done by worker processes of ours (`pipelines.pool`): Beam's own wait for
    ever when one of them dies. ``PortableRunner`` without ``--job_endpoint`` gets the same. ``purpose`` becomes part of
    the names of distant jobs: two jobs of one name cannot run at once, so two builds into one output keep out of each
    other's way. ``book`` takes the figures of finished jobs.
    """

    runner: str = "DirectRunner"
    workers: int = 0
    mode: str = "threads"
    options: tuple[str, ...] = ()
    batch_bytes: int = BATCH_BYTES
    purpose: str = ""
    book: Book = field(default_factory=Book, compare=False, repr=False)

    @property
    def name(self) -> str:
        """The runner as Beam calls it; `EnvironmentProblem` for one that is not there, or must not be used."""
        return known_runner(self.runner).name

    @property
    def local(self) -> bool:
        """Whether work happens in this process and its children."""
        return self.name in LOCAL_RUNNERS

    @property
    def pooled(self) -> bool:
        """Whether work happens in processes of this machine that a job service of ours hands it to."""
        if self.local:
            return self.mode == "processes" and self._count() > 1
        typed = PipelineOptions(list(self.options)).view_as(PortableOptions)
        return self.name == PORTABLE and not typed.job_endpoint

    @property
    def here(self) -> bool:
        """Whether all work happens on this machine, so that workers share its disk."""
        return self.local or self.pooled

    def run(self, label: str, wire: Callable[[beam.Pipeline], None]) -> None:
        """Build a pipeline with ``wire`` and wait until it is done."""
        pool: Pool | None = None
        if self.here:
            _without_proxy()
            logging.getLogger("apache_beam").setLevel(logging.CRITICAL)
            pool = running() if self.pooled else None
        else:
            logging.disable(logging.NOTSET)
            logging.basicConfig(level=logging.INFO)
        pipeline = beam.Pipeline(runner=self._runner(), options=self._options(label, pool))
        wire(pipeline)
        try:
            result = pipeline.run()
            self._submitted(label, result, pipeline.options)
            result.wait_until_finish()
        except Exception as error:
            raise _died(label, pool) or ThresherError.told(str(error)) or self._failed(label, error) from None
        self.book.add(result)

    def _submitted(self, label: str, result: Any, options: PipelineOptions) -> None:
        """Tell who wants to know that Dataflow has taken a job."""
        if self.name == DATAFLOW and self.book.submitted is not None:
            number = str(result.job_id())
            self.book.submitted(label, number, console_url(options, number))

    def _failed(self, label: str, error: Exception) -> Exception:
        """What to say of a failed job: a distant service's answer is told in a line, a local error as it is."""
        if self.here:
            return error
        said = [line.strip() for line in str(error).splitlines() if line.strip()]
        return EnvironmentProblem(
            f"{label}: {self.name} failed: {said[-1] if said else type(error).__name__}",
            hint="its log is above and with the service; the same command goes on with what is left",
        )

    def check(self) -> None:
        """Refuse options that neither Thresher nor Beam knows; Beam itself would ignore them silently."""
        _ = self.name
        parser = _BeamArgumentParser(allow_abbrev=False)
        for kind in PipelineOptions.__subclasses__():
            kind._add_argparse_args(parser)
        known = sorted({name for action in parser._actions for name in action.option_strings})
        _, unknown = parser.parse_known_args(list(self.options))
        if unknown:
            name = unknown[0].partition("=")[0]
            near = difflib.get_close_matches(name, [*OWN_OPTIONS, *known], 1, 0.7)
            raise EnvironmentProblem(
                f"unknown option {name}: neither Thresher nor Beam has it",
                hint=f"did you mean {near[0]}?" if near else "see: thresher build --help",
            )
        if self.name == DATAFLOW:
            check_options(self.options, self.workers)

    def create(self, values: list[Any]) -> beam.PTransform:
        """Work to spread over workers; a lone local worker is spared the reshuffle, half of a small job's start."""
        alone = self.local and self._count() == 1
        return beam.Create(values, reshuffle=not alone)

    def exchange(self, work: Place) -> Place | None:
        """Where exchanges by reference put their chunks; None where workers do not share this machine's disk."""
        return work if self.here else None

    def _count(self) -> int:
        return self.workers or os.cpu_count() or 1

    def _runner(self) -> FnApiRunner | str:
        if self.pooled:
            return PORTABLE
        return FnApiRunner() if self.local else self.name

    def _options(self, label: str, pool: Pool | None = None) -> PipelineOptions:
        flags: list[str] = list(self.options)
        if pool is not None:
            flags += [*pool.options(), f"--direct_num_workers={self._count()}"]
        elif self.local:
            flags += [f"--direct_running_mode={self._running_mode}", f"--direct_num_workers={self._count()}"]
        options = PipelineOptions(flags)
        if not self.here:
            cloud = options.view_as(GoogleCloudOptions)
            cloud.job_name = job_name(cloud.job_name or "thresher", self.purpose, label)
        debug = options.view_as(DebugOptions)
        if self.name == DATAFLOW and not debug.number_of_worker_harness_threads:
            debug.number_of_worker_harness_threads = DATAFLOW_THREADS
        options.view_as(SetupOptions).save_main_session = False
        return options

    @property
    def _running_mode(self) -> str:
        return "in_memory" if self._count() == 1 else "multi_threading"


def _died(label: str, pool: Pool | None) -> EnvironmentProblem | None:
    """What to say where a process of the pool died."""
    death = pool.death() if pool else ""
    if not death:
        return None
    return EnvironmentProblem(
        f"{label}: {death}",
        hint="run the same command again: finished work is kept (fewer --workers, if memory ran out)",
    )


def _without_proxy() -> None:
    """Let local workers talk to each other directly: gRPC would ask the environment's HTTP proxy for localhost too."""
    named = os.environ.get(NO_PROXY) or os.environ.get("no_proxy") or ""
    if "localhost" not in named.split(","):
        os.environ[NO_PROXY] = ",".join(filter(None, (named, "localhost")))


def run_units(engine: Engine, stage: Stage, work: Callable[[int], UnitRecord], units: Sequence[int]) -> None:
    """Run ``work`` over units of a stage as one Beam job: Create (which spreads them over workers), one ParDo.

    A lone unit has nobody to share with: on this machine it is done here, without the start of a pipeline.
    """
    if not units:
        return
    if engine.here and len(units) == 1:
        with counting_into(engine.book):
            RunUnit(stage, work)(units[0])
        return

    def wire(pipeline: beam.Pipeline) -> None:
        numbers = pipeline | "Units" >> engine.create(list(units))
        _ = numbers | stage.name.capitalize() >> beam.Map(RunUnit(stage, work))

    run_job(engine, stage, wire)


def run_job(engine: Engine, stage: Stage, wire: Callable[[beam.Pipeline], None]) -> None:
    """Run one Beam job; a `ThresherError` that a worker left with the stage is raised as itself."""
    try:
        engine.run(stage.name, wire)
    except Exception as error:
        raise stage.problem() or error from None
