"""Stages: what is done, what is left, and the one file whose appearance means "finished".

A stage is a number of units of work (usually one per part). A worker writes a unit's outputs under
their final names and then a small record ``.done/00012.json`` with their sizes and its counts. A
killed run therefore loses the units in flight and nothing else. When every unit is recorded, the
records are folded into ``_stage.json``, the stage's commit point, and removed.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import orjson

from columns.errors import ThresherError
from columns.files import Place
from columns.fingerprint import fingerprint
from pipelines import metrics

COMMIT = "_stage.json"
_RECORDS = ".done"
_STARTED = "started.json"
_PROBLEM = "problem.json"


@dataclass(frozen=True)
class UnitRecord:
    """What one unit of work left: output names and counts."""

    outputs: tuple[str, ...]
    counts: Mapping[str, int]
    info: Mapping[str, Any]


@dataclass(frozen=True)
class Stage:
    """One stage of one dataset: ``place`` holds its outputs, ``fingerprint`` says what they depend on."""

    name: str
    place: Place
    fingerprint: str
    units: int
    upstream: str = ""

    def finished(self) -> bool:
        """Whether the committed outputs are for this fingerprint and all there."""
        commit = self.committed()
        if commit is None or commit["fingerprint"] != self.fingerprint:
            return False
        return all(
            self.place.exists(o["name"]) and self.place.size(o["name"]) == o["size"]
            for o in commit["outputs"]
        )

    def committed(self) -> dict[str, Any] | None:
        """The commit file, or None."""
        return read_json(self.place, COMMIT)

    def begin(self) -> list[int]:
        """Clear what belongs to another fingerprint or to no finished unit; returns the units left to do."""
        started = read_json(self._records, _STARTED)
        if started is None or started != self._identity():
            self.place.remove_tree()
            self._records.write_bytes(_STARTED, orjson.dumps(self._identity()))
        self.place.remove([COMMIT])
        self._records.remove([_PROBLEM])
        self.place.sweep()
        self._records.sweep()
        done = set(self.done())
        return [unit for unit in range(self.units) if unit not in done]

    def done(self) -> list[int]:
        """The recorded units."""
        names = [name for name in self._records.names() if name[:5].isdigit()]
        return [int(name.removesuffix(".json")) for name in names]

    def record(self, unit: int, record: UnitRecord) -> None:
        """Say that a unit is complete (called by the worker, after its outputs have their names)."""
        outputs = [{"name": name, **describe(self.place, name)} for name in record.outputs]
        self._write(unit, {"outputs": outputs, "counts": dict(record.counts), "info": dict(record.info)})

    def inherit(
        self,
        unit: int,
        old: Place,
        commit: Mapping[str, Any],
        counts: Mapping[str, int] | None = None,
    ) -> None:
        """Record a unit as an older stage's unit of the same number: its files are linked, not made again.

        ``commit`` is what the older stage committed at ``old``; ``counts`` stand instead of the older ones. Only right
        where the unit would come out the same.
        """
        each, data = commit["each"], commit["outputs"]
        first = sum(one["outputs"] for one in each[:unit])
        outputs = data[first : first + each[unit]["outputs"]]
        self.place.link([output["name"] for output in outputs], old)
        record = {
            "outputs": outputs,
            "counts": dict(counts or each[unit]["counts"]),
            "info": commit["units"][unit],
        }
        self._write(unit, record)

    def _write(self, unit: int, record: Mapping[str, Any]) -> None:
        self._records.write_bytes(f"{unit:05d}.json", orjson.dumps(record, option=orjson.OPT_SORT_KEYS))

    def fail(self, error: ThresherError) -> None:
        """Leave word of what the user can mend (called by the worker: runners hand on text, not exceptions)."""
        said = {"kind": type(error).__name__, "what": error.what, "hint": error.hint}
        with suppress(Exception):  # where this cannot be written either, the runner's text says it
            self._records.write_bytes(_PROBLEM, orjson.dumps(said))

    def problem(self) -> ThresherError | None:
        """The error that a worker left word of."""
        said = read_json(self._records, _PROBLEM)
        kinds = {kind.__name__: kind for kind in ThresherError.__subclasses__()}
        return (
            None if said is None else kinds.get(said["kind"], ThresherError)(said["what"], hint=said["hint"])
        )

    def commit(self, extra: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Fold the records into the commit file; returns its content."""
        records = [read_json(self._records, f"{unit:05d}.json") for unit in range(self.units)]
        if any(record is None for record in records):
            missing = [unit for unit, record in enumerate(records) if record is None]
            raise RuntimeError(
                f"{self.name}: the runner reported success but units {missing[:5]} left no record"
            )
        found = [record for record in records if record is not None]
        result = {
            "fingerprint": self.fingerprint,
            "upstream": self.upstream,
            "outputs": [output for record in found for output in record["outputs"]],
            "counts": dict(sorted(_total(record["counts"] for record in found).items())),
            "units": [record["info"] for record in found],
            "each": [{"outputs": len(record["outputs"]), "counts": record["counts"]} for record in found],
            **(extra or {}),
        }
        self.place.write_bytes(
            COMMIT, orjson.dumps(result, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2)
        )
        self._records.remove_tree()
        return result

    def note(self, **said: Any) -> None:
        """Add to the commit what outputs do not depend on: no fingerprint holds it."""
        commit = self.committed()
        if commit is not None and commit["fingerprint"] == self.fingerprint:
            text = orjson.dumps({**commit, **said}, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2)
            self.place.write_bytes(COMMIT, text)

    @property
    def _records(self) -> Place:
        return self.place.child(_RECORDS)

    def _identity(self) -> dict[str, Any]:
        return {"fingerprint": self.fingerprint, "units": self.units}


