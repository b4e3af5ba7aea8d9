"""Dataflow: what a job there needs, checked before anything is started. Each mistake is one line, with a hint.

Workers of Dataflow see no disk of ours: data is read from and written to ``gs://``, BigQuery or GitHub, and the program
comes to them in a container image or as a package (docs/dataflow.md).
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apache_beam.options.pipeline_options import (
    GoogleCloudOptions,
    PipelineOptions,
    SetupOptions,
    WorkerOptions,
)

from columns.errors import EnvironmentProblem, InputError, OutputError

JOB_NAME = 63
_BUCKET = r"gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]"
_KINDS = re.compile(r"(tree|git|parquet|jsonl|archive|github|bigquery):(.*)", re.DOTALL)


@dataclass(frozen=True)
class Form:
    """What an option's text must look like: a pattern for the whole of it, words for people, an example."""

    pattern: str
    words: str
    example: str

    def fits(self, text: str) -> bool:
        """Whether the text has the form.

        >>> FORMS["region"].fits("europe-west4"), FORMS["region"].fits("europe")
        (True, False)
        """
        return re.fullmatch(self.pattern, text) is not None


FORMS: Mapping[str, Form] = {
    "project": Form(r"([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]", "a project's id", "my-project"),
    "region": Form(r"[a-z]+-[a-z]+[0-9]+", "a region", "europe-west4"),
    "temp_location": Form(rf"{_BUCKET}(/.*)?", "a folder in a bucket", "gs://my-bucket/temp"),
    "staging_location": Form(rf"{_BUCKET}(/.*)?", "a folder in a bucket", "gs://my-bucket/staging"),
    "service_account_email": Form(
        r"[a-z0-9-]+@[a-z0-9.-]+\.gserviceaccount\.com",
        "a service account's address",
        "thresher-worker@my-project.iam.gserviceaccount.com",
    ),
    "machine_type": Form(r"[a-z][a-z0-9]*-[a-z0-9]+(-[a-z0-9]+)*", "a machine type", "n2-standard-4"),
    "sdk_container_image": Form(
        r"[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+((:[\w.-]+)|(@sha256:[0-9a-f]{64}))",
        "an image with its tag or digest",
        "europe-west4-docker.pkg.dev/my-project/thresher/thresher:0.1.0",
    ),
}
REQUIRED = ("project", "region", "temp_location")
PACKAGE = "or the program as a package: --extra_package dist/thresher-0.1.0.tar.gz (make sdist)"


def check_options(flags: Sequence[str], workers: int = 0) -> None:
    """Refuse options with which no Dataflow job could start; `EnvironmentProblem` names the first.

    ``flags`` are Beam's as typed; ``workers`` is the number of local ones, which is nothing to Dataflow.
    """
    if not _has_client():
        raise EnvironmentProblem(
            "--runner dataflow needs Google's packages", hint="pip install 'thresher[gcp]'"
        )
    if workers:
        raise EnvironmentProblem(
            f"--workers {workers}: counts processes of this machine, and Dataflow chooses its own",
            hint=f"the most it may take: --max_num_workers {workers}",
        )
    options = PipelineOptions(list(flags))
    typed = _typed(options)
    for name, form in FORMS.items():
        _check_form(name, form, typed.get(name))
    _check_numbers(options)
    _check_program(options)


def _has_client() -> bool:
    try:
        return importlib.util.find_spec("google.cloud.dataflow_v1beta3") is not None
    except ModuleNotFoundError:
        return False


def _typed(options: PipelineOptions) -> dict[str, Any]:
    cloud, worker = options.view_as(GoogleCloudOptions), options.view_as(WorkerOptions)
    names = [name for name in FORMS if hasattr(cloud, name)]
    found = {name: getattr(cloud, name) for name in names}
    return found | {name: getattr(worker, name) for name in FORMS if name not in names}


def _check_form(name: str, form: Form, value: str | None) -> None:
    if not value and name in REQUIRED:
        raise EnvironmentProblem(
            f"--runner dataflow needs --{name}: {form.words}", hint=f"for example: --{name} {form.example}"
        )
    if value and not form.fits(str(value)):
        raise EnvironmentProblem(
            f"--{name} {value}: expected {form.words}", hint=f"for example: --{name} {form.example}"
        )


