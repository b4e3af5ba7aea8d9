"""Runners: the Beam runners by the names people type, what is known of each, and which are refused.

What each was measured to do, and how to choose, is in docs/engines.md.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from columns.errors import EnvironmentProblem

LOCAL_RUNNERS = ("DirectRunner", "FnApiRunner")
PORTABLE = "PortableRunner"
DATAFLOW = "DataflowRunner"


@dataclass(frozen=True)
class Known:
    """What is known of a runner: why it is refused, or what to bear in mind; both empty where all is well."""

    name: str
    refused: str = ""
    caveat: str = ""


_UNTRIED = (
    "it has not been run with this program: compare a small build with DirectRunner's (docs/engines.md)"
)

RUNNERS: Mapping[str, Known] = {
    "direct": Known("DirectRunner"),
    "fnapi": Known("FnApiRunner"),
    "portable": Known(PORTABLE),
    "dataflow": Known(DATAFLOW),
    "flink": Known("FlinkRunner", caveat=_UNTRIED),
    "spark": Known("SparkRunner", caveat=_UNTRIED),
    "prism": Known("PrismRunner", caveat=_UNTRIED),
    "dask": Known(
        "DaskRunner",
        refused="Beam 2.77's runs only one of two sinks and misplaces tagged outputs, and reports success all the same",
    ),
}


def known_runner(name: str) -> Known:
    """A runner by name, in any case, with or without ``Runner``; `EnvironmentProblem` for others and refused ones.

    >>> known_runner("dataflow").name, known_runner("PortableRunner").name
    ('DataflowRunner', 'PortableRunner')
    """
    key = name.lower().removesuffix("runner")
    if key not in RUNNERS:
        near = difflib.get_close_matches(key, RUNNERS, 1, 0.6)
        raise EnvironmentProblem(
            f"--runner {name}: no runner of that name",
            hint=f"did you mean {near[0]}?"
            if near
            else "one of: direct, portable, dataflow, flink, spark, prism",
        )
    found = RUNNERS[key]
    if found.refused:
        raise EnvironmentProblem(
            f"--runner {name}: {found.refused}", hint="several processes of this machine: --runner portable"
        )
    return found
