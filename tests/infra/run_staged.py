"""Run a Dataflow job's staged pipeline in this process, as a worker's container would: from the bucket, nothing else.

Reads the job's JSON, fetches ``pipeline.pb`` and checks its hash, checks that the staged packages are those that are
installed here, puts this process in the place of the container, and runs.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sys
from pathlib import Path

import fsspec
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability import python_urns
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.portability.fn_api_runner import FnApiRunner


def _fetched(url: str) -> bytes:
    filesystem, path = fsspec.core.url_to_fs(url)
    return bytes(filesystem.cat_file(path))


def _check_packages(job: dict) -> None:
    import pipelines

    home = Path(pipelines.__file__).resolve().parent.parent
    assert home.name == "site-packages", home
    assert Path(sys.prefix) in home.parents, (sys.prefix, home)
    staged = [package for pool in job["environment"]["workerPools"] for package in pool.get("packages", [])]
    for package in (package for package in staged if package["name"].startswith("thresher-")):
        archive = _fetched(package["location"].replace("storage.googleapis.com/", "gs://"))
        expected = Path(sys.prefix, "sdist.sha256").read_text()
        assert hashlib.sha256(archive).hexdigest() == expected, (
            "another package than the one installed was staged"
        )


def main() -> None:
    logging.basicConfig(level=logging.WARNING)
    job = json.loads(Path(sys.argv[1]).read_text())
    options = job["environment"]["sdkPipelineOptions"]["options"]
    staged = _fetched(options["pipelineUrl"])
    assert hashlib.sha256(staged).hexdigest() == options["pipelineProtoHash"]
    _check_packages(job)
    pipeline = beam_runner_api_pb2.Pipeline.FromString(staged)
    for environment in pipeline.components.environments.values():
        environment.urn = python_urns.EMBEDDED_PYTHON
        environment.payload = b""
    result = FnApiRunner().run_via_runner_api(pipeline, PipelineOptions(["--direct_num_workers=1"]))
    result.wait_until_finish()


if __name__ == "__main__":
    main()
