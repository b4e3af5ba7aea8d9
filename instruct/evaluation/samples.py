"""Samples: what a model answered, read from JSON lines, plain or gzipped.

A row names its task and holds one answer or several::

    {"task_id": "HumanEval/0", "completion": "    return 1", "temperature": 0.2, "top_p": 0.95}
    {"task_id": "HumanEval/1", "samples": ["    return 1", "    return 2"]}

The file is a user's own: the first row that is not so is an `InputError` that names the file and the line.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from columns.errors import InputError
from contamination.template import clean

MOST_LINE_BYTES = 64 << 20
MOST_SAMPLES = (1 << 31) - 1
SETTINGS = ("model", "temperature", "top_p", "max_tokens", "seed")
_GZIP = b"\x1f\x8b"
_HINT = 'expected {"task_id": "…", "completion": "…"} or {"task_id": "…", "samples": ["…", …]}'


@dataclass(frozen=True)
class Sample:
    """One answer: its task, its number among the task's answers from 0, and the text after the prompt.

    ``settings`` are those of `SETTINGS` that its row names.
    """

    task_id: str
    sample_ix: int
    completion: str
    settings: Mapping[str, Any] = field(default_factory=dict)


def json_rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Objects of a JSON lines file (gzipped or not), each with where it stands; reads one line at a time.

    Raises `InputError` where the file cannot be read, a line is no JSON object, or it is over `MOST_LINE_BYTES`.
    """
    for number, line in enumerate(_lines(path), 1):
        where = f"{path}, line {number}"
        if len(line) > MOST_LINE_BYTES:
            raise InputError(f"{where}: more than {MOST_LINE_BYTES:,} bytes", hint="one JSON object per line")
        if line.strip():
            yield where, _object(line, where)


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as raw, closing(_unpacked(raw)) as stream:
            while line := stream.readline(MOST_LINE_BYTES + 1):
                yield line
    except (OSError, EOFError, zlib.error) as error:
        what = f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})"
        raise InputError(what, hint="expected JSON lines, plain or gzipped") from error


def _unpacked(raw: IO[bytes]) -> IO[bytes]:
    mark = raw.read(2)
    raw.seek(0)
    return gzip.open(raw, "rb") if mark == _GZIP else raw  # type: ignore[return-value]


def _object(line: bytes, where: str) -> Mapping[str, Any]:
    try:
        found = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{where}: not JSON ({str(error)[:100]})", hint="one JSON object per line"
        ) from error
    if not isinstance(found, dict):
        raise InputError(f"{where}: expected a JSON object, got {type(found).__name__}", hint=_HINT)
    return found


def read_samples(path: Path, known: Collection[str], suite: str = "") -> Iterator[Sample]:
    """The samples of a file in its order; answers of one task may be spread over it.

    ``known`` are the suite's task ids; ids may be numbers, and ``mbpp/11`` is ``11`` in the suite mbpp. Raises
    `InputError`, naming the line, for a row that is not as above, an unknown task, and a ``sample_ix`` that is there
    twice.
    """
    counts: dict[str, int] = {}
    given: set[tuple[str, int]] = set()
    for where, row in json_rows(path):
        task = _task(row, known, suite, where)
        settings = {name: row[name] for name in SETTINGS if name in row}
        for text in _texts(row, where):
            number = _number(row, counts.get(task, 0), where)
            if (task, number) in given:
                raise InputError(f"{where}: sample {number} of {task} for the second time")
            given.add((task, number))
            counts[task] = counts.get(task, 0) + 1
            yield Sample(task, number, text, settings)
    if not counts:
        raise InputError(f"{path}: no samples", hint=_HINT)


def _task(row: Mapping[str, Any], known: Collection[str], suite: str, where: str) -> str:
    said = row.get("task_id")
    if isinstance(said, bool) or not isinstance(said, str | int):
        raise InputError(f"{where}: expected a task_id, got {type(said).__name__}", hint=_HINT)
    name = str(said)
    before, _, short = name.rpartition("/")
    if name not in known and (short not in known or before.lower() != suite.lower()):
        raise InputError(f"{where}: unknown task {_brief(name)}", hint=f"the suite has {_some(known)}")
    return name if name in known else short


def _brief(text: str) -> str:
    return clean(text if len(text) <= 60 else f"{text[:60]}…")


def _some(known: Collection[str]) -> str:
    first = next(iter(known), "no tasks")
    return f"{len(known):,} tasks, the first is {first}"


def _texts(row: Mapping[str, Any], where: str) -> list[str]:
    if ("completion" in row) == ("samples" in row):
        raise InputError(f"{where}: expected one of completion and samples", hint=_HINT)
    found = row["samples"] if "samples" in row else [row["completion"]]
    if not isinstance(found, list):
        raise InputError(f"{where}: samples: expected a list, got {type(found).__name__}", hint=_HINT)
    for text in found:
        if not isinstance(text, str):
            raise InputError(f"{where}: expected text, got {type(text).__name__}", hint=_HINT)
    return [clean(text) for text in found]


def _number(row: Mapping[str, Any], following: int, where: str) -> int:
    said = row.get("sample_ix")
    if said is None or "samples" in row:
        return following
    if isinstance(said, bool) or not isinstance(said, int) or not 0 <= said <= MOST_SAMPLES:
        raise InputError(f"{where}: sample_ix: expected a number from 0, got {said!r:.40}", hint=_HINT)
    return said
