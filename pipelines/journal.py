"""Journal: what a job notes of itself in the dataset's directory, so that `pipelines.status` can tell how it stands.

``job.json`` is written anew every few seconds and at every turn: the command, the process, the stages with their
times, the jobs of a service, and the error that ended it. It is no part of the dataset: nothing is decided from it, and
another job writes over it. It holds no content, and no logins of URLs.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from columns.errors import ThresherError
from columns.files import Place
from columns.urls import without_login
from pipelines.lease import BEAT_SECONDS, signature
from pipelines.progress import Observer, Watch
from pipelines.wording import plain

JOB = "job.json"
RUNNING, FINISHED, FAILED, INTERRUPTED = "running", "finished", "failed", "interrupted"
LIST = "list"
LONGEST = 300


def now() -> str:
    """The time of day, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass
class Journal(Observer):
    """Notes on one job in the directory of the dataset; nothing is written before the first stage, or a long listing.

    A command that is refused before (a mistake in a recipe, another run under way) leaves an older journal alone.
    """

    root: Place
    command: Sequence[str]
    seconds: float = BEAT_SECONDS
    about: dict[str, Any] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _turn: threading.RLock = field(default_factory=threading.RLock)
    _beats: threading.Thread | None = None
    _written: bool = False

    def listing(self) -> None:
        """Inputs are being listed; written with the first beat, since a short listing may yet refuse the inputs."""
        self._put({"stage": LIST, "state": RUNNING, "since": now(), "done": 0, "total": 0})

    def kept(self, watch: Watch) -> None:
        """A stage was finished before."""
        whole = {"done": watch.total, "total": watch.total}
        self._enter({"stage": watch.label, "state": "kept", "since": now(), **whole})

    def began(self, watch: Watch) -> None:
        """A stage is under way."""
        stage = {"stage": watch.label, "state": RUNNING, "since": now(), "done": 0, "total": watch.total}
        self._enter({**stage, "folder": self._folder(watch)})

    def moved(self, watch: Watch, done: int) -> None:
        """So many units are done; written with the next beat."""
        self._stages[-1]["done"] = done

    def ended(self, watch: Watch, seconds: float) -> None:
        """A stage is finished."""
        self._stages[-1] |= {"state": FINISHED, "done": watch.total, "seconds": round(seconds, 3)}
        self._write()

    def failed(self, watch: Watch, error: BaseException) -> None:
        """A stage ended early; `close` says why."""
        self._stages[-1] |= {"state": FAILED}

    def submitted(self, label: str, number: str, url: str) -> None:
        """A service has taken a job of this stage."""
        if self._begun:
            self.about["jobs"].append({"stage": label, "id": number, "url": url, "since": now()})
            self._write()

    def close(self, error: BaseException | None = None) -> None:
        """Say how it ended; nothing where nothing was written."""
        self._stop.set()
        if self._beats is not None:
            self._beats.join()
        if not self._written:
            return
        self._settle()
        state = FINISHED if error is None else FAILED if isinstance(error, Exception) else INTERRUPTED
        self.about |= {"state": state, "ended": now(), "error": None if error is None else said_of(error)}
        with suppress(Exception):  # the job's own end is what counts
            self._write()

    @property
    def _begun(self) -> bool:
        return bool(self.about)

    @property
    def _stages(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.about["stages"]
        return found

    def _folder(self, watch: Watch) -> str:
        """Where a stage's files lie, from the root of the dataset."""
        root = f"{self.root.url.rstrip('/')}/"
        url = watch.stage.place.url if watch.stage else ""
        return url.removeprefix(root) if url.startswith(root) else ""

    def _enter(self, stage: dict[str, Any]) -> None:
        self._put(stage)
        self._write()

    def _put(self, stage: dict[str, Any]) -> None:
        if not self._begun:
            self._begin()
        self._settle()
        self._stages.append(stage)

    def _settle(self) -> None:
        """The listing of inputs has no end of its own: what comes next ends it."""
        if self._stages and self._stages[-1]["stage"] == LIST:
            self._stages[-1]["state"] = FINISHED

    def _begin(self) -> None:
        self.about |= {
            "command": [without_login(one) for one in self.command], "folder": str(Path.cwd()), "state": RUNNING,
            **signature(), "since": now(), "ended": None, "beat": 0, "stages": [], "jobs": [], "error": None,
        }  # fmt: skip
        self._beats = threading.Thread(target=self._beat, daemon=True)
        self._beats.start()

    def _beat(self) -> None:
        while not self._stop.wait(self.seconds):
            self.about["beat"] += 1
            with suppress(Exception):  # a storage that fails for a moment
                self._write()

    def _write(self) -> None:
        with self._turn:
            self._written = True
            self.root.write_bytes(JOB, orjson.dumps(self.about, option=orjson.OPT_INDENT_2))


def said_of(error: BaseException) -> dict[str, str]:
    """An error in a line, with what to do about it: no traceback, no logins.

    >>> said_of(ValueError("in https://me:secret@host/x"))
    {'kind': 'ValueError', 'what': 'in https://…@host/x', 'hint': ''}
    """
    kind = type(error).__name__
    if isinstance(error, ThresherError):
        return {"kind": kind, "what": _line(error.what), "hint": _line(error.hint or "")}
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return {"kind": kind, "what": _line(lines[-1] if lines else kind), "hint": ""}


def _line(text: str) -> str:
    flat = plain(without_login(" ".join(text.split())))
    return flat if len(flat) <= LONGEST else f"{flat[: LONGEST - 1]}…"


@contextmanager
def journal(root: Place, command: Sequence[str]) -> Iterator[Journal]:
    """Keep notes on a job while the block runs."""
    kept = Journal(root, command)
    try:
        yield kept
    except BaseException as error:
        kept.close(error)
        raise
    kept.close()
