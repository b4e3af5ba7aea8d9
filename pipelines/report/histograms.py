"""Histograms of the signals: two passes over the facts, a few hundred numbers in memory."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipelines.finished import Finished, Rule
from pipelines.report.charts import Mark, histogram_chart
from pipelines.wording import drops_when, measured, size, some, step_title

BINS, MOST, RULES_NAMED = 40, 24, 6
ABOVE = frozenset({">", ">=", "gt", "ge"})


@dataclass(frozen=True)
class Scale:
    """How a signal's values are cut into bins: linear within [0, 1], logarithmic beyond it."""

    low: float
    high: float
    log: bool

    @classmethod
    def fit(cls, low: float, high: float) -> Scale:
        """The scale for values between ``low`` and ``high``."""
        if 0 <= low and high <= 1:
            return cls(0.0, 1.0, log=False)
        if low < 0:
            return cls(low, high if high > low else low + 1, log=False)
        return cls(0.0, max(1.0, math.log10(1 + high)), log=True)

    def place(self, values: np.ndarray) -> np.ndarray:
        """Positions from 0 to 1, ``float64[n]``."""
        found = np.log10(1 + np.maximum(values, 0)) if self.log else values
        return np.clip((found - self.low) / (self.high - self.low), 0, 1)

    def ticks(self) -> list[tuple[float, str]]:
        """Positions and labels of the axis."""
        if not self.log:
            steps = [self.low + (self.high - self.low) * part / 4 for part in range(5)]
            return [(part / 4, f"{value:g}") for part, value in enumerate(steps)]
        powers = range(math.ceil(self.high) + 1)
        every = max(1, len(powers) // 5)
        values = [0.0, *(10.0**power for power in powers[::every])]
        at = self.place(np.array(values))
        shown = [
            (float(x), _tick(v)) for x, v in zip(at, values, strict=True) if math.log10(1 + v) <= self.high
        ]
        return [shown[0], *(tick for tick in shown[1:] if tick[0] > 0.08)]


def _tick(value: float) -> str:
    return f"{value:g}" if value < 1000 else size(value).replace(" ", "").removesuffix("B")


@dataclass(frozen=True)
class Histogram:
    """One signal: files per bin, kept and dropped, and the rules over it."""

    signal: str
    scale: Scale
    kept: np.ndarray
    dropped: np.ndarray
    rules: tuple[Rule, ...]
    unmeasured: int

    def chart(self) -> str:
        """The histogram as SVG."""
        marks = list(dict.fromkeys(self._mark(rule) for rule in self.rules if _number(rule.value)))
        total = int(self.kept.sum() + self.dropped.sum())
        title = f"{self.signal}: {measured(total)} files, {measured(int(self.dropped.sum()))} of them dropped"
        return histogram_chart(self.kept.tolist(), self.dropped.tolist(), self.scale.ticks(), marks, title)

    def _mark(self, rule: Rule) -> Mark:
        at = float(self.scale.place(np.array([float(rule.value)]))[0])
        scope = f" for {some(rule.languages, 2)}" if rule.languages else ""
        listed = " when not in the table" if rule.table else ""
        return Mark(at, f"{drops_when(rule.op, rule.value)}{scope}{listed}", rule.op in ABOVE)

    def rule_names(self) -> str:
        """The rules over this signal, and the tables that give them thresholds."""
        tables = list(dict.fromkeys(rule.table for rule in self.rules if rule.table))
        names = some([step_title(rule.name) for rule in self.rules], RULES_NAMED)
        return f"{names}; thresholds by language: {', '.join(tables)}" if tables else names


def histograms(dataset: Finished) -> list[Histogram]:
    """The signals that rules look at, in the rules' order; yes/no signals have no histogram.

    Of more than `MOST` those whose rules removed most files.
    """
    rules = dataset.rules()
    names = _chosen(dataset, rules)
    ranges = _ranges(dataset, names)
    scales = {
        name: _with_limits(ranges[name], [r for r in rules if r.signal == name])
        for name in names
        if name in ranges and _varies(ranges[name], name, rules)
    }
    counts = {name: np.zeros((2, BINS), np.int64) for name in scales}
    missing = dict.fromkeys(scales, 0)
    for part in dataset.parts():
        kept = dataset.ledger(part, ["kept"]).column("kept").to_numpy().astype(bool)
        facts = dataset.facts(part, list(scales))
        for name, scale in scales.items():
            values = _values(facts.column(name))
            known = np.isfinite(values)
            missing[name] += int((~known).sum())
            bins = np.minimum((scale.place(values[known]) * BINS).astype(np.int64), BINS - 1)
            counts[name] += np.stack(
                [np.bincount(bins[kept[known] == side], minlength=BINS) for side in (True, False)]
            )
    return [
        Histogram(
            name,
            scale,
            counts[name][0],
            counts[name][1],
            tuple(r for r in rules if r.signal == name),
            missing[name],
        )
        for name, scale in scales.items()
    ]


def undrawn(dataset: Finished, drawn: list[Histogram]) -> list[str]:
    """The measured signals without a histogram, in the order of the facts."""
    shown = {histogram.signal for histogram in drawn}
    return [name for name in dataset.signals().names if name not in shown]


def _chosen(dataset: Finished, rules: list[Rule]) -> list[str]:
    numbers = {field.name for field in dataset.signals() if not pa.types.is_boolean(field.type)}
    removed = {step["rule"]: step["removed_files"] for step in dataset.section("funnel") or ()}
    weight: dict[str, int] = {}
    for rule in rules:
        if rule.signal in numbers:
            weight[rule.signal] = weight.get(rule.signal, 0) + removed.get(rule.name, 0)
    best = sorted(weight, key=lambda name: -weight[name])[:MOST]
    return [name for name in weight if name in best]


def _ranges(dataset: Finished, names: list[str]) -> dict[str, tuple[float, float]]:
    found: dict[str, tuple[float, float]] = {}
    for part in dataset.parts():
        facts = dataset.facts(part, names)
        for name in names:
            values = _values(facts.column(name))
            values = values[np.isfinite(values)]
            if len(values):
                low, high = found.get(name, (math.inf, -math.inf))
                found[name] = (min(low, float(values.min())), max(high, float(values.max())))
    return found


def _with_limits(found: tuple[float, float], rules: list[Rule]) -> Scale:
    limits = [float(rule.value) for rule in rules if _number(rule.value)]
    return Scale.fit(
        min(found[0], *limits, *found),
        max(found[1], *(limit * 1.3 if limit > 1 else limit for limit in limits), *found),
    )


def _values(column: pa.ChunkedArray) -> np.ndarray:
    return np.asarray(column.cast(pa.float64(), safe=False).to_numpy(), np.float64)


def _varies(found: tuple[float, float], name: str, rules: list[Rule]) -> bool:
    """Whether a histogram says anything: the values differ, or a rule is over them."""
    return found[0] < found[1] or any(rule.signal == name for rule in rules)


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
