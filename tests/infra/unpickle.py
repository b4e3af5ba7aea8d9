"""Read what was sent to workers, in the environment of a worker: every step of the given pipelines and transforms.

Run by the clean environment's Python with files: ``.pb`` pipelines, ``.pkl`` pickled transforms. Prints, as JSON, how
many steps and transforms were read, and the folders that the rooms came from.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from apache_beam.coders.coders import deserialize_coder
from apache_beam.internal import pickler
from apache_beam.portability import common_urns
from apache_beam.portability.api import beam_runner_api_pb2


def steps(pipeline: beam_runner_api_pb2.Pipeline) -> int:
    """Unpickle each step; returns their number."""
    found = 0
    for transform in pipeline.components.transforms.values():
        if transform.spec.urn == common_urns.primitives.PAR_DO.urn:
            payload = beam_runner_api_pb2.ParDoPayload.FromString(transform.spec.payload)
            assert pickler.loads(payload.do_fn.payload) is not None
            found += 1
    for coder in pipeline.components.coders.values():
        if coder.spec.urn == "beam:coder:pickled_python:v1":
            assert deserialize_coder(coder.spec.payload) is not None
    return found


def main(files: list[Path]) -> None:
    read = {"steps": 0, "transforms": 0}
    for file in files:
        if file.suffix == ".pb":
            read["steps"] += steps(beam_runner_api_pb2.Pipeline.FromString(file.read_bytes()))
        else:
            assert pickler.loads(file.read_bytes()) is not None
            read["transforms"] += 1
    ours = ("columns", "contamination", "dedup", "filters", "pipelines", "shards", "sources")
    found = [str(sys.modules[name].__file__) for name in ours if name in sys.modules]
    homes = sorted({str(Path(file).parent.parent) for file in found})
    print(json.dumps({**read, "homes": homes}))


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