def _total(counts: Iterable[Mapping[str, int]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    return total


def describe(place: Place, name: str) -> dict[str, Any]:
    """Size and SHA-256 of a file."""
    digest = hashlib.sha256()
    with place.open(name) as source:
        while block := source.read(1 << 22):
            digest.update(block)
    return {"size": place.size(name), "sha256": digest.hexdigest()}


def stage_counts(place: Place) -> dict[str, int]:
    """What the finished stage of a folder counted; empty when there is none."""
    return dict((read_json(place, COMMIT) or {}).get("counts", {}))


def unit_records(place: Place, most: int) -> list[dict[str, Any]]:
    """What up to ``most`` finished units of a stage under way recorded: outputs, counts and info."""
    records = place.child(_RECORDS)
    names = [name for name in records.names() if name[:5].isdigit()]
    found = (read_json(records, name) for name in names[:most])
    return [record for record in found if record is not None]


def unit_record(place: Place, unit: int) -> dict[str, Any] | None:
    """What one finished unit of a stage under way recorded: outputs, counts and info."""
    return read_json(place.child(_RECORDS), f"{unit:05d}.json")


def outputs_fingerprint(commit: Mapping[str, Any]) -> str:
    """What the next stage depends on: names and contents of the outputs, not how they came about."""
    return fingerprint([[output["name"], output["sha256"]] for output in commit["outputs"]])


def read_json(place: Place, name: str) -> dict[str, Any] | None:
    """A small JSON file, or None where it is missing (or has just gone) or not JSON."""
    if not place.exists(name):
        return None
    try:
        data: dict[str, Any] = orjson.loads(place.read(name))
    except (orjson.JSONDecodeError, FileNotFoundError):
        return None
    return data


@dataclass(frozen=True)
class RunUnit:
    """A picklable step ``unit -> unit`` that does one unit's work and records it."""

    stage: Stage
    work: Callable[[int], UnitRecord]

    def __call__(self, unit: int) -> int:
        """Do the work, then record it."""
        try:
            with metrics.unit(self.stage.name):
                record = self.work(unit)
            self.stage.record(unit, record)
            metrics.of_unit(self.stage.name, record.counts)
        except ThresherError as error:
            self.stage.fail(error)
            raise
        return unit
