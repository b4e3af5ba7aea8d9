"""Steps: what an instruction dataset is made by, each one a resumable job over files.

A step reads tables of earlier steps and makes one table of its own, kept as Parquet parts. It is spread in one of three
ways: over the ``parts`` of the dataset (the rows of one part are made from that part of what it reads), over the
``inputs`` of a role (one unit for each of them), or not at all (``whole``: what compares all rows with each other, or
asks a model). Rows go to parts by a hash of their key, so a step's files depend on nothing but its rows.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from columns.errors import OutputError
from columns.files import PartName, Place
from columns.fingerprint import code_fingerprint, fingerprint
from columns.hashing import unit_hash
from columns.tables import read_whole, write_table
from instruct.models import Access, Budget, Cost, Model, ModelConfig, open_model
from pipelines.instruction.benchmarks import digests
from pipelines.instruction.inputs import Input
from pipelines.stage import Stage, UnitRecord

if TYPE_CHECKING:
    from instruct.sandbox import Limits, Sandbox

PARTS, INPUTS, WHOLE = "parts", "inputs", "whole"
RECORDING = "answers.jsonl"
"""What live models answered, in the dataset's directory: kept when a step is made again."""
KEY_VARIABLE = "THRESHER_MODEL_KEY"
"""The environment variable that holds the models' API key; ``THRESHER_TEACHER_KEY`` is that of the teacher alone."""
_SALT = "instruct/part"


@dataclass(frozen=True)
class Made:
    """What a step made of one unit: rows, counts, and files beside the parts (exports) by name, as lines of bytes."""

    table: pa.Table
    counts: Mapping[str, int] = field(default_factory=Counter)
    files: Mapping[str, Iterable[bytes]] = field(default_factory=dict)


def _unsaid(_line: str) -> None:
    """Nobody listens."""


@dataclass(frozen=True)
class ModelAccess:
    """How the models of a build are reached: by role a URL or a file of recorded answers, and what may be spent.

    The budget is that of all models together: what they answer goes into one recording.
    """

    sources: Mapping[str, str] = field(default_factory=dict)
    budget: Budget = field(default_factory=Budget)


