"""Metrics: the names of what is counted and timed, in one place, and the book in which a job's figures meet.

Workers count into Beam's metrics under the namespace `NAMESPACE`, so a service shows them while a job runs; a unit that
is done without a pipeline counts into a `Book` directly. The names are stable: dashboards and alerts are made from them
(`infra/terraform`, docs/observability.md). A runner that repeats work counts it again: what a dataset holds is told by
the stages' own counts, never by these.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from typing import Any

from apache_beam.metrics import Metrics, MetricsFilter

NAMESPACE = "thresher"

FILES_READ, BYTES_READ = "files_read", "bytes_read"
FILES_MEASURED, FILES_REUSED = "files_measured", "files_reused"
FILES_DECIDED, FILES_TOKENISED = "files_decided", "files_tokenised"
TOKENS_WRITTEN = "tokens_written"
CONDUCTED_READ, CONDUCTED_KEPT = "conducted/files_read", "conducted/files_kept"

NAMES: Mapping[str, str] = {
    FILES_READ: "files that ingest read, with and without text",
    BYTES_READ: "their bytes",
    "files_marked/<problem>": "files without text, by problem",
    FILES_MEASURED: "files whose facts were measured",
    FILES_REUSED: "files whose facts an older dataset had",
    FILES_DECIDED: "files that were decided on",
    "rule/<rule>/dropped": "files that a rule dropped, the first one that did",
    FILES_TOKENISED: "files whose tokens were made or taken over",
    TOKENS_WRITTEN: "tokens written to shards",
    "kernel/<kernel>/rows": "files that a kernel measured",
    "kernel/<kernel>/milliseconds": "distribution: what a batch took in a kernel",
    "stage/<stage>/unit_milliseconds": "distribution: what a unit of a stage took",
    CONDUCTED_READ: "files that a conducted build read",
    CONDUCTED_KEPT: "files that a conducted build kept",
}
"""Every name, with ``<…>`` where a part of it is a problem, a rule, a kernel or a stage."""

_COUNTED: Mapping[tuple[str, str], str] = {
    ("ingest", "files"): FILES_READ, ("ingest", "bytes"): BYTES_READ, ("measure", "measured"): FILES_MEASURED,
    ("measure", "reused"): FILES_REUSED, ("decide", "files"): FILES_DECIDED, ("tokens", "documents"): FILES_TOKENISED,
    ("shards", "written"): TOKENS_WRITTEN,
}  # fmt: skip


def known(name: str) -> bool:
    """Whether a name is one of `NAMES`.

    >>> known("rule/line_max/dropped"), known("rules.dropped")
    (True, False)
    """
    patterns = (re.sub(r"<\w+>", "[^/]+", one) for one in NAMES)
    return any(re.fullmatch(pattern, name) for pattern in patterns)


@dataclass
class Spread:
    """A distribution of whole numbers: how many, their sum, the least and the most."""

    count: int = 0
    sum: int = 0
    min: int = 0
    max: int = 0

    def join(self, other: Spread) -> Spread:
        """Both together.

        >>> Spread(1, 5, 5, 5).join(Spread(2, 4, 1, 3))
        Spread(count=3, sum=9, min=1, max=5)
        """
        if not (self.count and other.count):
            return self if self.count else other
        least, most = min(self.min, other.min), max(self.max, other.max)
        return Spread(self.count + other.count, self.sum + other.sum, least, most)


@dataclass
class Book:
    """The figures of the jobs of a stage, and who is told when a service takes a job."""

    counters: Counter[str] = field(default_factory=Counter)
    spreads: dict[str, Spread] = field(default_factory=dict)
    submitted: Callable[[str, str, str], None] | None = None

    def spread(self, name: str, other: Spread) -> None:
        """Add to a distribution."""
        self.spreads[name] = self.spreads.get(name, Spread()).join(other)

    def add(self, result: Any) -> None:
        """Take over what a finished pipeline's metrics say; a service that does not answer costs the figures only."""
        with suppress(Exception):
            found = result.metrics().query(MetricsFilter().with_namespace(NAMESPACE))
            for one in found["counters"]:
                self.counters[one.key.metric.name] += one.result or 0
            for one in found["distributions"]:
                value = one.result
                if value.count:
                    self.spread(one.key.metric.name, Spread(value.count, value.sum, value.min, value.max))

    def taken(self) -> dict[str, dict[str, Any]]:
        """What is in the book, as plain data; the book is empty afterwards."""
        spreads = {name: asdict(one) for name, one in sorted(self.spreads.items())}
        found: dict[str, dict[str, Any]] = {
            "counters": dict(sorted(self.counters.items())),
            "distributions": spreads,
        }
        self.counters, self.spreads = Counter(), {}
        return found


_BOOK: ContextVar[Book | None] = ContextVar("book", default=None)


@contextmanager
def counting_into(book: Book) -> Iterator[None]:
    """Count into a book instead of into Beam's metrics while the block runs."""
    before = _BOOK.set(book)
    try:
        yield
    finally:
        _BOOK.reset(before)


def count(name: str, amount: int = 1) -> None:
    """Add to a counter of `NAMES`."""
    book = _BOOK.get()
    if book is not None:
        book.counters[name] += amount
    else:
        Metrics.counter(NAMESPACE, name).inc(amount)


def spread(name: str, value: int) -> None:
    """Add a number to a distribution of `NAMES`."""
    book = _BOOK.get()
    if book is not None:
        book.spread(name, Spread(1, value, value, value))
    else:
        Metrics.distribution(NAMESPACE, name).update(value)


@contextmanager
def kernel(name: str, rows: int) -> Iterator[None]:
    """Time a kernel on a batch of so many rows; the kernel itself knows nothing of it."""
    started = time.perf_counter()
    yield
    spread(f"kernel/{name}/milliseconds", round((time.perf_counter() - started) * 1000))
    count(f"kernel/{name}/rows", rows)


@contextmanager
def unit(stage: str) -> Iterator[None]:
    """Time one unit of a stage."""
    started = time.perf_counter()
    yield
    spread(f"stage/{stage}/unit_milliseconds", round((time.perf_counter() - started) * 1000))


def of_unit(stage: str, counts: Mapping[str, int]) -> None:
    """Count what a unit of a stage recorded, under the names that are stable."""
    for name, number in counts.items():
        if number and (stable := _stable(stage, name)):
            count(stable, number)


def _stable(stage: str, name: str) -> str:
    if stage == "ingest" and name.startswith("problem."):
        return f"files_marked/{name.removeprefix('problem.')}"
    if stage == "decide" and name.startswith("files."):
        return f"rule/{name.removeprefix('files.')}/dropped"
    return _COUNTED.get((stage, name), "")


def slowest(metrics: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Kernels with the seconds they took, the slowest first.

    >>> slowest({"distributions": {"kernel/text/milliseconds": {"sum": 1500}}})
    [('text', 1.5)]
    """
    spreads = metrics.get("distributions", {}).items()
    kernels = ((re.fullmatch(r"kernel/(.+)/milliseconds", name), one["sum"]) for name, one in spreads)
    return sorted(
        ((match[1], total / 1000) for match, total in kernels if match), key=lambda item: (-item[1], item[0])
    )
