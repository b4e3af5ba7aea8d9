"""Scores: what the verdicts of a samples file come to."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

from columns.errors import InputError
from instruct.evaluation.passing import PassRate, pass_rate
from instruct.evaluation.samples import SETTINGS, Sample
from instruct.sandbox import Outcome

USUAL_K = (1, 10, 100)


@dataclass(frozen=True)
class Scores:
    """A suite's result. ``solved`` tasks have a sample that passes; ``unattempted`` tasks have no sample at all.

    ``outcomes`` and ``reasons`` count samples; ``stops`` those that were cut, by stop sequence. ``settings`` are the
    values that the samples say they were drawn with.
    """

    suite: str
    tasks: int
    unattempted: int
    samples: int
    distinct: int
    solved: int
    rates: tuple[PassRate, ...]
    outcomes: Mapping[str, int]
    reasons: Mapping[str, int]
    stops: Mapping[str, int]
    settings: Mapping[str, Sequence[Any]]

    def row(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def scores(
    suite: str,
    verdicts: pa.Table,
    tasks: Collection[str],
    ks: Sequence[int] = (),
    said: Iterable[Sample] = (),
) -> Scores:
    """Scores over `VERDICT` rows; ``tasks`` are all of the suite, ``ks`` of which pass@k is asked.

    Without ``ks`` those of `USUAL_K` that every attempted task has samples for. pass@k is a mean over attempted tasks.
    Raises `InputError` for a k that some task has too few samples for.
    """
    counts = task_counts(verdicts)
    fewest = min((n for n, _ in counts.values()), default=0)
    refuse_few({task: n for task, (n, _) in counts.items()}, ks)
    asked = tuple(ks) or tuple(k for k in USUAL_K if k <= fewest)
    return Scores(
        suite,
        len(tasks),
        len(set(tasks) - set(counts)),
        verdicts.num_rows,
        verdicts["same_as"].null_count,
        sum(c > 0 for _, c in counts.values()),
        tuple(pass_rate(list(counts.values()), k) for k in asked),
        _counted(verdicts["outcome"].to_pylist()),
        _counted(reason for reason in verdicts["reason"].to_pylist() if reason),
        _counted(stop for stop in verdicts["stop"].to_pylist() if stop is not None),
        settings(said),
    )


def task_counts(verdicts: pa.Table) -> dict[str, tuple[int, int]]:
    """Samples, and samples that pass every test, of each task in the order of the verdicts.

    >>> from instruct.evaluation.judging import VERDICT
    >>> rows = [{"task_id": "a", "outcome": "all_pass"}, {"task_id": "a", "outcome": "some_pass"}]
    >>> task_counts(pa.Table.from_pylist(rows, schema=VERDICT))
    {'a': (2, 1)}
    """
    counts: dict[str, tuple[int, int]] = {}
    columns = (verdicts[name].to_pylist() for name in ("task_id", "outcome"))
    for task, outcome in zip(*columns, strict=True):
        n, c = counts.get(task, (0, 0))
        counts[task] = (n + 1, c + (outcome == Outcome.ALL_PASS.value))
    return counts


def refuse_few(counts: Mapping[str, int], ks: Sequence[int]) -> None:
    """Refuse, with an `InputError`, a k that some task has too few samples for; ``counts`` are samples per task."""
    for k in ks:
        few = [(task, n) for task, n in counts.items() if n < k]
        if few:
            task, n = few[0]
            what = f"pass@{k}: {len(few):,} of {len(counts):,} tasks have fewer than {k} samples ({task} has {n})"
            raise InputError(what, hint="ask for a smaller k, or draw more samples")


def _counted(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items(), key=lambda item: (-item[1], item[0])))


def settings(samples: Iterable[Sample]) -> dict[str, list[Any]]:
    """The distinct values of each setting that samples name, smallest first.

    >>> settings([Sample("a", 0, "", {"temperature": 0.8}), Sample("a", 1, "", {"temperature": 0.2})])
    {'temperature': [0.2, 0.8]}
    """
    found: dict[str, dict[str, Any]] = {}
    for sample in samples:
        for name, value in sample.settings.items():
            found.setdefault(name, {}).setdefault(repr(value), value)
    return {name: sorted(found[name].values(), key=_order) for name in SETTINGS if name in found}


def _order(value: Any) -> tuple[float, str]:
    """Numbers by size, before all else."""
    number = type(value) is int or (type(value) is float and not math.isnan(value))
    return value if number else math.inf, repr(value)