@dataclass(frozen=True)
class Context:
    """What a step can see: the recipe's section, the inputs by role, what earlier steps made, models, the sandbox.

    ``say`` tells the user a line; only steps that are ``whole`` are heard.
    """

    place: Place
    parts: int
    config: Any
    inputs: Mapping[str, tuple[Input, ...]]
    models: ModelAccess
    workers: int = 0
    say: Callable[[str], None] = _unsaid

    def read(self, step: str, unit: int, columns: Sequence[str] | None = None) -> pa.Table:
        """One part of what a step made."""
        place = self.place.child(step)
        return read_whole(place, part_names(place)[unit], columns)

    def read_all(self, step: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Everything that a step made, in the order of its parts."""
        place = self.place.child(step)
        return pa.concat_tables([read_whole(place, name, columns) for name in part_names(place)])

    def sandbox(self, limits: Limits, *, whole: bool = False) -> Sandbox:
        """A sandbox for one unit; a step that is one unit takes all workers."""
        from instruct.sandbox import Sandbox

        return Sandbox(limits=limits, workers=self.workers if whole else 1)

    def model(self, role: str, config: ModelConfig) -> Model:
        """The model of a role; what a live one answers is recorded in the dataset, so nothing is asked twice."""
        record = Path(self.place.path(RECORDING))
        access = Access(key_variable(role), record, self.models.budget, say=self.say)
        return open_model(self.models.sources[role], config, access)


def key_variable(role: str) -> str | None:
    """The environment variable that holds a role's key, its own one before that of all; None where neither is set.

    >>> key_variable("nobody-has-this-role") in (None, KEY_VARIABLE)
    True
    """
    own = f"THRESHER_{role.upper().replace('-', '_')}_KEY"
    return next((name for name in (own, KEY_VARIABLE) if os.environ.get(name)), None)


Make = Callable[[Context, int], Made]


@dataclass(frozen=True)
class Step:
    """One step. ``uses`` are the fields of the recipe's section that it depends on, ``code`` the modules it runs.

    ``key`` is the column by whose hash rows go to parts; ``role``: the inputs that an ``inputs`` step is spread over.
    ``asks``: the roles of the models that it asks; a step that asks one is ``whole``.
    """

    name: str
    make: Make
    schema: pa.Schema
    about: str
    reads: tuple[str, ...] = ()
    spread: str = PARTS
    role: str = ""
    roles: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    code: tuple[str, ...] = ("instruct",)
    key: str = "id"
    asks: tuple[str, ...] = ()

    def units(self, context: Context) -> int:
        """How many units of work the step has."""
        if self.spread == INPUTS:
            return max(1, len(context.inputs.get(self.role, ())))
        return context.parts if self.spread == PARTS else 1

    def identity(self, context: Context, upstream: Sequence[str]) -> str:
        """What the step's result depends on."""
        used = {name: getattr(context.config, name) for name in self.uses}
        suites = {name: digests(value) for name, value in used.items()}
        roles = (*self.roles, self.role) if self.role else self.roles
        read = {role: [one.stamp for one in context.inputs.get(role, ())] for role in roles}
        asked = {role: stamp_of(context.models.sources.get(role, "")) for role in self.asks}
        code = code_fingerprint("columns", *self.code)
        return fingerprint([self.name, used, suites, read, asked, context.parts, code, list(upstream)])


def stamp_of(source: str) -> str:
    """What answers depend on beside what is asked: the content of a recording; of a live model, nothing."""
    return "" if not source or "://" in source else Input.of(source).stamp


def part_names(place: Place) -> list[str]:
    """The names of a step's parts, in order."""
    names = [name for name in place.names() if name.startswith("part-")]
    if not names:
        raise OutputError(f"{place.url}: the step has no parts here", hint="run the build again")
    return names


def part_of(keys: pa.Array, parts: int) -> np.ndarray:
    """The part of each row: ``string[n] -> int64[n]``, by a hash of the key.

    >>> part_of(pa.array(["a", "b", "a"]), 4).tolist()[0] == part_of(pa.array(["a"]), 4).tolist()[0]
    True
    """
    texts = ((key or "").encode() for key in keys.to_pylist())
    return (unit_hash(_SALT, texts) % np.uint64(parts)).astype(np.int64)


@dataclass(frozen=True)
class StepWork:
    """The work of one unit of a step."""

    step: Step
    context: Context
    stage: Stage

    def __call__(self, unit: int) -> UnitRecord:
        """Make the unit's rows and write them: its own part, or all parts where the step is whole."""
        made = self.step.make(self.context, unit)
        table = made.table.cast(self.step.schema)
        names = (
            self._split(table) if self.step.spread == WHOLE else [self._write(table, unit, self.stage.units)]
        )
        files = [self._file(name, lines) for name, lines in sorted(made.files.items())]
        return UnitRecord((*names, *files), {"rows": table.num_rows, **made.counts}, {})

    def _split(self, table: pa.Table) -> list[str]:
        parts = self.context.parts
        home = part_of(table.column(self.step.key), parts) if table.num_rows else np.zeros(0, np.int64)
        return [
            self._write(table.take(pa.array(np.nonzero(home == part)[0])), part, parts)
            for part in range(parts)
        ]

    def _write(self, table: pa.Table, part: int, parts: int) -> str:
        name = PartName("part", part, parts, "parquet").format()
        write_table(self.stage.place, name, table.combine_chunks().to_batches(), self.step.schema)
        return name

    def _file(self, name: str, lines: Iterable[bytes]) -> str:
        with self.stage.place.write(name) as sink:
            sink.writelines(lines)
        return name


Estimate = Callable[[Context], Mapping[str, Cost]]
