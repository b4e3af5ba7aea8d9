"""Ticker: progress as JSON lines for machines (``--progress json``), one about every second while a stage runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TextIO

import orjson

from pipelines.progress import Observer, Watch

FIELDS: Mapping[str, tuple[tuple[type, ...], str]] = {
    "event": ((str,), "always `progress`"),
    "stage": ((str,), "the stage's name; `list` while inputs are being listed"),
    "state": ((str,), "`running`, `finished`, `failed`, or `kept` for a stage that an earlier job finished"),
    "done": ((int, type(None)), "units that are done; null where they are not counted"),
    "total": ((int, type(None)), "units in all; null where they are not counted"),
    "rate": ((float, type(None)), "units a second since the stage began here; null as long as none is done"),
    "eta": ((float, type(None)), "seconds that are left at this rate; null where there is none"),
    "seconds": ((float,), "seconds since the stage began here"),
}
"""The fields of a line, all of them always there: types, and what they say (docs/observability.md)."""


@dataclass
class Ticker(Observer):
    """Writes a line at every turn of a stage, and while it runs."""

    out: TextIO
    clock: Callable[[], float] = time.monotonic
    _began: float = 0.0
    _first: int | None = None
    _last: int = field(default=0)

    def listing(self) -> None:
        """Inputs are being listed."""
        self._say("list", "running", None, None)

    def kept(self, watch: Watch) -> None:
        """A stage was finished before."""
        self._say(watch.label, "kept", watch.total, watch.total)

    def began(self, watch: Watch) -> None:
        """A stage is under way."""
        self._began, self._first, self._last = self.clock(), None, 0
        self._say(watch.label, "running", 0, watch.total)

    def moved(self, watch: Watch, done: int) -> None:
        """So many units are done; those that were done when it was first looked make no rate."""
        self._first = done if self._first is None else self._first
        self._last = done
        seconds = self.clock() - self._began
        rate = (done - self._first) / seconds if seconds > 0 and done > self._first else None
        self._say(watch.label, "running", done, watch.total, seconds, rate)

    def ended(self, watch: Watch, seconds: float) -> None:
        """A stage is finished."""
        rate = watch.total / seconds if seconds > 0 and watch.total else None
        self._say(watch.label, "finished", watch.total, watch.total, seconds, rate)

    def failed(self, watch: Watch, error: BaseException) -> None:
        """A stage ended early."""
        self._say(watch.label, "failed", self._last, watch.total, self.clock() - self._began)

    def _say(
        self,
        stage: str,
        state: str,
        done: int | None,
        total: int | None,
        seconds: float = 0.0,
        rate: float | None = None,
    ) -> None:
        eta = None if not rate or done is None or total is None else max(0, total - done) / rate
        line: dict[str, Any] = {
            "event": "progress", "stage": stage, "state": state, "done": done, "total": total,
            "rate": None if rate is None else round(rate, 3), "eta": None if eta is None else round(eta, 1),
            "seconds": round(float(seconds), 3),
        }  # fmt: skip
        self.out.write(orjson.dumps(line).decode() + "\n")
        self.out.flush()
