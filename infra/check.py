"""Check an image, or any environment, before jobs are sent to it: what would stop a worker is said now.

    python infra/check.py

It looks at versions, packages, kernels, tokenizers and whether the template's start can be made; it needs no network.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import apache_beam as beam

COMPILED_LAST = "dedup"
"""A room whose kernels are compiled when a dataset is built and not before: some others' are when they are loaded."""


def problems() -> Iterator[str]:
    """What is wrong, one line each."""
    for check in (_beam, _rooms, _kernels, _pickles, _template):
        yield from _tried(check)


def _tried(check: Callable[[], Iterator[str]]) -> Iterator[str]:
    try:
        yield from check()
    except Exception as error:
        yield f"{check.__name__.strip('_')}: {type(error).__name__}: {error}"


def _beam() -> Iterator[str]:
    expected = os.environ.get("THRESHER_BEAM", beam.__version__)
    if beam.__version__ != expected:
        yield f"apache-beam {beam.__version__}: the image starts workers of {expected}"


def _rooms() -> Iterator[str]:
    from pipelines.preflight import check_packages

    check_packages()
    version("thresher")
    yield from ()


def _kernels() -> Iterator[str]:
    place = os.environ.get("NUMBA_CACHE_DIR")
    if place and not any(Path(place).rglob(f"{COMPILED_LAST}_*/*.nbc")):
        yield f"{place}: no compiled kernels; run infra/warm.py with the same NUMBA_CPU_NAME"


def _pickles() -> Iterator[str]:
    from apache_beam.internal import pickler

    from pipelines.conductor import Conduct

    if not isinstance(pickler.loads(pickler.dumps(Conduct())), Conduct):
        yield "a step cannot be sent to workers"


def _template() -> Iterator[str]:
    from infra.flex.metadata import metadata

    if not metadata()["parameters"]:
        yield "the template has no parameters"


if __name__ == "__main__":
    found = list(problems())
    print("\n".join(found) or f"thresher {version('thresher')} with apache-beam {beam.__version__}: ready")
    sys.exit(bool(found))
