"""The run's log: what ran how long, with which versions. It is no part of the dataset: nothing is decided from it."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import orjson

from columns.files import Place
from pipelines.dataset import RUN
from pipelines.engine import Engine

_PACKAGES = ("thresher", "apache-beam", "pyarrow", "numpy", "numba", "tokenizers", "tiktoken")


def write_log(place: Place, engine: Engine, stages: Sequence[Mapping[str, Any]]) -> None:
    """Write ``run.json``: the stages as they are given, the engine, and the versions of Python and of packages."""
    log = {
        "stages": stages,
        "runner": engine.name,
        "workers": engine.workers,
        "mode": engine.mode,
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _PACKAGES},
    }
    place.write_bytes(RUN, orjson.dumps(log, option=orjson.OPT_INDENT_2))