def _check_numbers(options: PipelineOptions) -> None:
    worker = options.view_as(WorkerOptions)
    first, most, disk = worker.num_workers, worker.max_num_workers, worker.disk_size_gb
    if most is not None and most < 1:
        raise EnvironmentProblem(f"--max_num_workers {most}: expected at least 1")
    if first is not None and first < 1:
        raise EnvironmentProblem(f"--num_workers {first}: expected at least 1")
    if first and most and first > most:
        raise EnvironmentProblem(f"--num_workers {first}: more than --max_num_workers {most}")
    if disk is not None and disk < 30:
        raise EnvironmentProblem(f"--disk_size_gb {disk}: expected at least 30, the image's own size")


def _check_program(options: PipelineOptions) -> None:
    setup = options.view_as(SetupOptions)
    packages = (setup.extra_packages, setup.setup_file, setup.requirements_file)
    if not (options.view_as(WorkerOptions).sdk_container_image or any(packages)):
        example = FORMS["sdk_container_image"].example
        raise EnvironmentProblem(
            "--runner dataflow needs an image that holds this program: --sdk_container_image",
            hint=f"for example {example} (make deploy builds one), {PACKAGE}",
        )


def check_reach(inputs: Iterable[str], output: str, others: Iterable[tuple[str, str]] = ()) -> None:
    """Refuse what workers elsewhere cannot reach: files of this machine.

    ``others`` are options and the folders that they name. Raises `InputError` or `OutputError`.
    """
    if not remote(output):
        raise OutputError(
            f"--output {output}: Dataflow's workers do not see this machine's disk",
            hint="give a bucket's folder: --output gs://my-bucket/my-set",
        )
    for text in inputs:
        _check_input(text)
    for option, url in others:
        if not remote(url):
            raise InputError(
                f"{option} {url}: Dataflow's workers do not see this machine's disk",
                hint=f"copy it to a bucket and name that: {option} gs://my-bucket/…",
            )


def _check_input(text: str) -> None:
    match = _KINDS.fullmatch(text)
    kind, rest = match.groups() if match else ("", text)
    if kind in ("github", "bigquery"):
        return
    if kind == "git" or text.startswith("git+") or rest.endswith(".git"):
        raise InputError(
            f"--input {text}: a clone lies on this machine, and Dataflow's workers do not see its disk",
            hint="from GitHub: github:OWNER/NAME; others as an archive in a bucket: archive:gs://my-bucket/*.tar.gz",
        )
    if not remote(rest):
        raise InputError(
            f"--input {text}: Dataflow's workers do not see this machine's disk",
            hint="copy it to a bucket: parquet:gs://my-bucket/…, jsonl:gs://… or archive:gs://…",
        )


def remote(url: str) -> bool:
    """Whether a place is on another filesystem than this machine's.

    >>> remote("gs://mine/set"), remote("file:///set"), remote("build/set")
    (True, False, False)
    """
    return "://" in url and not url.startswith(("file://", "local://"))


def console_url(options: PipelineOptions, job: str) -> str:
    """Where a job is shown to people.

    >>> console_url(PipelineOptions(["--project", "mine", "--region", "europe-west4"]), "2026-1")
    'https://console.cloud.google.com/dataflow/jobs/europe-west4/2026-1?project=mine'
    """
    cloud = options.view_as(GoogleCloudOptions)
    where = f"https://console.cloud.google.com/dataflow/jobs/{cloud.region}/{job}"
    return f"{where}?project={cloud.project}"


def job_name(*parts: str) -> str:
    """A name that Dataflow takes: lower-case letters, digits and hyphens, a letter first, at most 63.

    >>> job_name("thresher", "function links")
    'thresher-function-links'
    """
    text = re.sub(r"[^a-z0-9]+", "-", "-".join(part for part in parts if part).lower()).strip("-")
    return (text if text[:1].isalpha() else f"j-{text}")[:JOB_NAME].rstrip("-")
