"""`thresher build --runner dataflow` from end to end: real submissions, a double of the service, an emulated bucket.

What runs is what was staged: the package from the bucket in a clean environment, the pipeline from ``pipeline.pb``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from columns.files import Place
from columns.versions import Versions
from tests.infra.conftest import BUCKET, ROOT
from tests.infra.dataflow import DONE, Dataflow, Job
from tests.pipelines.building import result_bytes
from tests.pipelines.corpus import corpus

pytest.importorskip("google.cloud.dataflow_v1beta3", reason="needs thresher[gcp]")
pytestmark = pytest.mark.long

RECIPE = """
extends: codex
name: small
contamination: {suites: []}
layout: {parts: 2}
tokenizer: {vocab_size: 1024, sample_bytes: 400000}
pack: {seq_len: 256, shard_tokens: 65536, validation_fraction: 0.1}
"""
OPTIONS = (
    "--project", "my-project", "--region", "europe-west4", "--temp_location", f"gs://{BUCKET}/temp", "--no_auth",
    "--service_account_email", "worker@my-project.iam.gserviceaccount.com", "--machine_type", "n2-standard-4",
    "--max_num_workers", "8", "--sdk_container_image", "europe-west4-docker.pkg.dev/my-project/thresher/thresher:0.1.0",
)  # fmt: skip


@pytest.fixture
def code(bucket) -> str:
    """Code in a Parquet file in the bucket."""
    return stored(bucket, "june", list(corpus().items())[::4])


def stored(bucket, name: str, files: list[tuple[str, str]]) -> str:
    paths, texts = zip(*files, strict=True)
    table = pa.table({"repo": ["r"] * len(paths), "path": list(paths), "content": list(texts)})
    with bucket.open(f"{BUCKET}/in/{name}.parquet", "wb") as sink:
        pq.write_table(table, sink)
    return f"parquet:gs://{BUCKET}/in/{name}.parquet"


def next_month(bucket) -> str:
    """The same code but for a file that went, one that changed and some that came."""
    files = list(corpus().items())
    kept = files[::4][1:]
    return stored(bucket, "july", [*kept[:-1], (kept[-1][0], f"{kept[-1][1]}\nx = 1\n"), *files[1::32]])


def thresher(
    *args: str, environment: Mapping[str, str], timeout: float = 280
) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, in the checkout."""
    path = os.pathsep.join([str(ROOT), environment["THRESHER_TEST_SITE"]])
    return subprocess.run(
        [sys.executable, "-m", "pipelines", *args], capture_output=True, text=True, timeout=timeout, check=False,
        env={**environment, "PYTHONPATH": path}, cwd=ROOT, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def on_dataflow(service: Dataflow) -> tuple[str, ...]:
    return ("--runner", "dataflow", "--dataflow_endpoint", service.endpoint, *OPTIONS)


@pytest.mark.timeout(900)
def test_a_scheduled_refresh_makes_what_a_build_here_makes(
    tmp_path, bucket, bucket_environment, code, dataflow
):
    bucket.pipe(f"{BUCKET}/recipes/small.yaml", RECIPE.encode())
    recipe, changes = tmp_path / "small.yaml", ("--set", "guard.share=1.0", "--set", "pack.seq_len=128")
    recipe.write_text(RECIPE)
    here, there, july = f"gs://{BUCKET}/here", f"gs://{BUCKET}/there", next_month(bucket)
    done = thresher(
        "refresh", there, "--first", "--recipe", str(recipe), "-i", code, "-q", "--workers", "1", *changes,
        environment=bucket_environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    launched = launch(
        dataflow, bucket_environment, recipe=f"gs://{BUCKET}/recipes/small.yaml", input=july, output=there,
        set="guard.share=1.0;pack.seq_len=128", stage_machine_type="n2-standard-4", stage_max_workers="8",
    )  # fmt: skip
    assert launched.returncode == 0, launched.stderr
    status, conducting = dataflow.create(json.loads(bucket.cat(f"{BUCKET}/launch/job_object")))
    assert status == 200
    dataflow.wait(conducting["id"])
    assert [(job.state, job.said) for job in dataflow.jobs if job.state != DONE] == []
    done = thresher(
        "build",
        str(recipe),
        "-i",
        july,
        "-o",
        here,
        "-q",
        "--workers",
        "1",
        *changes,
        environment=bucket_environment,
    )
    assert done.returncode == 0, done.stderr
    second = Versions(Place(there)).at(2)
    assert_equal(result_bytes(Place(here)), result_bytes(second))
    assert json.loads(second.read("run.json"))["runner"] == "DataflowRunner"
    facts = Versions(Place(there)).record(2)["cost"]["facts"]
    assert facts["reused"] > facts["measured"] > 0
    assert_submitted(dataflow.jobs[1:])
    assert dataflow.jobs[0].environment["workerPools"][0]["autoscalingSettings"]["maxNumWorkers"] == 1


def launch(
    service: Dataflow, environment: Mapping[str, str], **parameters: str
) -> subprocess.CompletedProcess[str]:
    """What Dataflow's launcher does with the template: run its start, and say where the job goes."""
    given = [f"--{name}={value}" for name, value in parameters.items()]
    command = [
        sys.executable, str(ROOT / "infra" / "flex" / "main.py"), *given, "--runner=DataflowRunner",
        "--job_name=thresher-2026-11-22", "--project=my-project", "--region=europe-west4", "--no_auth",
        "--service_account_email=worker@my-project.iam.gserviceaccount.com", f"--dataflow_endpoint={service.endpoint}",
        f"--temp_location=gs://{BUCKET}/temp", f"--template_location=gs://{BUCKET}/launch/job_object",
    ]  # fmt: skip
    path = os.pathsep.join([str(ROOT), environment["THRESHER_TEST_SITE"]])
    image = "europe-west4-docker.pkg.dev/my-project/thresher/thresher:0.1.0"
    return subprocess.run(
        command, capture_output=True, text=True, timeout=200, check=False, stdin=subprocess.DEVNULL,
        env={**environment, "PYTHONPATH": path, "THRESHER_IMAGE": image},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("parameters", "said"),
    [({"recipe": "codexx"}, "recipe"), ({"input": "/data"}, "input"), ({"output": "here"}, "output"),
     ({"stage_machine_type": "big"}, "stage_machine_type"), ({"input": ""}, "input: missing")],
)  # fmt: skip
def test_a_wrong_parameter_stops_the_launch_in_a_line(dataflow, bucket_environment, parameters, said):
    given = {"recipe": "codex", "input": "bigquery:a.b.c", "output": f"gs://{BUCKET}/out"}
    done = launch(dataflow, bucket_environment, **{**given, **parameters})
    assert done.returncode == 2
    assert done.stderr.splitlines()[-2].startswith(f"error: {said}")
    assert done.stderr.splitlines()[-1].startswith("hint: for example")


def test_a_stage_runs_from_the_package_that_was_staged(
    tmp_path, bucket, bucket_environment, code, dataflow, worker
):
    recipe = tmp_path / "small.yaml"
    recipe.write_text(RECIPE)
    here, there = f"gs://{BUCKET}/here", f"gs://{BUCKET}/there"
    job = ("run", "ingest", str(recipe), "--input", code, "--quiet")
    done = thresher(*job, "-o", here, "--workers", "1", environment=bucket_environment)
    assert done.returncode == 0, done.stderr
    packages = ("--extra_package", str(worker.sdist))
    done = thresher(*job, "-o", there, *on_dataflow(dataflow), *packages, environment=bucket_environment)
    assert done.returncode == 0, done.stderr[-4000:]
    staged = [package["name"] for package in dataflow.jobs[0].environment["workerPools"][0]["packages"]]
    assert worker.sdist.name in staged
    left, right = Place(f"{here}/documents"), Place(f"{there}/documents")
    assert_equal(
        *({n: one.read(n) for n in one.names() if not n.startswith("_stage")} for one in (left, right))
    )


def assert_equal(left: dict[str, bytes], right: dict[str, bytes]) -> None:
    assert left.keys() == right.keys()
    assert [name for name in left if left[name] != right[name]] == []


def assert_submitted(jobs: list[Job]) -> None:
    """Every job asks for what was typed."""
    names = [job.name for job in jobs]
    assert len(set(names)) == len(names) >= 6
    for job in jobs:
        [pool] = job.environment["workerPools"]
        assert job.environment["serviceAccountEmail"] == "worker@my-project.iam.gserviceaccount.com"
        assert pool["machineType"] == "n2-standard-4"
        assert pool["autoscalingSettings"]["maxNumWorkers"] == 8
        [image] = pool["sdkHarnessContainerImages"]
        assert image["containerImage"].endswith("/thresher/thresher:0.1.0")
        assert image["useSingleCorePerContainer"]
        assert pool["numThreadsPerWorker"] == 2
        assert job.asked["type"] in (1, "JOB_TYPE_BATCH"), "by number or by name, as the client writes it"


def test_a_refusal_of_the_service_is_one_line(bucket_environment, code, dataflow):
    dataflow.refuse = lambda asked: "the caller does not have permission dataflow.jobs.create"
    done = thresher(
        "build", "codex", "-i", code, "-o", f"gs://{BUCKET}/out", "-q", *on_dataflow(dataflow),
        environment=bucket_environment,
    )  # fmt: skip
    assert done.returncode == 2
    last = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(last) == 1
    assert "dataflow.jobs.create" in last[0]
    assert "Traceback" not in done.stderr.split("error:")[-1]
