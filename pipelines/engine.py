"""Engines: which Beam runner does the work, and with which options. Never changes a byte of the result."""

from __future__ import annotations

import difflib
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions, SetupOptions, _BeamArgumentParser
from apache_beam.runners import create_runner
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from columns.batch import BATCH_BYTES
from columns.errors import EnvironmentProblem
from columns.files import Place
from pipelines.stage import RunUnit, Stage, UnitRecord

OWN_OPTIONS = (
    "--input", "--output", "--runner", "--workers", "--mode", "--batch-mb", "--column", "--json", "--quiet"
)  # fmt: skip
NO_PROXY = "no_grpc_proxy"
LOCAL_RUNNERS = ("DirectRunner", "FnApiRunner")


@dataclass(frozen=True)
class Engine:
    """A runner, its worker count, its batch size and every other Beam option as typed by the user.

    ``DirectRunner`` is pinned to Beam's own `FnApiRunner`: the default would first try to download
    another engine and fall back silently. ``mode`` is ``threads`` (kernels release the GIL, so
    they scale) or ``processes``.
    """

    runner: str = "DirectRunner"
    workers: int = 0
    mode: str = "threads"
    options: tuple[str, ...] = ()
    batch_bytes: int = BATCH_BYTES

    @property
    def local(self) -> bool:
        """Whether work happens in this machine's processes, so that exchanges go by reference."""
        return self.runner in LOCAL_RUNNERS

    def run(self, label: str, wire: Callable[[beam.Pipeline], None]) -> None:
        """Build a pipeline with ``wire`` and wait until it is done."""
        if self.local:
            _without_proxy()
            logging.getLogger("apache_beam").setLevel(logging.CRITICAL)
        else:
            logging.disable(logging.NOTSET)
            logging.basicConfig(level=logging.INFO)
        pipeline = beam.Pipeline(runner=self._runner(), options=self._options(label))
        wire(pipeline)
        pipeline.run().wait_until_finish()

    def check(self) -> None:
        """Refuse options that neither Thresher nor Beam knows; Beam itself would ignore them silently."""
        self._check_runner()
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

    def create(self, values: list[Any]) -> beam.PTransform:
        """Work to spread over workers; a lone local worker is spared the reshuffle, half of a small job's start."""
        alone = self.local and self._count() == 1
        return beam.Create(values, reshuffle=not alone)

    def exchange(self, work: Place) -> Place | None:
        """Where exchanges by reference put their chunks; None where the engine shuffles itself."""
        return work if self.local else None

    def _check_runner(self) -> None:
        if self.local:
            return
        try:
            create_runner(self.runner)
        except (ValueError, ImportError, AttributeError) as error:
            raise EnvironmentProblem(
                f"--runner {self.runner}: {error}", hint="on this machine: DirectRunner"
            ) from error

    def _count(self) -> int:
        return self.workers or os.cpu_count() or 1

    def _runner(self) -> FnApiRunner | str:
        return FnApiRunner() if self.local else self.runner

    def _options(self, label: str) -> PipelineOptions:
        flags: list[str] = list(self.options)
        if self.local:
            workers = self._count()
            mode = (
                "in_memory"
                if workers == 1
                else f"multi_{'processing' if self.mode == 'processes' else 'threading'}"
            )
            flags += [f"--direct_running_mode={mode}", f"--direct_num_workers={workers}"]
        elif not any(flag.startswith("--job_name") for flag in flags):
            flags += [f"--job_name=thresher-{label}"]
        options = PipelineOptions(flags)
        options.view_as(SetupOptions).save_main_session = False
        return options


def _without_proxy() -> None:
    """Let local workers talk to each other directly: gRPC would ask the environment's HTTP proxy for localhost too."""
    named = os.environ.get(NO_PROXY) or os.environ.get("no_proxy") or ""
    if "localhost" not in named.split(","):
        os.environ[NO_PROXY] = ",".join(filter(None, (named, "localhost")))


def run_units(engine: Engine, stage: Stage, work: Callable[[int], UnitRecord], units: Sequence[int]) -> None:
    """Run ``work`` over units of a stage as one Beam job: Create (which spreads them over workers), one ParDo.

    A lone unit of a local engine has nobody to share with: it is done here, without the start of a pipeline.
    """
    if not units:
        return
    if engine.local and len(units) == 1:
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
