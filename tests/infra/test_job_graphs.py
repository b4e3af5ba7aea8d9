"""Every job of a build, as Dataflow would get it: described by the real runner, written to a bucket, and looked at.

One build with everything switched on, whose engine describes each job to Dataflow before it does the work here.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.internal import pickler
from apache_beam.portability import common_urns
from apache_beam.portability.api import beam_runner_api_pb2
from rich.console import Console

from columns.beam import Exchange, MapBatches, Meet
from columns.files import Place
from contamination import ContaminationConfig
from contamination.transforms import Evidence
from dedup.transforms import BandTables, BucketPairs, Signatures
from filters.transforms import MeasureSignals
from pipelines.build import Build, BuildOptions
from pipelines.engine import Engine
from pipelines.indexing import make_index
from pipelines.progress import Display
from pipelines.recipe import load_recipe
from tests.infra.conftest import BUCKET, Worker, plain_environment
from tests.pipelines.building import recipe
from tests.pipelines.corpus import write_tree
from tests.pipelines.test_everything import EVERYTHING, OWN, corpus

pytest.importorskip("google.cloud.dataflow_v1beta3", reason="needs thresher[gcp]")
pytestmark = pytest.mark.long

IMAGE = "europe-west4-docker.pkg.dev/my-project/thresher/thresher:0.1.0"
OPTIONS = (
    "--project=my-project", "--region=europe-west4", f"--temp_location=gs://{BUCKET}/temp", "--no_auth",
    f"--sdk_container_image={IMAGE}", "--machine_type=n2-standard-4", "--max_num_workers=8",
)  # fmt: skip
LARGEST = 10 << 20  # what Dataflow takes as a job's description


@dataclass(frozen=True)
class Described:
    """A job: the request to the service and the pipeline beside it."""

    asked: dict[str, Any]
    pipeline: beam_runner_api_pb2.Pipeline


@dataclass(frozen=True)
class Describing(Engine):
    """Writes each job as a Dataflow template, then does its work here; no short cuts for small inputs."""

    jobs: list[str] = field(default_factory=list)

    @property
    def here(self) -> bool:
        return False

    def run(self, label: str, wire: Callable[[beam.Pipeline], None]) -> None:
        number = f"{len(self.jobs):02d}-{label.replace(' ', '-')}"
        where = f"gs://{BUCKET}/jobs/{number}"
        options = self._options(label)
        options.view_as(beam.options.pipeline_options.GoogleCloudOptions).template_location = f"{where}/job"
        options.view_as(beam.options.pipeline_options.GoogleCloudOptions).staging_location = where
        pipeline = beam.Pipeline(runner="DataflowRunner", options=options)
        wire(pipeline)
        pipeline.run()
        self.jobs.append(number)
        Engine("DirectRunner", 1).run(label, wire)


@pytest.fixture(scope="module")
def described(
    tmp_path_factory: pytest.TempPathFactory, worker: Worker, module_bucket: Any
) -> dict[str, Described]:
    """Every job by its number and name."""
    folder = tmp_path_factory.mktemp("graphs")
    (folder / "own.py").write_text(OWN)
    tree = write_tree(folder / "corpus", corpus())
    engine = Describing("DataflowRunner", options=(*OPTIONS, f"--extra_package={worker.sdist}"))
    loaded, display = load_recipe(recipe(folder, EVERYTHING)), Display(Console(), quiet=True)
    old = Place(str(folder / "old"))
    Build(loaded, BuildOptions((str(tree),), old), Engine("DirectRunner", 1), display).run()
    make_index(engine, old, Place(str(folder / "index")))
    options = BuildOptions(
        (str(tree),), Place(str(folder / "new")), reuse=old, against=(str(folder / "index"),)
    )
    build = Build(loaded, options, engine, display)
    build._check_engine = lambda: None  # type: ignore[method-assign]
    build.run()
    return {number: _fetched(module_bucket, number) for number in engine.jobs}


def _fetched(bucket: Any, number: str) -> Described:
    asked = json.loads(bucket.cat(f"{BUCKET}/jobs/{number}/job"))
    staged = asked["environment"]["sdkPipelineOptions"]["options"]["pipelineUrl"]
    return Described(asked, beam_runner_api_pb2.Pipeline.FromString(bucket.cat(staged)))


def test_every_kind_of_job_is_there(described):
    names = {number.split("-", 1)[1] for number in described}
    assert names >= {
        "ingest", "measure", "link", "against", "licenses", "functions", "paragraphs", "leaks", "components", "keepers",
        "decide", "cuts", "tokenizer", "tokens", "shards", "index", "reuse",
    }  # fmt: skip


def test_jobs_ask_for_what_was_typed(described):
    for number, job in described.items():
        environment = job.asked["environment"]
        [pool] = environment["workerPools"]
        assert pool["machineType"] == "n2-standard-4", number
        assert pool["autoscalingSettings"]["maxNumWorkers"] == 8
        assert [one["containerImage"] for one in pool["sdkHarnessContainerImages"]] == [IMAGE]
        assert job.asked["type"] == "JOB_TYPE_BATCH"
        assert job.asked["name"].startswith("thresher-")
        assert "use_runner_v2" in environment["experiments"]


def test_the_package_is_staged_with_every_job(described, worker):
    for job in described.values():
        [pool] = job.asked["environment"]["workerPools"]
        assert worker.sdist.name in {one["name"] for one in pool["packages"]}
        [environment] = job.pipeline.components.environments.values()
        names = {
            beam_runner_api_pb2.ArtifactStagingToRolePayload.FromString(one.role_payload).staged_name
            for one in environment.dependencies
        }
        assert worker.sdist.name in names


def test_every_step_runs_in_the_one_image(described):
    for number, job in described.items():
        [(name, environment)] = job.pipeline.components.environments.items()
        assert environment.urn == common_urns.environments.DOCKER.urn
        payload = beam_runner_api_pb2.DockerPayload.FromString(environment.payload)
        assert payload.container_image == IMAGE
        run = {
            one.environment_id for one in job.pipeline.components.transforms.values() if one.environment_id
        }
        assert run == {name}, number


def test_descriptions_are_small(described):
    sizes = {
        number: job.pipeline.ByteSize() + len(json.dumps(job.asked)) for number, job in described.items()
    }
    assert max(sizes.values()) < LARGEST / 20, sizes


def grouped(pipeline: beam_runner_api_pb2.Pipeline) -> Iterator[tuple[str, str]]:
    """Each GroupByKey with the id of its values' coder."""
    components = pipeline.components
    for transform in components.transforms.values():
        if transform.spec.urn == common_urns.primitives.GROUP_BY_KEY.urn:
            [collection] = transform.inputs.values()
            coder = components.coders[components.pcollections[collection].coder_id]
            assert coder.spec.urn == common_urns.coders.KV.urn, transform.unique_name
            yield transform.unique_name, coder.component_coder_ids[1]


