"""The template's start: Dataflow's launcher runs this with the parameters, and it describes one job that conducts.

The launcher gives ``--template_location``: the job is written there, and the service starts it. What the launcher says
of project, region, account, network and image is handed on to the jobs that the conductor starts.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence

import apache_beam as beam
from apache_beam.options.pipeline_options import (
    DebugOptions,
    GoogleCloudOptions,
    PipelineOptions,
    SetupOptions,
    WorkerOptions,
)

from columns.errors import ThresherError
from infra.flex.parameters import PARAMETERS, command_line, named
from pipelines.conductor import Conduct
from pipelines.dataflow import check_options, check_reach

IMAGE = "THRESHER_IMAGE"
CONDUCTOR_MACHINE = "e2-standard-2"
_CLOUD = (
    "project", "region", "temp_location", "service_account_email", "dataflow_kms_key", "dataflow_endpoint",
)  # fmt: skip
_WORKER = ("network", "subnetwork", "sdk_container_image")


def described(argv: Sequence[str]) -> tuple[PipelineOptions, tuple[str, ...]]:
    """The conducting job's options and the command line that it runs; `ThresherError` names a mistake."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for one in PARAMETERS:
        parser.add_argument(f"--{one.name}")
    given, rest = parser.parse_known_args(list(argv))
    options = _small(PipelineOptions(rest))
    arguments = (
        *command_line({key: value for key, value in vars(given).items() if value}),
        *handed_on(options),
    )
    check_options(arguments)
    check_reach(named("input").values(given.input), given.output)
    return options, arguments


def _small(options: PipelineOptions) -> PipelineOptions:
    """One worker, of a small machine unless another was asked for, in the image that this runs in."""
    worker = options.view_as(WorkerOptions)
    worker.num_workers = worker.max_num_workers = 1
    worker.machine_type = worker.machine_type or CONDUCTOR_MACHINE
    worker.sdk_container_image = worker.sdk_container_image or os.environ.get(IMAGE)
    options.view_as(DebugOptions).number_of_worker_harness_threads = 1
    options.view_as(SetupOptions).save_main_session = False
    return options


def handed_on(options: PipelineOptions) -> tuple[str, ...]:
    """The options of the conducting job that the jobs it starts have too."""
    return tuple(_handed_on(options))


def _handed_on(options: PipelineOptions) -> Iterator[str]:
    cloud, worker = options.view_as(GoogleCloudOptions), options.view_as(WorkerOptions)
    for view, names in ((cloud, _CLOUD), (worker, _WORKER)):
        for name in names:
            if value := getattr(view, name):
                yield from (f"--{name}", str(value))
    if worker.use_public_ips is False:
        yield "--no_use_public_ips"
    if cloud.no_auth:
        yield "--no_auth"
    for label in cloud.labels or ():
        yield from ("--labels", label)


def main(argv: Sequence[str] | None = None) -> None:
    """Describe the job and hand it to the service; a mistake is one line, and exit code 2."""
    try:
        options, arguments = described(sys.argv[1:] if argv is None else argv)
    except ThresherError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)
    pipeline = beam.Pipeline(options=options)
    _ = pipeline | "Command" >> beam.Create([arguments], reshuffle=False) | "Conduct" >> beam.ParDo(Conduct())
    pipeline.run()


if __name__ == "__main__":
    main()
