"""Logs: one JSON line per event (``--log json``), with stages, parts and counts; no content and no logins of URLs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TextIO

import orjson

from pipelines.journal import now, said_of
from pipelines.progress import Observer, Watch
from pipelines.stage import unit_record

EVENTS = (
    "job_began", "inputs_listing", "stage_kept", "stage_began", "part_finished", "stage_finished", "stage_failed",
    "job_finished", "job_failed",
)  # fmt: skip


@dataclass
class Log(Observer):
    """Writes a line per event, each with ``time``, ``event`` and ``level``.

    Parts are read from the records that workers leave, so the lines are the same on every engine.
    """

    out: TextIO
    _told: set[int] = field(default_factory=set)

    def say(self, event: str, level: str = "info", **fields: Any) -> None:
        """Write one line."""
        line = {"time": now(), "level": level, "event": event, **fields}
        self.out.write(orjson.dumps(line).decode() + "\n")
        self.out.flush()

    def listing(self) -> None:
        """Inputs are being listed."""
        self.say("inputs_listing")

    def kept(self, watch: Watch) -> None:
        """A stage was finished before."""
        self.say("stage_kept", stage=watch.label)

    def began(self, watch: Watch) -> None:
        """A stage is under way; parts of an earlier job are not told again."""
        self._told = set()
        self.say("stage_began", stage=watch.label, total=watch.total)

    def moved(self, watch: Watch, done: int) -> None:
        """Tell the parts that were finished since."""
        if watch.stage is not None:
            for part in set(watch.stage.done()) - self._told:
                self._part(watch, part, unit_record(watch.stage.place, part))

    def ended(self, watch: Watch, seconds: float) -> None:
        """Tell the parts that were not told, and the whole stage's counts."""
        commit = (watch.stage.committed() if watch.stage else None) or {}
        for part, one in enumerate(commit.get("each", ())):
            self._part(watch, part, one)
        counts = commit.get("counts", {})
        self.say("stage_finished", stage=watch.label, seconds=round(seconds, 3), counts=counts)

    def failed(self, watch: Watch, error: BaseException) -> None:
        """A stage ended early."""
        self.say("stage_failed", "error", stage=watch.label, **said_of(error))

    def _part(self, watch: Watch, part: int, record: dict[str, Any] | None) -> None:
        if record is not None and part not in self._told:
            self._told.add(part)
            self.say("part_finished", stage=watch.label, part=part, counts=record["counts"])
