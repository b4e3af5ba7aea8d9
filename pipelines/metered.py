"""Metered: a build whose engine and stages note what they take, for plans and for benchmarks of the cost model.

Small inputs get no short cuts, so that the jobs are those of a large one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import apache_beam as beam

from columns.files import Place
from pipelines.build import Build
from pipelines.cost import Meter, cpu_seconds
from pipelines.dataset import MANIFEST, REPORT
from pipelines.engine import Engine
from pipelines.progress import StageRunner, Watch
from pipelines.stage import Stage


@dataclass(frozen=True)
class MeteredEngine(Engine):
    """A local engine that notes CPU seconds and shuffled bytes of each job."""

    meter: Meter = field(default_factory=Meter)
    _places: list[Place] = field(default_factory=list)

    @classmethod
    def of(cls, engine: Engine, meter: Meter) -> MeteredEngine:
        """The same engine, metered."""
        return cls(
            engine.runner, engine.workers, engine.mode, engine.options, engine.batch_bytes, meter=meter
        )

    @property
    def here(self) -> bool:
        """No: a lone unit is a job too."""
        return False

    def exchange(self, work: Place) -> Place:
        """Rows go by reference, so that their bytes can be counted."""
        self._places.append(work)
        return work

    def run(self, label: str, wire: Callable[[beam.Pipeline], None]) -> None:
        """Run a job and note what it took."""
        self._places.clear()
        before = cpu_seconds()
        Engine(self.runner, self.workers, self.mode, self.options, self.batch_bytes, book=self.book).run(
            label, wire
        )
        shuffled = sum(place.size(name) for place in set(self._places) for name in place.names())
        self.meter.job(label, cpu_seconds() - before, float(shuffled))


@dataclass(frozen=True)
class MeteredRunner(StageRunner):
    """Runs stages, and tells the meter which one it is."""

    meter: Meter = field(default_factory=Meter)

    def run(self, stage: Stage, watch: Watch, work: Callable[[], object]) -> dict[str, Any]:
        """Run one stage, noted."""
        self.meter.begin(watch.label)
        done = super().run(stage, watch, work)
        self.meter.end()
        return done


@dataclass
class MeteredBuild(Build):
    """A build whose stages are noted in ``meter``; its engine must be a `MeteredEngine` with the same."""

    meter: Meter = field(default_factory=Meter)

    @cached_property
    def runner(self) -> StageRunner:
        """Runs stages, noted."""
        return MeteredRunner(
            self.display, self.options.place, (MANIFEST, REPORT), self.engine.book, self.meter
        )