def reached(pipeline: beam_runner_api_pb2.Pipeline, coder_id: str) -> Iterator[bytes]:
    coder = pipeline.components.coders[coder_id]
    yield coder.spec.payload
    for inner in coder.component_coder_ids:
        yield from reached(pipeline, inner)


@pytest.mark.parametrize(
    "name", ["ingest", "link", "against", "keepers", "paragraphs", "tokenizer", "reuse", "index"]
)
def test_rows_that_are_shuffled_travel_as_arrow(described, name):
    job = next(job for number, job in described.items() if number.split("-", 1)[1] == name)
    exchanges = [
        (step, b"".join(reached(job.pipeline, coder)))
        for step, coder in grouped(job.pipeline)
        if "ReshufflePerKey" not in step
    ]
    assert exchanges
    assert [step for step, payloads in exchanges if b"RecordBatchCoder" not in payloads] == []


def test_work_that_is_only_a_list_of_parts_is_spread_and_shuffles_nothing_else(described):
    for name in ("measure", "decide", "tokens", "shards"):
        job = next(job for number, job in described.items() if number.split("-", 1)[1] == name)
        assert all("Reshuffle" in step for step, _ in grouped(job.pipeline)), name


@pytest.mark.timeout(900)
def test_every_step_and_every_public_transform_is_read_by_a_worker(described, worker, tmp_path):
    files = []
    for number, job in described.items():
        files.append(tmp_path / f"{number}.pb")
        files[-1].write_bytes(job.pipeline.SerializeToString())
    public = (
        MeasureSignals(), Signatures(), BandTables(), BucketPairs(), Evidence(ContaminationConfig().index()),
        MapBatches(abs), Meet(len, 2), Exchange(len, 2),
    )  # fmt: skip
    assert {type(one) for one in public} == set(transforms())
    for at, transform in enumerate(public):
        files.append(tmp_path / f"{at}.pkl")
        files[-1].write_bytes(pickler.dumps(transform))
    script = Path(__file__).with_name("unpickle.py")
    done = subprocess.run(
        [worker.python, "-I", str(script), *map(str, files)], capture_output=True, text=True, check=False,
        timeout=800, env=plain_environment(), cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["transforms"] == len(public)
    assert found["steps"] > 40
    [home] = found["homes"]
    assert Path(worker.python).parent.parent in Path(home).parents


def transforms() -> Iterator[type]:
    """Every transform of the rooms."""
    waiting = list(beam.PTransform.__subclasses__())
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind.__module__.split(".")[0] in {"columns", "filters", "dedup", "contamination", "sources"}:
            yield kind


def test_a_name_that_dataflow_would_not_take_is_never_given(described):
    for job in described.values():
        assert re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", job.asked["name"]), job.asked["name"]
