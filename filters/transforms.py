"""The Beam twins of this room's functions."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import apache_beam as beam

from columns.beam import MapBatches
from filters.signals.text import SignalsConfig, measure_signals


@dataclass
class MeasureSignals(beam.PTransform):
    """Document batches -> row-aligned `filters.SIGNALS` batches; counts batches and rows as ``signals.*``."""

    config: SignalsConfig = field(default_factory=SignalsConfig)

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Wire the step."""
        return batches | MapBatches(partial(measure_signals, config=self.config), "signals")
