"""Step log: a line of JSON per step, in a file that a resumed run goes on with as if nothing had happened."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from columns.files import TEMPORARY

Line = dict[str, Any]
_WAIT_S = 0.2


class StepLog:
    """The file ``steps.jsonl`` of a run; opening it takes away what is after ``step``, the checkpoint's."""

    def __init__(self, path: Path, step: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = [line for line in read_steps(path) if line["step"] <= step]
        temporary = path.with_name(f"{TEMPORARY}{path.name}")
        temporary.write_text("".join(map(_written, kept)))
        temporary.replace(path)
        self._file = path.open("a")

    def write(self, line: Mapping[str, Any]) -> None:
        """Add a step; readers see it at once."""
        self._file.write(_written(line))
        self._file.flush()

    def sync(self) -> None:
        """Bring what was written to the disk: before a checkpoint of the same step is named."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_steps(path: Path) -> list[Line]:
    """The lines of a log, without a last one that a killed writer left half written.

    >>> read_steps(Path("/no/such/log"))
    []
    """
    text = path.read_text() if path.exists() else ""
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


@contextmanager
def followed(path: Path, say: Callable[[Line], None]) -> Iterator[None]:
    """Call ``say`` with each line that is written meanwhile by other processes, in a thread; each step once."""
    after = max((line["step"] for line in read_steps(path)), default=0)
    done = threading.Event()
    thread = threading.Thread(target=_follow, args=(path, say, after, done), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _follow(path: Path, say: Callable[[Line], None], after: int, done: threading.Event) -> None:
    file, offset, last = 0, 0, False
    while not last:
        last = done.wait(_WAIT_S)
        if not path.exists():
            continue
        with path.open("rb") as source:
            now = os.fstat(source.fileno()).st_ino
            file, offset = now, offset if now == file else 0
            source.seek(offset)
            new = source.read()
        new = new[: new.rfind(b"\n") + 1]
        offset += len(new)
        for line in map(json.loads, new.splitlines()):
            if line["step"] > after:
                say(line)
                after = line["step"]


def _written(line: Mapping[str, Any]) -> str:
    return json.dumps(line) + "\n"
